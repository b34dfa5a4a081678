/** `ghostport policy`: a policy for a host that has none. It drops by default, and lets in what ghostport opened. */
import { nearest } from '../config/reading/nearest.ts'
import { refuse } from '../result.ts'
import { defineCommand, type Outcome } from './command.ts'
import { ACTIONS, type Action, type Given, options } from './policy/options.ts'
import type { ParsedCommandLine } from './terminal/parse-command-line.ts'
import type { Terminal } from './terminal/terminal.ts'

export const command = defineCommand({
  options,
  operands: { required: ['ACTION'] },
  about: [
    'A policy for a host that has none of its own, nor ufw nor firewalld: it drops by default, over IPv4 and IPv6, and lets',
    'in what ghostport opened. docs/POLICY.md says what is in it. ACTION is:',
    '  show     prints the policy as a file for nft. Changes nothing',
    '  install  puts it in force for five minutes. A new session keeps it with “install --confirm”; else it is taken back',
    '  remove   takes it away: the table, its file and its units',
    '  audit    is this host filtered, over IPv4 and IPv6? By the rules, by the kernel itself, and by a scan from outside.',
    '           Ports of --allow may be open. Exit status 0: filtered; 1: something is open, or answers differ; 2: not known',
  ],
  after: [
    'ghostport policy show --allow tcp/80,tcp/443',
    'ghostport policy install --allow tcp/80,tcp/443         now, for five minutes',
    'ghostport policy install --confirm                      in a new session: for good',
    'ghostport policy audit --from-outside                   what to run on another host; then:',
    'ghostport policy audit --scan-result ghostport-scan-4.xml --scan-result ghostport-scan-6.xml',
  ],
  run,
})

async function run(line: ParsedCommandLine<typeof options>, terminal: Terminal): Promise<Outcome> {
  const [action = ''] = line.operands
  if (!isAction(action)) {
    const names = Object.keys(ACTIONS)
    const meant = nearest(action, names)
    const more = meant === undefined ? {} : { suggestion: `ghostport policy ${meant}` }
    return refuse('CLI_USAGE', `“${action}” is not one of ${names.join(', ')}`, more)
  }
  const taken: readonly (keyof Given)[] = ACTIONS[action]
  for (const name of Object.keys(options) as (keyof Given)[]) {
    const value = line.options[name]
    const isGiven = Array.isArray(value) ? value.length > 0 : value !== undefined && value !== 0
    if (isGiven && !taken.includes(name)) return refuse('CLI_USAGE', `--${name} has no effect with “policy ${action}”`)
  }
  switch (action) {
    case 'show':
      return (await import('./policy/show-policy.ts')).showPolicy(line.options, terminal)
    case 'install':
      return (await import('./policy/install-policy.ts')).installPolicy(line.options, terminal)
    case 'remove':
      return (await import('./policy/install-policy.ts')).removeIt(line.options, terminal)
    case 'audit':
      return (await import('./policy/audit-policy.ts')).auditPolicy(line.options, terminal)
    default:
      return action satisfies never
  }
}

function isAction(word: string): word is Action {
  return Object.hasOwn(ACTIONS, word)
}
