/** IPv4 packets made by hand, so that one socket can send for thousands of clients. RFC 791, 768, 9293. */

const IP_HEADER = 20
const UDP_HEADER = 8
const TCP_HEADER = 24 // with one option, the segment size, as every SYN has
const UDP = 17
const TCP = 6

/** A datagram, checksums included. */
export function udpPacket(from: Endpoint, to: Endpoint, payload: Uint8Array): Uint8Array {
  const packet = ipPacket(UDP, from.address, to.address, UDP_HEADER + payload.length)
  const view = viewOf(packet)
  view.setUint16(IP_HEADER, from.port)
  view.setUint16(IP_HEADER + 2, to.port)
  view.setUint16(IP_HEADER + 4, UDP_HEADER + payload.length)
  packet.set(payload, IP_HEADER + UDP_HEADER)
  // 0 would say “no checksum” (RFC 768).
  view.setUint16(IP_HEADER + 6, transportChecksum(packet, UDP) || 0xffff)
  return packet
}

/** A connection attempt. */
export function synPacket(from: Endpoint, to: Endpoint): Uint8Array {
  const packet = ipPacket(TCP, from.address, to.address, TCP_HEADER)
  const view = viewOf(packet)
  view.setUint16(IP_HEADER, from.port)
  view.setUint16(IP_HEADER + 2, to.port)
  view.setUint32(IP_HEADER + 4, 1)
  view.setUint8(IP_HEADER + 12, (TCP_HEADER / 4) << 4)
  view.setUint8(IP_HEADER + 13, SYN)
  view.setUint16(IP_HEADER + 14, 64_240)
  view.setUint32(IP_HEADER + 20, 0x020405b4)
  view.setUint16(IP_HEADER + 16, transportChecksum(packet, TCP))
  return packet
}

/** Gives a packet of {@link synPacket} another source port, in place. */
export function setSourcePort(packet: Uint8Array, port: number): void {
  const view = viewOf(packet)
  view.setUint16(IP_HEADER, port)
  view.setUint16(IP_HEADER + 16, 0)
  view.setUint16(IP_HEADER + 16, transportChecksum(packet, TCP))
}

/**
 * @returns the client for which the connection from `port` was opened (its address, as a number): `undefined` if this
 * is not a SYN-ACK from there.
 */
export function acceptedClient(packet: Uint8Array, port: number): number | undefined {
  const view = viewOf(packet)
  const tcp = (view.getUint8(0) & 0xf) * 4
  if (packet.length < tcp + 20 || view.getUint16(tcp) !== port) return undefined
  return (view.getUint8(tcp + 13) & (SYN | ACK | RST)) === (SYN | ACK) ? view.getUint32(16) : undefined
}

export interface Endpoint {
  /** As a number. */
  readonly address: number
  readonly port: number
}

export function addressNumber(dotted: string): number {
  return dotted.split('.').reduce((number, byte) => number * 256 + Number(byte), 0)
}

const SYN = 0x02
const RST = 0x04
const ACK = 0x10

/** A packet with room for its payload. The kernel fills in its checksum and its identification (raw(7)). */
function ipPacket(protocol: number, from: number, to: number, length: number): Uint8Array {
  const packet = new Uint8Array(IP_HEADER + length)
  const view = viewOf(packet)
  view.setUint8(0, 0x45)
  view.setUint16(2, packet.length)
  view.setUint16(6, 0x4000) // don't fragment
  view.setUint8(8, 64)
  view.setUint8(9, protocol)
  view.setUint32(12, from)
  view.setUint32(16, to)
  return packet
}

function transportChecksum(packet: Uint8Array, protocol: number): number {
  const view = viewOf(packet)
  let sum = protocol + (packet.length - IP_HEADER)
  // From the addresses on: they are the pseudo-header.
  for (let at = 12; at + 1 < packet.length; at += 2) sum += view.getUint16(at)
  if (packet.length % 2 === 1) sum += view.getUint8(packet.length - 1) << 8
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  return ~sum & 0xffff
}

function viewOf(packet: Uint8Array): DataView {
  return new DataView(packet.buffer, packet.byteOffset, packet.byteLength)
}
