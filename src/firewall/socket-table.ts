/** Rows of the kernel's tables of TCP and UDP sockets: `/proc/net/tcp`, `tcp6`, `udp` and `udp6` (proc(5)). */
import { endianness } from 'node:os'
import { addressFromBytes, type IpAddress } from '../packet/address.ts'
import type { Port } from '../units.ts'

export interface SocketEnd {
  /** That of an IPv4 peer, also where a socket for both families shows it. */
  readonly address: IpAddress
  /** 0 stands for any. */
  readonly port: Port | 0
}

export interface TableRow {
  readonly local: SocketEnd
  readonly peer: SocketEnd
  /** As net/tcp_states.h counts them, in two hexadecimal digits: `01` is established. */
  readonly state: string
  /** Links the socket to the descriptors of processes. */
  readonly inode: string
}

const ROW =
  /^\s*\d+: ([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4}) ([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4}) ([0-9A-F]{2}) \S+ \S+ \S+\s+\d+\s+\d+ (\d+)/gm

export interface Wanted {
  /** Rows in other states are passed over. Absent: all rows. */
  readonly states?: ReadonlySet<string>
  /** Byte order in each 32-bit word of an address: the machine's. */
  readonly order?: ReturnType<typeof endianness>
}

/** @returns the rows that it understands. */
export function parseSocketRows(text: string, { states, order = endianness() }: Wanted = {}): readonly TableRow[] {
  const rows: TableRow[] = []
  for (const [, local = '', localPort = '', peer = '', peerPort = '', state = '', inode = ''] of text.matchAll(ROW))
    if (states === undefined || states.has(state))
      rows.push({ local: end(local, localPort, order), peer: end(peer, peerPort, order), state, inode })
  return rows
}

function end(address: string, port: string, order: NonNullable<Wanted['order']>): SocketEnd {
  const bytes = Uint8Array.from(address.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16))
  if (order === 'LE') for (let word = 0; word < bytes.length; word += 4) bytes.subarray(word, word + 4).reverse()
  return { address: addressFromBytes(bytes), port: Number.parseInt(port, 16) as Port | 0 }
}
