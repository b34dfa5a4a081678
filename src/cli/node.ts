/** `ghostport node`: the list of the servers (nodes) that one secret of a user is for. */
import { nearest } from '../config/reading/nearest.ts'
import { refuse } from '../result.ts'
import { defineCommand, type Outcome } from './command.ts'
import { ACTIONS, type Action, type Given, options } from './node/options.ts'
import type { ParsedCommandLine } from './terminal/parse-command-line.ts'
import type { Terminal } from './terminal/terminal.ts'

export const command = defineCommand({
  options,
  operands: { required: ['ACTION'], optional: ['NAME', 'NEW'] },
  about: [
    'Keeps the list of nodes in nodes.conf, for “ghostport user add --nodes”. It holds no secret (docs/FLEET.md). ACTION is:',
    '  add NAME          adds a node. With --this, it is this host',
    '  list              all nodes',
    '  set NAME          changes the address of a node, or says that it is this host',
    '  rename NAME NEW   gives a node another name. Its key name stays, so all keys stay good',
    '  remove NAME       removes a node. No other node gets its key name',
  ],
  after: [
    'ghostport node add web-1 --server web-1.example.org --this',
    'ghostport node add web-2 --server 192.0.2.11:62202',
    'ghostport node list',
  ],
  run,
})

async function run(
  { options: given, operands }: ParsedCommandLine<typeof options>,
  terminal: Terminal,
): Promise<Outcome> {
  const [action = '', name, to] = operands
  if (!isAction(action)) {
    const names = Object.keys(ACTIONS)
    const meant = nearest(action, names)
    const more = meant === undefined ? {} : { suggestion: `ghostport node ${meant}` }
    return refuse('CLI_USAGE', `“${action}” is not one of ${names.join(', ')}`, more)
  }
  const { takes, words }: { takes: readonly (keyof Given)[]; words: readonly string[] } = ACTIONS[action]
  for (const option of Object.keys(options) as (keyof Given)[]) {
    const value = given[option]
    if (value !== undefined && value !== 0 && !takes.includes(option))
      return refuse('CLI_USAGE', `--${option} has no effect with “node ${action}”`)
  }
  const missing = words[operands.length - 1]
  if (missing !== undefined)
    return refuse('CLI_USAGE', `missing argument ${missing}: ghostport node ${[action, ...words].join(' ')}`)
  const extra = operands[words.length + 1]
  if (extra !== undefined) return refuse('CLI_USAGE', `unexpected argument “${extra}”`)
  const actions = await import('./node/actions.ts')
  switch (action) {
    case 'add':
      return actions.addNode(name ?? '', given, terminal)
    case 'set':
      return actions.setNode(name ?? '', given, terminal)
    case 'rename':
      return actions.renameNode(name ?? '', to ?? '', given, terminal)
    case 'remove':
      return actions.removeNode(name ?? '', given, terminal)
    case 'list':
      return actions.listNodes(given, terminal)
    default:
      return action satisfies never
  }
}

function isAction(word: string): word is Action {
  return Object.hasOwn(ACTIONS, word)
}
