/**
 * A frame without its link-layer header, as a SOCK_DGRAM packet socket gives it: IPv4 (RFC 791) or IPv6 (RFC 8200), then
 * UDP (RFC 768). Every length is checked against what was captured. Checksums are not: the network card has judged
 * them, on a virtual link they are not even filled in yet, and the HMAC covers what matters.
 */
import { addressFromBytes, isMapped } from '../packet/address.ts'
import type { Port } from '../units.ts'
import { EXTENSION_HEADERS } from './bpf.ts'
import type { CapturedPacket } from './capture.ts'

const UDP = 17
const UDP_HEADER = 8
const IPV4_HEADER = 20
const IPV6_HEADER = 40

/**
 * @param frame whatever a stranger sent. May be longer than the IP packet (Ethernet pads).
 * @returns the datagram, its payload a view into `frame`; undefined if this is not one whole UDP datagram between two
 *   real ports (port 0 is no port).
 */
export function parseFrame(frame: Uint8Array): CapturedPacket | undefined {
  const version = (frame[0] ?? 0) >> 4
  if (version === 4) return parseIpv4(frame)
  if (version === 6) return parseIpv6(frame)
  return undefined
}

function parseIpv4(frame: Uint8Array): CapturedPacket | undefined {
  const headerLength = 4 * (byte(frame, 0) & 0x0f)
  const totalLength = uint16(frame, 2)
  if (headerLength < IPV4_HEADER || totalLength > frame.length) return undefined
  const isFragment = (uint16(frame, 6) & 0x3fff) !== 0
  if (isFragment || byte(frame, 9) !== UDP) return undefined
  return parseUdp(frame, headerLength, totalLength, frame.subarray(12, 16), frame.subarray(16, 20))
}

function parseIpv6(frame: Uint8Array): CapturedPacket | undefined {
  const end = IPV6_HEADER + uint16(frame, 4)
  if (end > frame.length) return undefined
  let start = IPV6_HEADER
  let next = byte(frame, 6)
  for (let walked = 0; next !== UDP; walked++) {
    const isWalked = next === 0 || next === 43 || next === 60
    if (!isWalked || walked === EXTENSION_HEADERS || start + 2 > end) return undefined
    next = byte(frame, start)
    start += 8 * (byte(frame, start + 1) + 1)
  }
  const [source, destination] = [frame.subarray(8, 24), frame.subarray(24, 40)]
  // No such packet may be on a wire (RFC 4291 § 2.5.5.2), and a packet socket sees it before the kernel drops it: it
  // would count as one from an IPv4 address that nothing has checked.
  if (isMapped(source) || isMapped(destination)) return undefined
  return parseUdp(frame, start, end, source, destination)
}

/** @param end of the IP packet; the UDP datagram may end earlier, never later. */
function parseUdp(
  frame: Uint8Array,
  start: number,
  end: number,
  source: Uint8Array,
  destination: Uint8Array,
): CapturedPacket | undefined {
  if (start + UDP_HEADER > end) return undefined
  const sourcePort = uint16(frame, start)
  const destinationPort = uint16(frame, start + 2)
  const length = uint16(frame, start + 4)
  if (sourcePort === 0 || destinationPort === 0 || length < UDP_HEADER || start + length > end) return undefined
  return {
    payload: frame.subarray(start + UDP_HEADER, start + length),
    source: addressFromBytes(source),
    sourcePort: sourcePort as Port,
    destination: addressFromBytes(destination),
    destinationPort: destinationPort as Port,
  }
}

function byte(frame: Uint8Array, at: number): number {
  return frame[at] ?? 0
}

function uint16(frame: Uint8Array, at: number): number {
  return (byte(frame, at) << 8) | byte(frame, at + 1)
}
