/** IP packets with UDP, TCP or ICMP inside, right or wrong in any field, for tests of the filter and of the parser. */
import { addressBytes, familyOf, type IpAddress, parseAddress } from '../../src/packet/address.ts'

export interface UdpFrame {
  readonly source?: string
  readonly destination?: string
  readonly sourcePort?: number
  readonly destinationPort?: number
  readonly payload?: Uint8Array
  /** A false value for the UDP header's length field. */
  readonly udpLength?: number
  /** A false value for IPv4's total length or IPv6's payload length. */
  readonly ipLength?: number
  readonly protocol?: number
  /** Time to live, hop limit. Default 64. */
  readonly hops?: number
  /** The UDP checksum. Right by default for the values of the other fields; 0 means none. */
  readonly checksum?: number
  /** The checksum of an IPv4 header. Right by default. */
  readonly headerChecksum?: number
  /** IPv4's flags and fragment offset. */
  readonly fragment?: number
  /** IPv4 options: a multiple of 4 bytes. */
  readonly options?: Uint8Array
  /** IPv6 extension headers: number and body in bytes (8n − 2). */
  readonly extensions?: readonly { readonly header: number; readonly bodyLength?: number }[]
  /** Bytes after the packet, as Ethernet pads. */
  readonly padding?: number
}

export function udpFrame(frame: UdpFrame): Uint8Array {
  const source = address(frame.source ?? '192.0.2.7')
  const destination = address(frame.destination ?? '198.51.100.1')
  const payload = frame.payload ?? new Uint8Array(200).fill(0x41)
  const udp = new Uint8Array(8 + payload.length)
  const udpFields = new DataView(udp.buffer)
  udpFields.setUint16(0, frame.sourcePort ?? 40000)
  udpFields.setUint16(2, frame.destinationPort ?? 62201)
  udpFields.setUint16(4, frame.udpLength ?? udp.length)
  udp.set(payload, 8)
  const pseudo = new Uint8Array(8)
  const covered = frame.udpLength ?? udp.length
  new DataView(pseudo.buffer).setUint32(0, covered)
  pseudo[7] = 17
  const summed = [addressBytes(source), addressBytes(destination), pseudo, udp.subarray(0, covered)]
  udpFields.setUint16(6, frame.checksum ?? (internetChecksum(concat(summed)) || 0xffff))
  return ipFrame(frame, udp)
}

/** A packet with any protocol inside. */
export function ipFrame(frame: UdpFrame, body: Uint8Array): Uint8Array {
  const source = address(frame.source ?? '192.0.2.7')
  const destination = address(frame.destination ?? '198.51.100.1')
  const header =
    familyOf(source) === 4 ? ipv4(frame, source, destination, body) : ipv6(frame, source, destination, body)
  return concat([header, body, new Uint8Array(frame.padding ?? 0)])
}

/** A TCP segment, right or wrong in any field. */
export interface TcpFrame extends UdpFrame {
  /** TCP options: a multiple of 4 bytes. */
  readonly tcpOptions?: Uint8Array
  /** A false value for the length of the TCP header, in units of 4 bytes. */
  readonly dataOffset?: number
}

export function tcpFrame(frame: TcpFrame): Uint8Array {
  const payload = frame.payload ?? new Uint8Array(200).fill(0x41)
  const options = frame.tcpOptions ?? new Uint8Array(0)
  const tcp = new Uint8Array(20 + options.length + payload.length)
  const fields = new DataView(tcp.buffer)
  fields.setUint16(0, frame.sourcePort ?? 40000)
  fields.setUint16(2, frame.destinationPort ?? 80)
  fields.setUint8(12, (frame.dataOffset ?? 5 + options.length / 4) << 4)
  fields.setUint8(13, 0x18) // PSH, ACK
  tcp.set(options, 20)
  tcp.set(payload, 20 + options.length)
  fields.setUint16(16, frame.checksum ?? bodyChecksum(frame, 6, tcp))
  return ipFrame({ protocol: 6, ...frame }, tcp)
}

/** An ICMP echo request, of the family of the addresses. */
export function icmpFrame(frame: UdpFrame): Uint8Array {
  const isSix = frame.source?.includes(':') ?? false
  const payload = frame.payload ?? new Uint8Array(200).fill(0x41)
  const icmp = new Uint8Array(8 + payload.length)
  icmp[0] = isSix ? 128 : 8
  icmp.set(payload, 8)
  const sum = isSix ? bodyChecksum(frame, 58, icmp) : internetChecksum(icmp)
  new DataView(icmp.buffer).setUint16(2, frame.checksum ?? sum)
  return ipFrame({ protocol: isSix ? 58 : 1, ...frame }, icmp)
}

function bodyChecksum(frame: UdpFrame, protocol: number, body: Uint8Array): number {
  const pseudo = new Uint8Array(8)
  new DataView(pseudo.buffer).setUint32(0, body.length)
  pseudo[7] = protocol
  const source = addressBytes(address(frame.source ?? '192.0.2.7'))
  const destination = addressBytes(address(frame.destination ?? '198.51.100.1'))
  return internetChecksum(concat([source, destination, pseudo, body]))
}

function ipv4(frame: UdpFrame, source: IpAddress, destination: IpAddress, udp: Uint8Array): Uint8Array {
  const options = frame.options ?? new Uint8Array(0)
  const header = new Uint8Array(20 + options.length)
  const fields = new DataView(header.buffer)
  fields.setUint8(0, 0x40 | (header.length / 4))
  fields.setUint16(2, frame.ipLength ?? header.length + udp.length)
  fields.setUint16(6, frame.fragment ?? 0x4000) // don't fragment
  fields.setUint8(8, frame.hops ?? 64)
  fields.setUint8(9, frame.protocol ?? 17)
  header.set(addressBytes(source), 12)
  header.set(addressBytes(destination), 16)
  header.set(options, 20)
  fields.setUint16(10, frame.headerChecksum ?? internetChecksum(header))
  return header
}

function ipv6(frame: UdpFrame, source: IpAddress, destination: IpAddress, udp: Uint8Array): Uint8Array {
  const extensions = frame.extensions ?? []
  const chain = [...extensions.map(({ header }) => header), frame.protocol ?? 17]
  const bodies = extensions.map(({ bodyLength = 6 }, i) => {
    const bytes = new Uint8Array(2 + bodyLength)
    bytes[0] = chain[i + 1] ?? 0
    bytes[1] = bytes.length / 8 - 1
    return bytes
  })
  const walked = concat(bodies)
  const header = new Uint8Array(40)
  const fields = new DataView(header.buffer)
  fields.setUint8(0, 0x60)
  fields.setUint16(4, frame.ipLength ?? walked.length + udp.length)
  fields.setUint8(6, chain[0] ?? 17)
  fields.setUint8(7, frame.hops ?? 64)
  header.set(addressBytes(source), 8)
  header.set(addressBytes(destination), 24)
  return concat([header, walked])
}

/** RFC 1071, word by word. */
function internetChecksum(bytes: Uint8Array): number {
  let sum = 0
  for (const [i, byte] of bytes.entries()) {
    sum += i % 2 === 0 ? byte * 256 : byte
    if (sum > 0xffff) sum -= 0xffff
  }
  return 0xffff - sum
}

function address(text: string): IpAddress {
  const parsed = parseAddress(text)
  if (!parsed.ok) throw new Error(parsed.failure.detail)
  return parsed.value
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts))
}
