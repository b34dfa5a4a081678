/**
 * Where things stand in IPv4 (RFC 791), IPv6 (RFC 8200), UDP (RFC 768), TCP (RFC 9293) and ICMP (RFC 792, RFC 4443):
 * for the kernel's filter and for the reader of frames alike.
 */
import { PROTOCOL_NUMBERS } from '../../packet/protocol-port.ts'

/** Bytes of an IPv4 header without options. */
export const IPV4_HEADER = 20
export const IPV4_FRAGMENT_AT = 6
/** More-fragments flag and fragment offset, in the 16 bits at {@link IPV4_FRAGMENT_AT}. */
export const FRAGMENT_BITS = 0x3fff
export const IPV4_PROTOCOL_AT = 9

/** Bytes of an IPv6 header without extensions. */
export const IPV6_HEADER = 40
export const IPV6_NEXT_HEADER_AT = 6
/** How many IPv6 extension headers may stand before the last header. Real traffic has one at most. */
export const EXTENSION_HEADERS = 3
/** Next-header numbers that are walked over: hop-by-hop options, routing, destination options (RFC 8200 § 4). */
export const WALKED_HEADERS: readonly number[] = [0, 43, 60]

/** The protocol number. */
export const UDP = PROTOCOL_NUMBERS.udp
/** Bytes. */
export const UDP_HEADER = 8
/** In the UDP header. */
export const UDP_LENGTH_AT = 4

/** The protocol number. */
export const TCP = PROTOCOL_NUMBERS.tcp
/** Bytes, without options. */
export const TCP_HEADER = 20
/** In the TCP header, upper four bits: the length of the header in units of 4 bytes. */
export const TCP_OFFSET_AT = 12
export const TCP_CHECKSUM_AT = 16

/** Protocol numbers. */
export const ICMP = 1
export const ICMP6 = 58
/** Bytes before the data of an ICMP message, of each type. */
export const ICMP_HEADER = 8

/** Of each family, all that may carry a knock. */
export const CARRIERS_OF: Readonly<Record<4 | 6, readonly number[]>> = { 4: [UDP, TCP, ICMP], 6: [UDP, TCP, ICMP6] }
