/**
 * The TCP connections that exist on this host when the gate is first shut. If connections were not tracked before, the
 * kernel takes the next segment of each as a new connection, which the gate drops.
 */
import { readFileSync } from 'node:fs'
import { endianness } from 'node:os'
import { familyOf, type IpAddress } from '../../packet/address.ts'
import type { ProtocolPort } from '../../packet/message.ts'
import type { Port } from '../../units.ts'
import { parseSocketRows } from '../socket-table.ts'
import type { Element } from './elements.ts'

/** As many as the sets of `ruleset.ts` hold, per family. */
export const MAX_CONNECTIONS = 65_535

/** A connection to a port of ours. */
export interface Connection {
  readonly peer: IpAddress
  readonly peerPort: Port
  readonly port: Port
}

/**
 * Connections to the protected ports, in the network namespace of the calling thread; empty if the kernel does not list
 * them.
 */
export function connectionsTo(ports: readonly ProtocolPort[]): readonly Connection[] {
  const wanted = new Set<number>(ports.flatMap(({ protocol, port }) => (protocol === 'tcp' ? [port] : [])))
  // `/proc/net` belongs to the process, whose threads may be in other network namespaces.
  return ['tcp', 'tcp6']
    .flatMap((table) => parseTcpTable(readTable(`/proc/thread-self/net/${table}`)))
    .filter(({ port }) => wanted.has(port))
}

function readTable(path: string): string {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return ''
  }
}

/** Established, FIN_WAIT1, FIN_WAIT2, CLOSE_WAIT: states in which either end may still send. */
export const ALIVE: ReadonlySet<string> = new Set(['01', '04', '05', '08'])

/** @param text of `/proc/net/tcp` or `/proc/net/tcp6`. @param order see {@link parseSocketRows}. */
export function parseTcpTable(text: string, order = endianness()): readonly Connection[] {
  // Such a connection has both ports.
  return parseSocketRows(text, { states: ALIVE, order }).map(({ local, peer }) => ({
    peer: peer.address,
    peerPort: peer.port as Port,
    port: local.port as Port,
  }))
}

/**
 * As elements of the sets `known4` and `known6`, without repetitions: one peer may connect to several of our addresses.
 */
export function connectionElements(connections: readonly Connection[]): readonly Element[] {
  const keys = { 4: new Set<string>(), 6: new Set<string>() }
  for (const { peer, peerPort, port } of connections) keys[familyOf(peer)].add(`${peer} . ${peerPort} . ${port}`)
  return ([4, 6] as const).flatMap((family) =>
    [...keys[family]].slice(0, MAX_CONNECTIONS).map((key) => ({ set: `known${family}`, key })),
  )
}
