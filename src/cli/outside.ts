/** `ghostport outside`: what others see of a host, and what changed between two looks. */
import { type Failure, ok, type Result, refuse } from '../result.ts'
import { defineCommand, type Outcome } from './command.ts'
import { type Given, options } from './outside/options.ts'
import type { ParsedCommandLine } from './terminal/parse-command-line.ts'
import type { Terminal } from './terminal/terminal.ts'

export const command = defineCommand({
  options,
  operands: { optional: ['TARGET', 'TWO'] },
  about: [
    'Shows what others see of TARGET, a name or an address: it connects to TCP ports, and reads what the services say first.',
    'Takes no privilege, and sends nothing. Run it on another host, and scan only hosts that are yours.',
    '--knock scans before, during and after a knock, and shows what changed.',
    '--compare shows what changed between two saved scans, ours or nmap’s (-oX, -oG). Times do not count. It warns where the',
    'two were not made alike: then a closed port may look filtered. docs/OUTSIDE.md says more.',
    'Exit status 0: the same, or as expected; 1: something differs; 2: it could not be found out.',
  ],
  after: [
    'ghostport outside host.example --expect seen.txt       for CI: outsiders see exactly what seen.txt lists',
    'ghostport outside host.example --knock myserver        what does a knock change?',
    'ghostport outside host.example --save before.xml',
    'ghostport outside --compare before.xml after.xml',
  ],
  run,
})

async function run(
  { options: given, operands }: ParsedCommandLine<typeof options>,
  terminal: Terminal,
): Promise<Outcome> {
  const [one, two] = operands
  if (given.compare > 0) {
    const judged = comparable(given, one, two)
    if (!judged.ok) return judged
    return (await import('./outside/compare-files.ts')).compareFiles(operands, given, terminal)
  }
  if (one === undefined)
    return refuse('CLI_USAGE', 'missing argument TARGET: the host to look at, or --compare with two files')
  if (two !== undefined)
    return refuse('CLI_USAGE', `unexpected argument “${two}”: one host is scanned at a time`, {
      suggestion: `--compare ${one} ${two}`,
    })
  if (given.knock !== undefined) return (await import('./outside/scan-around.ts')).scanAround(one, given, terminal)
  return (await import('./outside/scan-target.ts')).scanTarget(one, given, terminal)
}

/** Nothing that is about a scan goes with `--compare`. */
function comparable(
  given: Given,
  one: string | undefined,
  two: string | undefined,
): Result<void, Failure<'CLI_USAGE'>> {
  for (const name of [
    'ports',
    'save',
    'from',
    'ipv4',
    'ipv6',
    'timeout',
    'rate',
    'knock',
    'rc-file',
    'after',
    'nmap',
  ] as const) {
    const value = given[name]
    const isGiven = Array.isArray(value) ? value.length > 0 : value !== undefined && value !== 0
    if (isGiven) return refuse('CLI_USAGE', `--${name} has no effect with --compare, which scans nothing`)
  }
  if (one === undefined) return refuse('CLI_USAGE', '--compare needs two files: --compare ONE TWO')
  if (two === undefined && given.expect === undefined)
    return refuse('CLI_USAGE', '--compare needs two files, or --expect FILE: --compare ONE TWO')
  return ok(undefined)
}
