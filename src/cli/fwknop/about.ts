/** `fwknop --help` and `fwknop --version`. */
import { readFile } from 'node:fs/promises'
import { PROTOCOL_VERSION } from '../../packet/protocol-version.ts'
import { optionHelp } from '../terminal/option-help.ts'
import type { Terminal } from '../terminal/terminal.ts'
import { fwknopOptions } from './options.ts'

export async function showVersion(terminal: Terminal): Promise<number> {
  // The same distance from src/cli/fwknop/ and from dist/cli/, to one of both.
  const path = import.meta.url.endsWith('.ts') ? '../../../package.json' : '../../package.json'
  const manifest: unknown = JSON.parse(await readFile(new URL(path, import.meta.url), 'utf8'))
  const version =
    manifest !== null && typeof manifest === 'object' && 'version' in manifest ? String(manifest.version) : '?'
  terminal.print(`fwknop client of ghostport ${version}, FKO protocol version ${PROTOCOL_VERSION}`)
  return 0
}

export function showHelp(terminal: Terminal): number {
  terminal.print([
    'Usage: fwknop -A <port list> [-s|-R|-a] -D <spa_server> [options]',
    '',
    'The client of fwknop, by ghostport. A long option may be cut short as long as it stays clear which one is meant.',
    'docs/FWKNOP-COMMANDS.md says what differs from fwknop 2.6.',
    '',
    ...optionHelp(fwknopOptions, terminal.style).shown,
  ])
  return 0
}
