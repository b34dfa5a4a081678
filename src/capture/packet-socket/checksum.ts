/**
 * The Internet checksum (RFC 1071), of IPv4 headers, of ICMP, and of UDP, TCP and ICMPv6 with their pseudo-header
 * (RFC 768; RFC 9293 § 3.1; RFC 8200 § 8.1).
 */
import { foldSum, internetSum } from '../../bytes/internet-checksum.ts'
import { ICMP, UDP } from './ip-header.ts'

/** Two addresses in a frame. */
interface Addresses {
  /** Where the two addresses begin, which follow each other in both kinds of IP header. */
  readonly addressesAt: number
  readonly addressLength: 4 | 16
}

/** Whether an IPv4 header carries the right checksum. */
export function isIpv4HeaderGood(frame: Uint8Array, headerLength: number): boolean {
  return foldSum(internetSum(frame, 0, headerLength)) === 0xffff
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
    protocol === ICMP ? 0 : internetSum(frame, addressesAt, addressesAt + 2 * addressLength) + protocol + length
  return foldSum(pseudoHeader + internetSum(frame, start, start + length)) === 0xffff
}
