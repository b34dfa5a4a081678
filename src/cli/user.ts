/** `ghostport user`: who may knock. A user is a stanza of access.conf with a NAME; there is no other list. */
import { parseStanzaName } from '../access/stanza-name.ts'
import { nearest } from '../config/reading/nearest.ts'
import { refuse } from '../result.ts'
import { defineCommand, type Outcome } from './command.ts'
import type { ParsedCommandLine } from './terminal/parse-command-line.ts'
import type { Terminal } from './terminal/terminal.ts'
import { ACTIONS, type Action, type Given, options } from './user/options.ts'

export const command = defineCommand({
  options,
  operands: { required: ['ACTION'], optional: ['NAME|FILE'] },
  about: [
    'Users are stanzas of access.conf, each with a NAME. These commands change the stanza of one user and nothing else in',
    'the file, and have a running server read it. ACTION is:',
    '  add NAME      adds a stanza with new keys, and shows the profile for the client: once',
    '  list          all users: what they may open, and until when',
    '  show NAME     one user, without keys',
    '  rotate NAME   gives new keys. The old ones open too, for the time of --overlap',
    '  disable NAME  the stanza stays, and grants nothing',
    '  enable NAME   takes that back: the end of before counts again',
    '  remove NAME   removes the stanza, and the old keys of this user',
    '  publish NAME  makes a user of this node a user of its cluster (--all: all of them; docs/CLUSTER.md)',
    '  import [FILE] reads a bundle: the keys of a user for this node of a fleet (docs/FLEET.md)',
    'With --nodes, the user has one secret for many servers. add and rotate show it once, write the keys of this node into',
    'access.conf, and a bundle for each other node into a file.',
    'With CLUSTER_USERS Y, users are those of the cluster: the running server changes them for all nodes. --local means the',
    'stanzas of this node’s own access.conf.',
  ],
  after: [
    'ghostport user add ada-phone',
    'ghostport user add ada-phone --open tcp/22,tcp/443 --expire 30d --server host.example',
    'ghostport user add ada --nodes web-*,db-1 --bundle-folder bundles',
    'ghostport user list',
  ],
  run,
})

async function run(line: ParsedCommandLine<typeof options>, terminal: Terminal): Promise<Outcome> {
  const [action = '', nameText] = line.operands
  if (!isAction(action)) {
    const names = Object.keys(ACTIONS)
    const meant = nearest(action, names)
    const more = meant === undefined ? {} : { suggestion: `ghostport user ${meant}` }
    return refuse('CLI_USAGE', `“${action}” is not one of ${names.join(', ')}`, more)
  }
  const taken: readonly (keyof Given)[] = ACTIONS[action]
  for (const name of Object.keys(options) as (keyof Given)[]) {
    const value = line.options[name]
    if (value !== undefined && value !== 0 && !taken.includes(name))
      return refuse('CLI_USAGE', `--${name} has no effect with “user ${action}”`)
  }
  const ofFleet = (['nodes-file', 'bundle-folder'] as const).find((name) => line.options[name] !== undefined)
  if (action === 'add' && ofFleet !== undefined && line.options.nodes === undefined)
    return refuse('CLI_USAGE', `--${ofFleet} has no effect without --nodes`)
  if (action === 'list') {
    if (nameText !== undefined)
      return refuse('CLI_USAGE', `unexpected argument “${nameText}”`, { suggestion: `ghostport user show ${nameText}` })
    return (await import('./user/list-users.ts')).listUsers(line.options, terminal)
  }
  if (action === 'publish')
    return (await import('./user/publish-users.ts')).publishUsers(nameText, line.options, terminal)
  if (action === 'import')
    return (await import('./user/import-bundle.ts')).importBundle(nameText, line.options, terminal)
  if (nameText === undefined) return refuse('CLI_USAGE', `missing argument NAME: ghostport user ${action} NAME`)
  const name = parseStanzaName(nameText)
  if (!name.ok) return refuse('VALUE_INVALID', `NAME: ${name.failure.detail}`)
  switch (action) {
    case 'add':
      if (line.options.nodes !== undefined)
        return (await import('./user/add-fleet-user.ts')).addFleetUser(
          name.value,
          line.options.nodes,
          line.options,
          terminal,
        )
      return (await import('./user/add-user.ts')).addUser(name.value, line.options, terminal)
    case 'rotate':
      // --nodes, or the mark of a fleet in the stanza.
      if (
        line.options.nodes !== undefined ||
        (await import('./user/rotate-fleet.ts')).isOfFleet(name.value, line.options)
      )
        return (await import('./user/rotate-fleet.ts')).rotateFleet(name.value, line.options, terminal)
      return (await import('./user/rotate-user.ts')).rotateUser(name.value, line.options, terminal)
    case 'show':
      return (await import('./user/list-users.ts')).showUser(name.value, line.options, terminal)
    case 'disable':
    case 'enable':
    case 'remove':
      return (await import('./user/change-user.ts')).changeUser(action, name.value, line.options, terminal)
    default:
      return action satisfies never
  }
}

function isAction(word: string): word is Action {
  return Object.hasOwn(ACTIONS, word)
}
