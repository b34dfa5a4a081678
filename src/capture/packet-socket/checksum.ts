/**
 * The Internet checksum (RFC 1071), of IPv4 headers, of ICMP, and of UDP, TCP and ICMPv6 with their pseudo-header
 * (RFC 768; RFC 9293 § 3.1; RFC 8200 § 8.1).
 */
import { ICMP, UDP } from './ip-header.ts'

/** Two addresses in a frame. */
interface Addresses {
  /** Where the two addresses begin, which follow each other in both kinds of IP header. */
  readonly addressesAt: number
  readonly addressLength: 4 | 16
}

/** Whether an IPv4 header carries the right checksum. */
export function isIpv4HeaderGood(frame: Uint8Array, headerLength: number): boolean {
  return fold(sum(frame, 0, headerLength)) === 0xffff
}

/**
 * Whether a datagram carries the right checksum. None at all (0) is right over IPv4 and wrong over IPv6.
 * @param start where the UDP header begins. @param length of the datagram, in bytes, as the UDP header says.
 */
export function isUdpChecksumGood(frame: Uint8Array, place: Addresses, start: number, length: number): boolean {
  if (frame[start + 6] === 0 && frame[start + 7] === 0) return place.addressLength === 4
  return isChecksumGood(frame, place, UDP, start, length)
}

/** The same for other protocols, by number. @param length of all from `start` on. */
export function isChecksumGood(
  frame: Uint8Array,
  { addressesAt, addressLength }: Addresses,
  protocol: number,
  start: number,
  length: number,
): boolean {
  // ICMP for IPv4 has no pseudo-header.
  const pseudoHeader =
    protocol === ICMP ? 0 : sum(frame, addressesAt, addressesAt + 2 * addressLength) + protocol + length
  return fold(pseudoHeader + sum(frame, start, start + length)) === 0xffff
}

/** Of 16-bit words in network order; an odd last byte counts as if a 0 followed. Below 2³¹ for any IP packet. */
function sum(bytes: Uint8Array, start: number, end: number): number {
  let [high, low] = [0, 0]
  const even = end - ((end - start) & 1)
  for (let at = start; at < even; at += 2) {
    high += bytes[at] as number
    low += bytes[at + 1] as number
  }
  if (even < end) high += bytes[even] as number
  return high * 256 + low
}

function fold(total: number): number {
  let folded = total
  while (folded > 0xffff) folded = (folded & 0xffff) + (folded >>> 16)
  return folded
}
