/** `ghostport serve --exit-parse-config`: what a start would say of the configuration, without starting anything. */
import { diskFiles } from '../daemon/disk-files.ts'
import { type ConfigPaths, loadConfig } from '../daemon/load-config.ts'
import type { Terminal } from './terminal.ts'

/** @returns 0 for a configuration that a server would start with. */
export function checkConfiguration(paths: ConfigPaths, terminal: Terminal): number {
  const user = process.getuid?.() ?? 0
  const loaded = loadConfig({ server: diskFiles(false, user), access: diskFiles(true, user) }, paths)
  if (!loaded.ok) return terminal.fail(loaded.failure)
  const { policy, notices } = loaded.value
  for (const { level, text, at } of notices) {
    const place = at === undefined ? '' : `${at.file}:${at.line}: `
    terminal.note(`${level}: ${place}${text}`)
  }
  terminal.print(
    `The configuration is good: ${policy.stanzas.length} ${policy.stanzas.length === 1 ? 'stanza' : 'stanzas'}.`,
  )
  return 0
}
