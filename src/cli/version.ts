/** `ghostport version`. */
import { readFile } from 'node:fs/promises'
import { commandHelp } from './terminal/command-help.ts'
import { failWithJson } from './terminal/failure-json.ts'
import { parseCommandLine } from './terminal/options.ts'
import type { Terminal } from './terminal/terminal.ts'

const options = {
  json: { help: 'print one JSON object: version, protocol' },
  help: { short: 'h', help: 'show this text' },
} as const

const help = {
  usage: 'ghostport version [options]',
  about: ['Prints the version of ghostport, and the version of the SPA protocol that it speaks (fwknop’s).'],
  table: options,
} as const

export async function run(argv: readonly string[], terminal: Terminal): Promise<number> {
  const parsed = parseCommandLine(options, { names: [] }, argv)
  if (!parsed.ok) return failWithJson(argv, terminal)(parsed.failure)
  const given = parsed.value.options
  if (given.help > 0) {
    terminal.print(commandHelp(help, terminal.style))
    return 0
  }
  // The same distance from src/cli/ and from dist/cli/.
  const manifest: unknown = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8'))
  const version =
    manifest !== null && typeof manifest === 'object' && 'version' in manifest ? String(manifest.version) : '?'
  const protocol = '3.0.0'
  if (given.json > 0) terminal.printJson({ version, protocol })
  else terminal.print(`ghostport ${version}, SPA protocol ${protocol} (fwknop's)`)
  return 0
}
