/** `ghostport version`. */
import { readFile } from 'node:fs/promises'
import { parseCommandLine } from './options.ts'
import type { Terminal } from './terminal.ts'

const options = { json: {}, help: { short: 'h' } } as const

export async function run(argv: readonly string[], terminal: Terminal): Promise<number> {
  const parsed = parseCommandLine(options, { names: [] }, argv)
  if (!parsed.ok) return terminal.fail(parsed.failure)
  // The same distance from src/cli/ and from dist/cli/.
  const manifest: unknown = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8'))
  const version =
    manifest !== null && typeof manifest === 'object' && 'version' in manifest ? String(manifest.version) : '?'
  const protocol = '3.0.0'
  terminal.print(
    parsed.value.options.json > 0
      ? JSON.stringify({ version, protocol })
      : `ghostport ${version}, SPA protocol ${protocol} (fwknop's)`,
  )
  return 0
}
