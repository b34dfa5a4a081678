/**
 * A frame without its link-layer header, as a SOCK_DGRAM packet socket gives it: IPv4 (RFC 791) or IPv6 (RFC 8200),
 * then UDP (RFC 768), TCP (RFC 9293) or ICMP (RFC 792, RFC 4443). Every length is checked against what was captured.
 *
 * A packet socket sees what comes before the kernel judges it. So what the kernel would drop for its own sake is
 * doubted here: addresses that cannot be a host's, loopback from outside, wrong checksums. What depends on the host's
 * addresses and routes is the warden's to ask (`kernel-routes.ts`).
 */
import { addressFromBytes, type IpAddress, ipv4At, isMapped } from '../../packet/address.ts'
import type { Port } from '../../units.ts'
import type { CapturedPacket, OtherCarrier } from '../capture.ts'
import { type Disbelief, LOOPBACK_INDEX, unbelieved } from '../disbelief.ts'
import { isChecksumGood, isIpv4HeaderGood, isUdpChecksumGood } from './checksum.ts'
import {
  EXTENSION_HEADERS,
  FRAGMENT_BITS,
  ICMP_HEADER,
  ICMP6,
  IPV4_FRAGMENT_AT,
  IPV4_HEADER,
  IPV4_PROTOCOL_AT,
  IPV6_HEADER,
  IPV6_NEXT_HEADER_AT,
  TCP,
  TCP_CHECKSUM_AT,
  TCP_HEADER,
  TCP_OFFSET_AT,
  UDP,
  UDP_HEADER,
  UDP_LENGTH_AT,
  WALKED_HEADERS,
} from './ip-header.ts'

/** What the kernel says of a frame. */
export interface Arrival {
  /** Index of the interface by which it came. */
  readonly interfaceIndex: number
  /**
   * Nobody has checked the checksum of UDP, TCP or ICMP yet. False if the network card has. Also false if the sender
   * left it to a card that was never met (a virtual link): then the kernel does not look at it either.
   */
  readonly isChecksumUnchecked: boolean
}

/** Made once: a flood of such frames costs no memory. */
const doubts = {
  length: unbelieved('its lengths contradict each other'),
  header: unbelieved('the checksum of its IP header is wrong'),
  checksum: unbelieved('its UDP checksum is wrong'),
  tcpChecksum: unbelieved('its TCP checksum is wrong'),
  icmpChecksum: unbelieved('its ICMP checksum is wrong'),
  noChecksum: unbelieved('it has no UDP checksum, which IPv6 requires'),
  hops: unbelieved('its time to live is 0'),
  port: unbelieved('port 0 is no port'),
  mapped: unbelieved('it has an IPv4 address in an IPv6 header'),
  notAHost: unbelieved('its source is not the address of a host'),
  notAPlace: unbelieved('its destination is not the address of a host'),
  loopback: unbelieved('it has a loopback address, and did not come in by lo'),
  multicast: { code: 'SPA_NOT_FOR_US', detail: 'it was sent to a multicast group' },
} as const satisfies Record<string, Disbelief>

/**
 * @param frame bytes of a stranger. May be longer than the IP packet (Ethernet pads).
 * @param protocols the numbers of those that are read: UDP alone, or all that the kernel's filter knows.
 * @returns the datagram or segment, its payload a view into `frame`, with a doubt where the kernel would not take it;
 *   undefined for another protocol, a fragment, or what is cut off before the ports: the kernel's filter lets none of
 *   these through.
 */
export function parseFrame(
  frame: Uint8Array,
  arrival: Arrival,
  protocols: Protocols = ONLY_UDP,
): CapturedPacket | undefined {
  const version = (frame[0] ?? 0) >> 4
  if (version === 4) return parseIpv4(frame, arrival, protocols[4])
  if (version === 6) return parseIpv6(frame, arrival, protocols[6])
  return undefined
}

/** Protocol numbers of each family. */
export type Protocols = Readonly<Record<4 | 6, readonly number[]>>
const ONLY_UDP: Protocols = { 4: [UDP], 6: [UDP] }

function parseIpv4(frame: Uint8Array, arrival: Arrival, protocols: readonly number[]): CapturedPacket | undefined {
  const headerLength = 4 * (byte(frame, 0) & 0x0f)
  const isFragment = (uint16(frame, IPV4_FRAGMENT_AT) & FRAGMENT_BITS) !== 0
  const protocol = byte(frame, IPV4_PROTOCOL_AT)
  if (isFragment || !protocols.includes(protocol)) return undefined
  return parseAfterIp(frame, arrival, protocol, {
    addressesAt: 12,
    addressLength: 4,
    start: headerLength,
    end: uint16(frame, 2),
    doubt: doubtIpv4(frame, arrival, headerLength),
  })
}

