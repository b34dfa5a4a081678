/**
 * `ghostport serve --exit-parse-config`: what a start would say of the configuration and of this host, without starting
 * or changing anything.
 */

import { type ConfigSource, loadConfig } from '../../config/load.ts'
import type { Notice } from '../../config/reading/notice.ts'
import { diskFiles } from '../../daemon/warden/config-files-on-disk.ts'
import { lookAtHost } from '../../daemon/warden/look-at-host.ts'
import type { Terminal } from '../terminal/terminal.ts'

/** @returns 0 where a server would start; else the exit status of the first failure. */
export async function checkConfiguration(source: ConfigSource, terminal: Terminal): Promise<number> {
  const user = process.getuid?.() ?? 0
  const loaded = loadConfig(diskFiles(user), source)
  if (!loaded.ok) return terminal.fail(loaded.failure)
  const { policy, notices } = loaded.value
  tell(notices, terminal)
  const host = await lookAtHost(loaded.value)
  tell(host.notices, terminal)
  const [status] = host.refusals.map((failure) => terminal.fail(failure))
  if (status !== undefined) return status
  const stanzas = `${policy.stanzas.length} ${policy.stanzas.length === 1 ? 'stanza' : 'stanzas'}`
  terminal.print(`The configuration is good: ${stanzas}.`)
  return 0
}

function tell(notices: readonly Notice[], terminal: Terminal): void {
  for (const { level, text, cure, at } of notices) {
    const location = at === undefined ? '' : `${at.file}:${at.line}: `
    terminal.note([`${level}: ${location}${text}`, ...(cure === undefined ? [] : [`    do: ${cure}`])])
  }
}
