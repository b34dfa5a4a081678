/** `ghostport revoke`: ends grants of a running server now, and the connections that they let in. */
import { describeStanza } from '../access/stanza-name.ts'
import { defineCommand, type Outcome } from './command.ts'
import { isAllEnded, type Revoked, revokeRunning, whatIsLeft, whatWasShared } from './server/revoke-running.ts'
import { type Line, line } from './terminal/line.ts'
import type { ParsedCommandLine } from './terminal/parse-command-line.ts'
import type { Terminal } from './terminal/terminal.ts'

const options = {
  socket: { short: 's', value: 'PATH', help: 'the control socket (CONTROL_SOCKET; /run/ghostport/control.sock)' },
  json: { help: 'print one JSON object, also for a failure' },
} as const

const DEFAULT_SOCKET = '/run/ghostport/control.sock'

export const command = defineCommand({
  options,
  operands: { required: ['TARGET'] },
  about: [
    'Ends grants of the running server now, and the connections that they let in, also those of grants that have ended.',
    'TARGET is a grant (g:3f9a2c1b, from “ghostport status”), the NAME or the number of a stanza, or an address.',
    'A new knock opens again. To keep a user out, disable or remove the user: ghostport user disable NAME.',
    'Close commands of command cycles run now, too.',
    'Exit status 0: done, or nothing was open; 1: there is no such grant or stanza, or some of it may be open still;',
    '69: no server answers.',
  ],
  after: ['ghostport revoke alice', 'ghostport revoke 203.0.113.5', 'ghostport revoke g:3f9a2c1b'],
  run,
})

async function run(
  { options: given, operands: [target = ''] }: ParsedCommandLine<typeof options>,
  terminal: Terminal,
): Promise<Outcome> {
  const revoked = await revokeRunning(given.socket ?? DEFAULT_SOCKET, target)
  if (!revoked.ok) return revoked
  if (given.json > 0) terminal.printJson(revoked.value)
  else {
    terminal.print(describeRevoked(target, revoked.value))
    for (const left of whatIsLeft(revoked.value)) terminal.note(`warning: ${left}`)
  }
  return isAllEnded(revoked.value) ? 0 : 1
}

/** @param target what was given. */
export function describeRevoked(target: string, answer: Revoked): readonly Line[] {
  const { revoked, connections, closes, marks } = answer
  const shared = whatWasShared(answer)
  const ran = closes.good + closes.failed
  if (revoked.length + connections + ran + closes.unfinished === 0)
    return [line`${target} has no grant and no connection`]
  return [
    line`ended ${count(revoked.length, 'grant')} and ${count(connections, 'connection')} of ${target}`,
    ...revoked.map(
      (grant) =>
        line`  ${grant.id}  ${grant.for}  ${grant.open.join(',')}  ${describeStanza(grant.stanza, grant.name)}`,
    ),
    ...(ran === 0 ? [] : [line`ran ${count(ran, 'close command')} of cycles now`]),
    ...(shared === undefined ? [] : [shared]),
    ...(marks || connections === 0
      ? []
      : ['iptables marks nothing: these connections were told by their addresses and ports alone']),
    'a new knock opens again: to keep a user out, use “ghostport user disable NAME”',
  ]
}

function count(number: number, thing: string): string {
  return `${number} ${thing}${number === 1 ? '' : 's'}`
}
