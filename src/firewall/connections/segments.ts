/**
 * TCP segments that end a connection from between its two ends (RFC 9293, RFC 5961). An end believes a reset only with
 * exactly the sequence number that it expects. So it is asked first: a segment outside of its window makes it answer
 * with an acknowledgement, which has that number. Pure.
 */
import { addressBytes, addressFromBytes, familyOf, type IpAddress } from '../../packet/address.ts'

/** One end of a TCP connection, and the other as this one sees it. */
export interface Leg {
  /** The end that shall close. */
  readonly end: IpAddress
  readonly endPort: number
  /** Whom it believes to be connected to. */
  readonly peer: IpAddress
  readonly peerPort: number
}

/** A segment that an end of a connection sent. */
export interface Heard extends Leg {
  /** What it expects next; undefined without the flag ACK. */
  readonly expects: number | undefined
  /** It ends the connection itself. */
  readonly isReset: boolean
}

const TCP = 6
const TCP_HEAD = 20
const FLAG_RST = 0x04
const FLAG_ACK = 0x10
const HOPS = 64

/**
 * A segment of one byte, at a place of the stream that the end almost certainly does not expect. The kernel answers one
 * with data without a limit of its rate.
 * @param anywhere a random number of 32 bits.
 */
export function probe(leg: Leg, anywhere: number): Uint8Array {
  return packet(leg, { sequence: anywhere, acknowledges: anywhere, flags: FLAG_ACK, data: 1 })
}

/** @param sequence what the end expects next. */
export function reset(leg: Leg, sequence: number): Uint8Array {
  return packet(leg, { sequence, acknowledges: 0, flags: FLAG_RST, data: 0 })
}

interface Parts {
  readonly sequence: number
  readonly acknowledges: number
  readonly flags: number
  /** Bytes of it, all zero. */
  readonly data: number
}

/** From the peer to the end, with its IP header. */
function packet({ end, endPort, peer, peerPort }: Leg, { sequence, acknowledges, flags, data }: Parts): Uint8Array {
  const is4 = familyOf(end) === 4
  const [from, to] = [addressBytes(peer), addressBytes(end)]
  const head = is4 ? 20 : 40
  const length = TCP_HEAD + data
  const bytes = new Uint8Array(new ArrayBuffer(head + length))
  const view = new DataView(bytes.buffer)
  if (is4) {
    // The kernel writes length, identification and checksum.
    view.setUint8(0, 0x45)
    view.setUint16(2, bytes.length)
    view.setUint8(8, HOPS)
    view.setUint8(9, TCP)
    bytes.set(from, 12)
    bytes.set(to, 16)
  } else {
    view.setUint8(0, 0x60)
    view.setUint16(4, length)
    view.setUint8(6, TCP)
    view.setUint8(7, HOPS)
    bytes.set(from, 8)
    bytes.set(to, 24)
  }
  view.setUint16(head, peerPort)
  view.setUint16(head + 2, endPort)
  view.setUint32(head + 4, sequence)
  view.setUint32(head + 8, acknowledges)
  view.setUint8(head + 12, (TCP_HEAD / 4) << 4)
  view.setUint8(head + 13, flags)
  view.setUint16(head + 14, 0xffff)
  view.setUint16(
    head + 16,
    checksum([from, to, Uint8Array.of(0, TCP, length >> 8, length & 0xff), bytes.subarray(head)]),
  )
  return bytes
}

/** The Internet checksum (RFC 1071) of parts, all of which but the last have an even length. */
function checksum(parts: readonly Uint8Array[]): number {
  let sum = 0
  for (const part of parts) for (let i = 0; i < part.length; i += 2) sum += ((part[i] ?? 0) << 8) + (part[i + 1] ?? 0)
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  return ~sum & 0xffff
}

/** @param bytes from the IP header on. @returns undefined if it is no whole TCP header, or not the first fragment. */
export function hear(bytes: Uint8Array): Heard | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (bytes.length < 1) return undefined
  const version = view.getUint8(0) >> 4
  if (version === 4 && bytes.length >= 20) {
    const head = (view.getUint8(0) & 0x0f) * 4
    if (view.getUint8(9) !== TCP || (view.getUint16(6) & 0x1fff) !== 0) return undefined
    return hearTcp(view, head, addressFromBytes(bytes.subarray(12, 16)), addressFromBytes(bytes.subarray(16, 20)))
  }
  if (version === 6 && bytes.length >= 40) {
    if (view.getUint8(6) !== TCP) return undefined
    return hearTcp(view, 40, addressFromBytes(bytes.subarray(8, 24)), addressFromBytes(bytes.subarray(24, 40)))
  }
  return undefined
}

function hearTcp(view: DataView, head: number, end: IpAddress, peer: IpAddress): Heard | undefined {
  if (view.byteLength < head + TCP_HEAD) return undefined
  const flags = view.getUint8(head + 13)
  return {
    end,
    endPort: view.getUint16(head),
    peer,
    peerPort: view.getUint16(head + 2),
    expects: (flags & FLAG_ACK) === 0 ? undefined : view.getUint32(head + 8),
    isReset: (flags & FLAG_RST) !== 0,
  }
}

/** The same for each segment of an end, and different for any other. */
export function legKey({ end, endPort, peer, peerPort }: Leg): string {
  return `${end} ${endPort} ${peer} ${peerPort}`
}
