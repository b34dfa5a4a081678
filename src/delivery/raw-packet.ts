/**
 * Whole IP packets that carry one SPA packet: IPv4 (RFC 791) or IPv6 (RFC 8200) around UDP (RFC 768), a TCP SYN
 * (RFC 9293) or ICMP (RFC 792, RFC 4443). All checksums are right; those of fwknop's client are not.
 */
import { concatBytes } from '../bytes/bytes.ts'
import { foldSum, internetSum } from '../bytes/internet-checksum.ts'
import { encodeText } from '../bytes/text.ts'
import { addressBytes, familyOf, type IpAddress } from '../packet/address.ts'
import { PROTOCOL_NUMBERS } from '../packet/protocol-port.ts'
import type { Port } from '../units.ts'

export type RawTransport = 'udpraw' | 'tcpraw' | 'icmp'

/** What a packet says besides its text. */
export interface RawHeader {
  readonly transport: RawTransport
  /** Both of one family. */
  readonly source: IpAddress
  readonly destination: IpAddress
  /** Without effect for ICMP. */
  readonly sourcePort: Port
  readonly destinationPort: Port
  /** 0 to 255. Absent: that of an echo reply. */
  readonly icmpType?: number
  /** 0 to 255. */
  readonly icmpCode?: number
  /** 32 random bits, for the fields that differ from packet to packet. */
  readonly random: number
}

const TIME_TO_LIVE = 64
const ICMP = 1
const ICMPV6 = 58
/** Echo replies and requests have an identifier and a sequence number. */
const ECHO = { 4: { reply: 0, request: 8 }, 6: { reply: 129, request: 128 } } as const
const SYN = 0x02

/** @param text ASCII. @returns the packet from its IP header on. */
export function rawPacket(header: RawHeader, text: string): Uint8Array {
  const family = familyOf(header.source)
  if (family !== familyOf(header.destination)) throw new Error('source and destination are of different families')
  const [protocol, segment] = segmentFor(header, family, encodeText(text))
  const ip = family === 4 ? ipv4Header(header, protocol, segment.length) : ipv6Header(header, protocol, segment.length)
  return concatBytes(ip, segment)
}

function segmentFor(header: RawHeader, family: 4 | 6, payload: Uint8Array): [protocol: number, segment: Uint8Array] {
  switch (header.transport) {
    case 'udpraw':
      return [PROTOCOL_NUMBERS.udp, udpSegment(header, payload)]
    case 'tcpraw':
      return [PROTOCOL_NUMBERS.tcp, tcpSegment(header, payload)]
    case 'icmp':
      return [family === 4 ? ICMP : ICMPV6, icmpMessage(header, family, payload)]
    default:
      return header.transport satisfies never
  }
}

function udpSegment(header: RawHeader, payload: Uint8Array): Uint8Array {
  const [segment, view] = withHeader(8, payload)
  view.setUint16(0, header.sourcePort)
  view.setUint16(2, header.destinationPort)
  view.setUint16(4, segment.length)
  // 0 means that there is no checksum.
  view.setUint16(6, checksumWithAddresses(header, PROTOCOL_NUMBERS.udp, segment) || 0xffff)
  return segment
}

/** The first segment of a connection, with data in it. No connection comes of it. */
function tcpSegment(header: RawHeader, payload: Uint8Array): Uint8Array {
  const [segment, view] = withHeader(20, payload)
  view.setUint16(0, header.sourcePort)
  view.setUint16(2, header.destinationPort)
  view.setUint32(4, header.random)
  view.setUint8(12, 5 << 4)
  view.setUint8(13, SYN)
  view.setUint16(14, 64_240)
  view.setUint16(16, checksumWithAddresses(header, PROTOCOL_NUMBERS.tcp, segment))
  return segment
}

function icmpMessage(header: RawHeader, family: 4 | 6, payload: Uint8Array): Uint8Array {
  const { icmpType: type = ECHO[family].reply, icmpCode = 0, random } = header
  const [message, view] = withHeader(8, payload)
  view.setUint8(0, type)
  view.setUint8(1, icmpCode)
  if (type === ECHO[family].reply || type === ECHO[family].request) {
    view.setUint16(4, random & 0xffff)
    view.setUint16(6, 1)
  }
  // Only ICMP for IPv6 counts the addresses too (RFC 4443 § 2.3).
  const sum = family === 4 ? ~foldSum(internetSum(message)) : checksumWithAddresses(header, ICMPV6, message)
  view.setUint16(2, sum & 0xffff)
  return message
}

function ipv4Header({ source, destination, random }: RawHeader, protocol: number, length: number): Uint8Array {
  const header = new Uint8Array(20)
  const view = new DataView(header.buffer)
  view.setUint8(0, 0x45)
  view.setUint16(2, header.length + length)
  // Not 0: then the kernel would choose.
  view.setUint16(4, random & 0xffff || 1)
  view.setUint8(8, TIME_TO_LIVE)
  view.setUint8(9, protocol)
  header.set(addressBytes(source), 12)
  header.set(addressBytes(destination), 16)
  view.setUint16(10, ~foldSum(internetSum(header)) & 0xffff)
  return header
}

function ipv6Header({ source, destination }: RawHeader, nextHeader: number, length: number): Uint8Array {
  const header = new Uint8Array(40)
  const view = new DataView(header.buffer)
  view.setUint8(0, 0x60)
  view.setUint16(4, length)
  view.setUint8(6, nextHeader)
  view.setUint8(7, TIME_TO_LIVE)
  header.set(addressBytes(source), 8)
  header.set(addressBytes(destination), 24)
  return header
}

function withHeader(length: number, payload: Uint8Array): [segment: Uint8Array, view: DataView] {
  const segment = new Uint8Array(length + payload.length)
  segment.set(payload, length)
  return [segment, new DataView(segment.buffer)]
}

/** With the pseudo-header of the addresses (RFC 9293 § 3.1, RFC 8200 § 8.1). Its own field has to be 0. */
function checksumWithAddresses({ source, destination }: RawHeader, protocol: number, segment: Uint8Array): number {
  const addresses = internetSum(addressBytes(source)) + internetSum(addressBytes(destination))
  return ~foldSum(addresses + protocol + segment.length + internetSum(segment)) & 0xffff
}
