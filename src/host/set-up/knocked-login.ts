/**
 * What confirms a set-up: a connection that a knock let in after the ports were shut, with a login behind it. The mark
 * of its conntrack entry says that a grant let it in. The process of the ssh server, or its line in the journal, shows
 * whether somebody logged in, or only looks at the banner.
 */
import { familyOf } from '../../packet/address.ts'
import type { Port } from '../../units.ts'
import { type Connection, keyOf, lookAtMark } from '../facts/connection-mark.ts'
import { holdersOf, lookAtProcess, type Program } from '../facts/processes.ts'
import { lookAtSession } from '../facts/session.ts'
import { lookAtSockets, type SocketRow } from '../facts/socket-table.ts'
import { type Known, known, notKnown } from '../known.ts'
import type { Looker } from '../looker.ts'
import type { PendingSetUp } from '../way-back/pending.ts'
import type { Login } from './ssh-logins.ts'

type Wanted = Pick<PendingSetUp, 'ports' | 'byLogin' | 'mark' | 'before'>

/** The connections to these ports of this host that exist now. */
export function connectionsNow(looker: Looker, ports: readonly Port[]): Known<readonly Connection[]> {
  const rows = rowsTo(looker, ports)
  return rows.known ? known(rows.value.map(connectionOf)) : rows
}

/** @returns the first connection that confirms; undefined if none does yet. */
export async function findConfirming(looker: Looker, wanted: Wanted): Promise<Known<Connection | undefined>> {
  const rows = rowsTo(looker, wanted.ports)
  if (!rows.known) return rows
  const before = new Set(wanted.before.map(keyOf))
  const marked: SocketRow[] = []
  for (const row of rows.value) {
    const connection = connectionOf(row)
    if (before.has(keyOf(connection))) continue
    const mark = await lookAtMark(looker, connection)
    if (mark.known && isMarked(mark.value, wanted.mark)) marked.push(row)
  }
  if (marked.length === 0) return known(undefined)
  const [first] = marked
  if (!wanted.byLogin) return known(first && connectionOf(first))
  const holders = holdersOf(looker, new Set(marked.map(({ inode }) => inode)))
  if (!holders.known) return holders
  const found = marked.find(({ inode }) => (holders.value.get(inode) ?? []).some((each) => isLogin(looker, each)))
  return known(found && connectionOf(found))
}

/**
 * A login that is over already. Its conntrack entry outlives it: for two minutes, or ten seconds after a reset.
 * @param logins those of sshd since it was asked last.
 * @returns the first connection that confirms.
 */
export async function findConfirmingLogin(
  looker: Looker,
  wanted: Wanted,
  logins: readonly Login[],
): Promise<Known<Connection | undefined>> {
  if (!wanted.byLogin || logins.length === 0) return known(undefined)
  const addresses = looker.addresses()
  if (!addresses.known) return addresses
  const before = new Set(wanted.before.map(keyOf))
  for (const { peer, peerPort } of logins)
    for (const { address: local } of addresses.value)
      for (const localPort of wanted.ports) {
        const connection = { peer, peerPort, local, localPort }
        if (familyOf(local) !== familyOf(peer) || before.has(keyOf(connection))) continue
        const mark = await lookAtMark(looker, connection)
        if (mark.known && isMarked(mark.value, wanted.mark)) return known(connection)
      }
  return known(undefined)
}

/** Whether the session that this program is run from confirms. @returns why not, where it does not. */
export async function judgeOwnSession(looker: Looker, wanted: Wanted): Promise<Known<Connection>> {
  const session = await lookAtSession(looker)
  if (!session.known) return session
  if (session.value.kind === 'local')
    return notKnown('this is no ssh session. Knock, log in by ssh, and run “ghostport init --confirm” there')
  const { connection, mark } = session.value
  const from = `this session from ${connection.peer} port ${connection.peerPort}`
  if (wanted.before.some((one) => keyOf(one) === keyOf(connection)))
    return notKnown(`${from} is older than the changes. Knock, log in anew, and confirm there`)
  if (!mark.known) return mark
  if (!isMarked(mark.value, wanted.mark))
    return notKnown(`${from} did not come in by a knock. Knock, log in anew, and confirm there`)
  return known(connection)
}

function rowsTo(looker: Looker, ports: readonly Port[]): Known<readonly SocketRow[]> {
  const rows = lookAtSockets(looker)
  if (!rows.known) return rows
  const wanted = new Set<number>(ports)
  return known(
    rows.value.filter(
      ({ protocol, state, local }) => protocol === 'tcp' && state === 'established' && wanted.has(local.port),
    ),
  )
}

function connectionOf({ local, peer }: SocketRow): Connection {
  // An established connection has both ports.
  return {
    peer: peer.address,
    peerPort: peer.port as Port,
    local: local.address,
    localPort: local.port as Port,
  }
}

function isMarked(found: number | undefined, bit: number): boolean {
  return found !== undefined && (found & bit) !== 0
}

/**
 * The title of a process of sshd that serves a login: `sshd: ada@pts/0`, since 9.8 `sshd-session: ada@notty`. Before
 * the login it is `sshd: ada [net]` or `sshd: unknown [priv]`.
 */
const LOGIN_TITLE = /^sshd(-session)?: \S+@(notty|(pts\/\d+|tty\w+)(,(pts\/\d+|tty\w+))*)$/
/** The kernel’s value for a process that belongs to no login. */
const NO_LOGIN = '4294967295'

/** By its title, or by the login that pam_loginuid gave to it and not to its parent. */
function isLogin(looker: Looker, { pid }: Program): boolean {
  const title = textOf(looker, `/proc/${pid}/cmdline`).replace(/\0.*$/s, '').trimEnd()
  if (LOGIN_TITLE.test(title)) return true
  if (!/^sshd(-session)?:/.test(title)) return false
  const login = textOf(looker, `/proc/${pid}/sessionid`)
  if (login === '' || login === NO_LOGIN || textOf(looker, `/proc/${pid}/loginuid`) === NO_LOGIN) return false
  // A server that was started from a login hands that on to all its processes, also before they have a login.
  return listenerLogin(looker, pid) !== login
}

/** The login of the process of sshd that listens: the first parent without a connection in its title. */
function listenerLogin(looker: Looker, pid: number): string {
  let at = lookAtProcess(looker, pid)?.parent
  for (let steps = 0; at !== undefined && at > 1 && steps < 8; steps++) {
    if (!/^sshd(-session|-auth)?: (?!\/)/.test(textOf(looker, `/proc/${at}/cmdline`))) break
    at = lookAtProcess(looker, at)?.parent
  }
  return at === undefined ? NO_LOGIN : textOf(looker, `/proc/${at}/sessionid`)
}

function textOf(looker: Looker, path: string): string {
  const read = looker.read(path)
  return read.known ? (read.value ?? '').trim() : ''
}
