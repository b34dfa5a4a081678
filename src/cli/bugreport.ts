/** `ghostport bugreport`: what to send with a bug report, shown before it is written. */
import { resolve } from 'node:path'
import { jsonLine } from '../bytes/text.ts'
import { refuse } from '../result.ts'
import { ownVersion } from '../system/own-version.ts'
import { defineCommand, type Outcome } from './command.ts'
import { ask } from './terminal/ask.ts'
import type { ParsedCommandLine } from './terminal/parse-command-line.ts'
import type { Terminal } from './terminal/terminal.ts'

const options = {
  output: { short: 'o', value: 'FILE', help: 'write it to this new file too, after a question' },
  yes: { short: 'y', help: 'write the file without a question' },
  'with-addresses': { help: 'with the addresses of interfaces and services' },
  json: { help: 'print it as one JSON object' },
  'config-file': { short: 'c', value: 'FILE', help: 'the server’s settings (/etc/fwknop/fwknopd.conf)' },
  'access-file': { short: 'a', value: 'FILE', help: 'the stanzas (ACCESS_FILE, or access.conf beside the settings)' },
} as const

export const command = defineCommand({
  options,
  operands: {},
  about: [
    'Prints what helps to mend a fault: versions, kinds, counts, and the answers of “ghostport doctor” as codes. It has',
    'fields of fixed kinds only: no key, no packet, no name, no path; no address without --with-addresses. The file gets',
    'what is shown, and nothing else.',
  ],
  after: ['ghostport bugreport', 'ghostport bugreport --output report.txt'],
  run,
})

async function run({ options: given }: ParsedCommandLine<typeof options>, terminal: Terminal): Promise<Outcome> {
  const [{ subjectOf }, { makeReport, reportLines }] = await Promise.all([
    import('./doctor/subject.ts'),
    import('./doctor/bugreport.ts'),
  ])
  const subject = subjectOf({ ...given, 'named-config': undefined, 'rc-file': undefined })
  if (!subject.ok) return subject
  const withAddresses = given['with-addresses'] > 0
  const report = await makeReport(subject.value, { withAddresses, ghostport: ownVersion() })
  // What is seen is what is written.
  const lines = given.json > 0 ? [jsonLine(report)] : reportLines(report)
  terminal.print(lines)
  const { output } = given
  if (output === undefined) return 0
  const file = resolve(output)
  if (given.yes === 0) {
    const answer = ask(`Write this to ${file}? [y/N]`)
    if (answer === undefined)
      return refuse('CLI_USAGE', 'there is no terminal to ask whether the file may be written', { suggestion: '--yes' })
    if (!/^y(es)?$/i.test(answer)) {
      terminal.note('Nothing was written.')
      return 1
    }
  }
  const { createUserFile } = await import('../system/replace-user-file.ts')
  const written = createUserFile(file, lines.map((each) => `${each}\n`).join(''))
  if (!written.ok) return written
  terminal.note(`Written to ${file}.`)
  return 0
}
