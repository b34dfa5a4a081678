/** `fwknop --help` and `fwknop --version`. */
import { PROTOCOL_VERSION } from '../../packet/protocol-version.ts'
import { ownVersion } from '../../system/own-version.ts'
import { optionHelp } from '../terminal/option-help.ts'
import type { Terminal } from '../terminal/terminal.ts'
import { fwknopOptions } from './options.ts'

export function showVersion(terminal: Terminal): number {
  terminal.print(`fwknop client of ghostport ${ownVersion()}, FKO protocol version ${PROTOCOL_VERSION}`)
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
