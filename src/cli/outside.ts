/** `ghostport outside`: what others see of a host, and what changed between two looks. */
import { refuse } from '../result.ts'
import { defineCommand, type Outcome } from './command.ts'
import { options } from './outside/options.ts'
import type { ParsedCommandLine } from './terminal/parse-command-line.ts'
import type { Terminal } from './terminal/terminal.ts'

export const command = defineCommand({
  options,
  operands: { optional: ['ONE', 'TWO'] },
  about: [
    'Compares what two scans saw of a host: states of ports, and what the services say. Times do not count. It reads the',
    'files of nmap (-oX, or -oG). It warns where the two scans were not made alike: then a closed port may look filtered.',
    'Exit status 0: the same; 1: something differs; 2: a scan cannot be read. docs/OUTSIDE.md says more.',
  ],
  after: ['ghostport outside --compare before.xml after.xml'],
  run,
})

async function run(line: ParsedCommandLine<typeof options>, terminal: Terminal): Promise<Outcome> {
  const [one, two] = line.operands
  if (line.options.compare === 0) return refuse('CLI_USAGE', 'say what to compare', { suggestion: '--compare ONE TWO' })
  if (one === undefined || two === undefined) return refuse('CLI_USAGE', '--compare needs two files: --compare ONE TWO')
  return (await import('./outside/compare-files.ts')).compareFiles([one, two], line.options, terminal)
}
