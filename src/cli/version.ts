/** `ghostport version`. */

import { ownVersion } from '../system/own-version.ts'
import { defineCommand, type Outcome } from './command.ts'
import type { ParsedCommandLine } from './terminal/parse-command-line.ts'
import type { Terminal } from './terminal/terminal.ts'

const options = {
  json: { help: 'print one JSON object: version, protocol' },
} as const

export const command = defineCommand({
  options,
  operands: {},
  about: ['Prints the version of ghostport, and the version of the SPA protocol that it speaks (fwknop’s).'],
  run,
})

async function run({ options: given }: ParsedCommandLine<typeof options>, terminal: Terminal): Promise<Outcome> {
  const version = ownVersion()
  const protocol = '3.0.0'
  if (given.json > 0) terminal.printJson({ version, protocol })
  else terminal.print(`ghostport ${version}, SPA protocol ${protocol} (fwknop's)`)
  return 0
}