function doubtIpv4(frame: Uint8Array, { interfaceIndex }: Arrival, headerLength: number): Disbelief | undefined {
  if (headerLength < IPV4_HEADER || headerLength > frame.length) return doubts.length
  const [source, destination] = [byte(frame, 12), byte(frame, 16)]
  // 0.0.0.0/8, multicast, 240.0.0.0/4 with the broadcast address.
  if (source === 0 || source >= 224) return doubts.notAHost
  if (destination === 0) return doubts.notAPlace
  if (destination >= 224 && destination < 240) return doubts.multicast
  if ((source === 127 || destination === 127) && interfaceIndex !== LOOPBACK_INDEX) return doubts.loopback
  if (byte(frame, 8) === 0) return doubts.hops
  return isIpv4HeaderGood(frame, headerLength) ? undefined : doubts.header
}

function parseIpv6(frame: Uint8Array, arrival: Arrival, protocols: readonly number[]): CapturedPacket | undefined {
  const end = IPV6_HEADER + uint16(frame, 4)
  let start = IPV6_HEADER
  let next = byte(frame, IPV6_NEXT_HEADER_AT)
  for (let walked = 0; !protocols.includes(next); walked++) {
    if (!WALKED_HEADERS.includes(next) || walked === EXTENSION_HEADERS || start + 2 > frame.length) return undefined
    next = byte(frame, start)
    start += 8 * (byte(frame, start + 1) + 1)
  }
  const doubt = doubtIpv6(frame, arrival)
  return parseAfterIp(frame, arrival, next, { addressesAt: 8, addressLength: 16, start, end, doubt })
}

function doubtIpv6(frame: Uint8Array, { interfaceIndex }: Arrival): Disbelief | undefined {
  const [source, destination] = [frame.subarray(8, 24), frame.subarray(24, 40)]
  // No such packet may be on a wire (RFC 4291 § 2.5.5.2). It would count as one from an IPv4 address that nothing has
  // checked.
  if (isMapped(source) || isMapped(destination)) return doubts.mapped
  if (source[0] === 0xff || isLowest(source, 0)) return doubts.notAHost
  if (isLowest(destination, 0)) return doubts.notAPlace
  if (destination[0] === 0xff) return doubts.multicast
  if (interfaceIndex !== LOOPBACK_INDEX && (isLowest(source, 1) || isLowest(destination, 1))) return doubts.loopback
  return byte(frame, 7) === 0 ? doubts.hops : undefined
}

/** Whether 16 bytes are `::` (0) or `::1` (1). */
function isLowest(address: Uint8Array, last: 0 | 1): boolean {
  return address[15] === last && address[0] === 0 && address.subarray(0, 15).every((byte) => byte === 0)
}

/** Where the header after the IP header begins. */
interface Place {
  readonly addressesAt: number
  readonly addressLength: 4 | 16
  readonly start: number
  /** Of the IP packet; a UDP datagram may end earlier, never later. */
  readonly end: number
  /** What is wrong with the IP header. */
  readonly doubt: Disbelief | undefined
}

function parseAfterIp(frame: Uint8Array, arrival: Arrival, protocol: number, place: Place): CapturedPacket | undefined {
  if (protocol === UDP) return parseUdp(frame, arrival, place)
  return protocol === TCP ? parseTcp(frame, arrival, place) : parseIcmp(frame, arrival, place, protocol)
}

function parseUdp(frame: Uint8Array, arrival: Arrival, place: Place): CapturedPacket | undefined {
  const { addressesAt, addressLength, start, end } = place
  if (start + UDP_HEADER > frame.length || addressesAt + 2 * addressLength > frame.length) return undefined
  const length = uint16(frame, start + UDP_LENGTH_AT)
  const [sourcePort, destinationPort] = [uint16(frame, start), uint16(frame, start + 2)]
  const isWhole = length >= UDP_HEADER && start + length <= end && end <= frame.length
  const doubt = place.doubt ?? (isWhole ? doubtUdp(frame, arrival, place, length) : doubts.length)
  const destinationAt = addressesAt + addressLength
  const packet: CapturedPacket = {
    via: 'packet-socket',
    payload: isWhole ? frame.subarray(start + UDP_HEADER, start + length) : NOTHING,
    source: addressAt(frame, addressesAt, addressLength),
    sourcePort: sourcePort as Port,
    destination: destinationIn(frame, destinationAt, addressLength),
    destinationPort: destinationPort as Port,
    interfaceIndex: arrival.interfaceIndex,
  }
  return doubt === undefined ? packet : { ...packet, doubt }
}

