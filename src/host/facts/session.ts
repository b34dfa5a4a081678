/**
 * The session that this program is run from. A set-up must not cut it off. sudo clears SSH_CONNECTION, and in tmux it
 * may be that of an earlier login. So the parents of this process are followed up to the ssh server's process, which
 * holds the socket of the connection. SSH_CONNECTION counts only if such a connection exists.
 */
import { parseAddress } from '../../packet/address.ts'
import { parsePort } from '../../units.ts'
import { type Known, known, notKnown } from '../known.ts'
import type { Looker } from '../looker.ts'
import { type Connection, lookAtMark } from './connection-mark.ts'
import { ancestors, type Process, socketsOf } from './processes.ts'
import { lookAtSockets, type SocketRow } from './socket-table.ts'

export type Session =
  /** Over ssh. */
  | {
      readonly kind: 'ssh'
      readonly connection: Connection
      /** How it was found. */
      readonly by: 'parents' | 'SSH_CONNECTION'
      /** The mark of the connection in the kernel, 0 for none; undefined if the kernel does not track it. */
      readonly mark: Known<number | undefined>
    }
  /** At a console, or from a service: no connection carries it. */
  | { readonly kind: 'local' }

/** Names of the processes of ssh servers that hold the connection of a session. */
const SERVERS = /^(sshd|sshd-session|dropbear)/
/** A program that outlives the session in which it was started, and is used from others. */
const KEEPERS = /^(tmux: server|tmux|screen|SCREEN|dtach|abduco|zellij)/

export async function lookAtSession(looker: Looker): Promise<Known<Session>> {
  const sockets = lookAtSockets(looker)
  if (!sockets.known) return sockets
  const found = findConnection(looker, ancestors(looker), sockets.value)
  if (!found.known || found.value === 'local') return found.known ? known({ kind: 'local' }) : found
  const { connection, by } = found.value
  return known({ kind: 'ssh', connection, by, mark: await lookAtMark(looker, connection) })
}

function findConnection(
  looker: Looker,
  above: readonly Process[],
  sockets: readonly SocketRow[],
): Known<'local' | { readonly connection: Connection; readonly by: 'parents' | 'SSH_CONNECTION' }> {
  const established = sockets.filter(({ protocol, state }) => protocol === 'tcp' && state === 'established')
  const server = above.filter(({ name }) => SERVERS.test(name))
  for (const { pid } of server) {
    const held = socketsOf(looker, pid)
    const row = held.known ? established.find(({ inode }) => held.value.includes(inode)) : undefined
    if (row !== undefined) return known({ connection: connectionOf(row), by: 'parents' })
  }
  const told = looker.environment['SSH_CONNECTION']
  const named = told === undefined ? undefined : parseSshConnection(told)
  const row = established.find((each) => named !== undefined && isSame(connectionOf(each), named))
  if (row !== undefined) return known({ connection: connectionOf(row), by: 'SSH_CONNECTION' })
  const keeper = above.find(({ name }) => KEEPERS.test(name))
  if (told !== undefined && keeper !== undefined)
    return notKnown(`SSH_CONNECTION is that of an earlier login: this program runs in ${keeper.name}`)
  if (told !== undefined) return notKnown('the connection that SSH_CONNECTION names does not exist on this host')
  if (server.length > 0) return notKnown('the ssh server that runs this program does not show its connection')
  if (keeper !== undefined) return notKnown(`this program runs in ${keeper.name}, which does not say who uses it`)
  return known('local')
}

/** `CLIENT PORT SERVER PORT`, as sshd sets it. */
export function parseSshConnection(text: string): Connection | undefined {
  const [peer = '', peerPort = '', local = '', localPort = ''] = text.trim().split(/\s+/)
  const read = [parseAddress(peer), parseAddress(local)] as const
  const ports = [parsePort(peerPort), parsePort(localPort)] as const
  if (!read[0].ok || !read[1].ok || !ports[0].ok || !ports[1].ok) return undefined
  return { peer: read[0].value, peerPort: ports[0].value, local: read[1].value, localPort: ports[1].value }
}

function connectionOf({ local, peer }: SocketRow): Connection {
  // An established connection has both ports.
  return {
    peer: peer.address,
    peerPort: peer.port as Connection['peerPort'],
    local: local.address,
    localPort: local.port as Connection['localPort'],
  }
}

function isSame(a: Connection, b: Connection): boolean {
  return a.peer === b.peer && a.peerPort === b.peerPort && a.local === b.local && a.localPort === b.localPort
}
