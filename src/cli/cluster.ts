/** `ghostport cluster`: sets a cluster up, and says how it is. */
import { nearest } from '../config/reading/nearest.ts'
import { refuse } from '../result.ts'
import { ACTIONS, type Action, type Given, options } from './cluster/options.ts'
import { defineCommand, type Outcome } from './command.ts'
import type { ParsedCommandLine } from './terminal/parse-command-line.ts'
import type { Terminal } from './terminal/terminal.ts'

export const command = defineCommand({
  options,
  operands: { required: ['ACTION'], optional: ['WORD'] },
  about: [
    'Servers with one name, which accept each packet once between them (docs/CLUSTER.md). ACTION is:',
    '  init NAME     the first node: makes a user in etcd, a password, and the settings of this host',
    '  invite FILE   writes what another node needs into FILE. It holds secrets: carry it by ssh, and delete it',
    '  join FILE     another node: takes what is in FILE. Looks first, and changes nothing where something is wrong',
    '  leave         takes the settings and secrets off this host. In etcd, nothing changes',
    '  status        the members of etcd, the nodes, and what the server of this host says',
    '  check         examines all of it, as “ghostport doctor” does. Exit status 0, 1: errors, 2: it cannot say',
  ],
  after: [
    'ghostport cluster init front --etcd 10.0.0.1,10.0.0.2,10.0.0.3 --ca-file /etc/etcd/tls/ca.pem',
    'ghostport cluster invite /root/front.join',
    'ghostport cluster join /root/front.join',
    'ghostport cluster check',
  ],
  run,
})

async function run(
  { options: given, operands }: ParsedCommandLine<typeof options>,
  terminal: Terminal,
): Promise<Outcome> {
  const [action = '', word = ''] = operands
  if (!isAction(action)) {
    const names = Object.keys(ACTIONS)
    const meant = nearest(action, names)
    const more = meant === undefined ? {} : { suggestion: `ghostport cluster ${meant}` }
    return refuse('CLI_USAGE', `“${action}” is not one of ${names.join(', ')}`, more)
  }
  const { takes, words }: { takes: readonly (keyof Given)[]; words: readonly string[] } = ACTIONS[action]
  for (const option of Object.keys(options) as (keyof Given)[]) {
    const value = given[option]
    const isGiven = Array.isArray(value) ? value.length > 0 : value !== undefined && value !== 0
    if (isGiven && !takes.includes(option))
      return refuse('CLI_USAGE', `--${option} has no effect with “cluster ${action}”`)
  }
  const missing = words[operands.length - 1]
  if (missing !== undefined)
    return refuse('CLI_USAGE', `missing argument ${missing}: ghostport cluster ${[action, ...words].join(' ')}`)
  const extra = operands[words.length + 1]
  if (extra !== undefined) return refuse('CLI_USAGE', `unexpected argument “${extra}”`)
  switch (action) {
    case 'init':
      return (await import('./cluster/init.ts')).initCluster(word, given, terminal)
    case 'invite':
      return (await import('./cluster/invite.ts')).inviteNode(word, given, terminal)
    case 'join':
      return (await import('./cluster/join.ts')).joinCluster(word, given, terminal)
    case 'leave':
      return (await import('./cluster/leave.ts')).leaveCluster(given, terminal)
    case 'status':
      return (await import('./cluster/status.ts')).showCluster(given, terminal)
    case 'check':
      return (await import('./cluster/check.ts')).checkCluster(given, terminal)
    default:
      return action satisfies never
  }
}

function isAction(word: string): word is Action {
  return Object.hasOwn(ACTIONS, word)
}