/** One segment by itself: nothing here knows whether it belongs to a connection. */
function parseTcp(frame: Uint8Array, arrival: Arrival, place: Place): CapturedPacket | undefined {
  const { start, end } = place
  if (start + TCP_HEADER > frame.length) return undefined
  const headerLength = 4 * (byte(frame, start + TCP_OFFSET_AT) >> 4)
  const isWhole = headerLength >= TCP_HEADER && start + headerLength <= end && end <= frame.length
  const ports = [uint16(frame, start), uint16(frame, start + 2)] as const
  // fwknop leaves the checksum of a raw segment at 0.
  const isLeftOut = uint16(frame, start + TCP_CHECKSUM_AT) === 0
  const isGood =
    isLeftOut || !arrival.isChecksumUnchecked || !isWhole || isChecksumGood(frame, place, TCP, start, end - start)
  const doubt = !isWhole ? doubts.length : ports.includes(0) ? doubts.port : isGood ? undefined : doubts.tcpChecksum
  return packetAt(frame, arrival, place, {
    carrier: 'tcp',
    ports,
    payload: isWhole ? frame.subarray(start + headerLength, end) : NOTHING,
    doubt,
  })
}

/** A message of any type: what follows its first 8 bytes. */
function parseIcmp(frame: Uint8Array, arrival: Arrival, place: Place, protocol: number): CapturedPacket | undefined {
  const { start, end } = place
  const isWhole = start + ICMP_HEADER <= end && end <= frame.length
  const isGood = !arrival.isChecksumUnchecked || !isWhole || isChecksumGood(frame, place, protocol, start, end - start)
  return packetAt(frame, arrival, place, {
    carrier: protocol === ICMP6 ? 'icmp6' : 'icmp',
    ports: [0, 0],
    payload: isWhole ? frame.subarray(start + ICMP_HEADER, end) : NOTHING,
    doubt: !isWhole ? doubts.length : isGood ? undefined : doubts.icmpChecksum,
  })
}

interface Carried {
  readonly carrier: OtherCarrier
  readonly ports: readonly [number, number]
  readonly payload: Uint8Array
  readonly doubt: Disbelief | undefined
}

function packetAt(
  frame: Uint8Array,
  { interfaceIndex }: Arrival,
  { addressesAt, addressLength, doubt: ofHeader }: Place,
  { carrier, ports, payload, doubt: ofBody }: Carried,
): CapturedPacket | undefined {
  const destinationAt = addressesAt + addressLength
  if (destinationAt + addressLength > frame.length) return undefined
  const doubt = ofHeader ?? ofBody
  return {
    ...{ via: 'packet-socket', carrier, payload, source: addressAt(frame, addressesAt, addressLength) },
    sourcePort: ports[0] as Port,
    destination: destinationIn(frame, destinationAt, addressLength),
    destinationPort: ports[1] as Port,
    interfaceIndex,
    ...(doubt !== undefined && { doubt }),
  }
}

function addressAt(frame: Uint8Array, at: number, length: 4 | 16): IpAddress {
  return length === 4 ? ipv4At(frame, at) : addressFromBytes(frame.subarray(at, at + length))
}

/** The last IPv4 destination, as a number and as an address: of a flood, most packets go to one. */
let lastDestination: { readonly number: number; readonly address: IpAddress } | undefined

function destinationIn(frame: Uint8Array, at: number, length: 4 | 16): IpAddress {
  if (length !== 4) return addressAt(frame, at, length)
  const number = (uint16(frame, at) << 16) | uint16(frame, at + 2)
  if (lastDestination?.number !== number) lastDestination = { number, address: ipv4At(frame, at) }
  return lastDestination.address
}

const NOTHING = new Uint8Array(0)

/** @param length of the datagram, which is all there. */
function doubtUdp(
  frame: Uint8Array,
  { isChecksumUnchecked }: Arrival,
  place: Place,
  length: number,
): Disbelief | undefined {
  const { start, addressLength } = place
  if (uint16(frame, start) === 0 || uint16(frame, start + 2) === 0) return doubts.port
  if (!isChecksumUnchecked || isUdpChecksumGood(frame, place, start, length)) return undefined
  return addressLength === 16 && uint16(frame, start + 6) === 0 ? doubts.noChecksum : doubts.checksum
}

function byte(frame: Uint8Array, at: number): number {
  return frame[at] ?? 0
}

function uint16(frame: Uint8Array, at: number): number {
  return (byte(frame, at) << 8) | byte(frame, at + 1)
}
