/** `ghostport client`: the servers of this device, as stanzas of the rc file. */
import { nearest } from '../config/reading/nearest.ts'
import { refuse } from '../result.ts'
import { ACTIONS, type Action, type Given, options } from './client/options.ts'
import { defineCommand, type Outcome } from './command.ts'
import type { ParsedCommandLine } from './terminal/parse-command-line.ts'
import type { Terminal } from './terminal/terminal.ts'

export const command = defineCommand({
  options,
  operands: { required: ['ACTION'], optional: ['PROFILE|FILE|LINK|STANZA|NODE'] },
  about: [
    'Changes ~/.fwknoprc. ACTION is:',
    '  add [PROFILE|FILE]   adds a server, or all servers of a fleet, from the line ghostport://… of “ghostport user add”',
    '  export STANZA        prints the stanza as fwknop understands it: for a node of a fleet, with its own keys alone',
    '  extend NODE          one more node for the secret of a fleet: adds its stanza, and writes a bundle for that host',
    'Without an argument, add asks for the line, or reads it from standard input. That is better: the line holds keys, and a',
    'command line is seen in the list of processes, and kept in the history of the shell. FILE has the profile, or the',
    'sealed profile of “ghostport invite --file”: then the secret is asked for, or read from standard input. LINK is that of',
    'an invitation, https://…/invite: add claims it for this device, shows digits for the administrator, and waits until they',
    'are confirmed. Better without what is behind its “#”: then that secret is asked for.',
  ],
  after: [
    'ghostport client add                       paste the line',
    'ghostport client add < ada-phone.profile',
    'ghostport client add ada-phone.invitation',
    'ghostport client add https://gate.example.org/invite',
    'ghostport knock NAME --wait',
    'ghostport client export web-1 >> old-client.fwknoprc',
  ],
  run,
})

async function run(
  { options: given, operands }: ParsedCommandLine<typeof options>,
  terminal: Terminal,
): Promise<Outcome> {
  const [action = '', argument] = operands
  if (!isAction(action)) {
    const names = Object.keys(ACTIONS)
    return refuse('CLI_USAGE', `“${action}” is not one of ${names.join(', ')}`, {
      suggestion: `ghostport client ${nearest(action, names) ?? 'add'}`,
    })
  }
  const taken: readonly (keyof Given)[] = ACTIONS[action]
  for (const name of Object.keys(options) as (keyof Given)[]) {
    const value = given[name]
    if (value !== undefined && value !== 0 && !taken.includes(name))
      return refuse('CLI_USAGE', `--${name} has no effect with “client ${action}”`)
  }
  switch (action) {
    case 'add':
      return (await import('./client/add.ts')).addToClient(argument, given, terminal)
    case 'export':
      if (argument === undefined)
        return refuse('CLI_USAGE', 'missing argument STANZA', { suggestion: 'ghostport knock --stanza-list' })
      return (await import('./client/export.ts')).exportStanza(argument, given, terminal)
    case 'extend':
      if (argument === undefined) return refuse('CLI_USAGE', 'missing argument NODE: ghostport client extend NODE')
      return (await import('./client/extend.ts')).extendFleet(argument, given, terminal)
    default:
      return action satisfies never
  }
}

function isAction(word: string): word is Action {
  return Object.hasOwn(ACTIONS, word)
}
