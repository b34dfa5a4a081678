/** The kernel's tables of TCP and UDP sockets: `/proc/net/tcp`, `tcp6`, `udp` and `udp6` (proc(5)). */
import { endianness } from 'node:os'
import { addressInTable } from '../../firewall/nftables/connections.ts'
import type { AddressFamily, IpAddress } from '../../packet/address.ts'
import type { Port } from '../../units.ts'
import { type Known, known } from '../known.ts'
import type { Looker } from '../looker.ts'

export interface SocketEnd {
  readonly address: IpAddress
  /** 0 stands for any. */
  readonly port: Port | 0
}

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
const ROW =
  /^\s*\d+: ([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4}) ([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4}) ([0-9A-F]{2}) \S+ \S+ \S+\s+\d+\s+\d+ (\d+)/gm

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

/** @param order byte order in each 32-bit word of an address: the machine's. */
export function parseSocketTable(
  text: string,
  protocol: 'tcp' | 'udp',
  family: AddressFamily,
  order = endianness(),
): readonly SocketRow[] {
  const end = (address: string, port: string): SocketEnd => ({
    address: addressInTable(address, order),
    port: Number.parseInt(port, 16) as Port | 0,
  })
  return [...text.matchAll(ROW)].map(
    ([, local = '', localPort = '', peer = '', peerPort = '', state = '', inode = '']) => ({
      protocol,
      family,
      local: end(local, localPort),
      peer: end(peer, peerPort),
      state:
        state === ESTABLISHED
          ? 'established'
          : state === (protocol === 'tcp' ? LISTENING : CLOSED)
            ? 'listening'
            : 'other',
      inode,
    }),
  )
}
