/** The sockets of this host, as the kernel lists them. */
import { endianness } from 'node:os'
import { parseSocketRows, type SocketEnd } from '../../firewall/socket-table.ts'
import type { AddressFamily } from '../../packet/address.ts'
import { type Known, known } from '../known.ts'
import type { Looker } from '../looker.ts'

export interface SocketRow {
  readonly protocol: 'tcp' | 'udp'
  /** Of the socket. One for IPv6 may take IPv4 too: its ends are then IPv4 addresses. */
  readonly family: AddressFamily
  readonly local: SocketEnd
  readonly peer: SocketEnd
  readonly state: 'established' | 'listening' | 'other'
  /** Links the socket to the descriptors of processes. */
  readonly inode: string
}

// net/tcp_states.h. A UDP socket without a peer has the state of a closed TCP connection.
const ESTABLISHED = '01'
const CLOSED = '07'
const LISTENING = '0A'

const TABLES = [
  ['tcp', 4, '/proc/self/net/tcp'],
  ['tcp', 6, '/proc/self/net/tcp6'],
  ['udp', 4, '/proc/self/net/udp'],
  ['udp', 6, '/proc/self/net/udp6'],
] as const

/** All sockets of this network namespace. */
export function lookAtSockets(looker: Looker): Known<readonly SocketRow[]> {
  const rows: SocketRow[] = []
  for (const [protocol, family, path] of TABLES) {
    const text = looker.read(path)
    if (!text.known) return text
    // Absent where the kernel has no IPv6.
    rows.push(...parseSocketTable(text.value ?? '', protocol, family))
  }
  return known(rows)
}

/** @param order see {@link parseSocketRows}. */
export function parseSocketTable(
  text: string,
  protocol: 'tcp' | 'udp',
  family: AddressFamily,
  order = endianness(),
): readonly SocketRow[] {
  return parseSocketRows(text, { order }).map(({ local, peer, state, inode }) => ({
    ...{ protocol, family, local, peer, inode },
    state:
      state === ESTABLISHED
        ? 'established'
        : state === (protocol === 'tcp' ? LISTENING : CLOSED)
          ? 'listening'
          : 'other',
  }))
}
