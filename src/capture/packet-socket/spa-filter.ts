/**
 * The kernel's filter for the capture socket, as a classic BPF program: whole UDP datagrams over IPv4 or IPv6,
 * addressed to this machine, to one of the SPA ports, with a payload of believable length. All else costs no copy and
 * no wake-up.
 *
 * Offsets count from the IP header, as a SOCK_DGRAM packet socket sees them; VLAN tags are gone by then. Fragments are
 * left out: an SPA packet fits into one frame, and reassembly is not a job for a filter. IPv6 may carry up to {@link
 * EXTENSION_HEADERS} hop-by-hop, routing or destination-options headers. A load outside the packet drops it, by the
 * definition of BPF. `frame.ts` reads the same shapes; a property test holds the two together.
 */

import { mergeRanges } from '../../access/spa-port.ts'
import { DIGEST_TYPES, encodedDigestLength } from '../../packet/digest-type.ts'
import { MIN_GPG_LENGTH, MIN_WIRE_LENGTH, SALTED_STARTS, WIRE_PREFIX } from '../../packet/wire-limits.ts'
import {
  ADD_K,
  ADD_X,
  AND_K,
  type Instruction,
  JA,
  JEQ_K,
  JGE_K,
  JGT_K,
  JSET_K,
  LD_B_ABS,
  LD_B_IND,
  LD_H_ABS,
  LD_H_IND,
  LD_MEM,
  LD_W_ABS,
  LDX_IMM,
  LDX_MSH,
  LSH_K,
  MUL_K,
  RET_K,
  RSH_K,
  ST,
  TAX,
} from '../../system/bpf.ts'
import { type CaptureBounds, payloadBounds, rangeOf } from '../bounds.ts'
import {
  EXTENSION_HEADERS,
  FRAGMENT_BITS,
  IPV4_FRAGMENT_AT,
  IPV4_PROTOCOL_AT,
  IPV6_HEADER,
  IPV6_NEXT_HEADER_AT,
  UDP,
  UDP_HEADER,
  UDP_LENGTH_AT,
  WALKED_HEADERS,
} from './ip-header.ts'
import { Listing } from './listing.ts'
import { addPortSearch } from './port-search.ts'

/** SKF_AD_OFF + SKF_AD_PKTTYPE: not a byte of the packet but what the kernel knows about it. */
export const PACKET_TYPE = 0xfffff000 + 4
/**
 * PACKET_HOST 0, PACKET_BROADCAST 1, PACKET_MULTICAST 2 are for us; 3 is for another host, 4 our own on its way out.
 */
const LAST_PACKET_TYPE_FOR_US = 2
const PACKET_OTHERHOST = 3
export const PACKET_OUTGOING = 4
/** SKF_AD_OFF + SKF_AD_PROTOCOL. */
export const PACKET_PROTOCOL = 0xfffff000
/** ETH_P_IP, ETH_P_IPV6 */
export const ETHERTYPES = { 4: 0x0800, 6: 0x86dd } as const

export const WHOLE_PACKET = 0x40000

/**
 * @param bounds what PCAP_FILTER says beyond UDP ports is `carrier-filter.ts`'s to compile.
 * @returns the program, which accepts with the whole packet.
 * @throws RangeError if there are so many ports that the program is longer than the kernel takes.
 */
export function spaFilter(bounds: CaptureBounds): Instruction[] {
  const { minimum: shortest, maximum } = payloadBounds(bounds)
  const minimum = bounds.onlySpa === true ? Math.max(shortest, MIN_WIRE_LENGTH) : shortest
  const listing = new Listing()

  addPacketType(listing, bounds)
  addVersion(listing)

  listing.add(LD_B_ABS, IPV4_PROTOCOL_AT)
  listing.branch(JEQ_K, UDP, undefined, 'drop')
  listing.add(LD_H_ABS, IPV4_FRAGMENT_AT)
  listing.branch(JSET_K, FRAGMENT_BITS, 'drop', undefined)
  listing.add(LDX_MSH, 0) // X = 4 × header length
  listing.branch(JA, 0, 'udp', undefined)

  listing.label('ipv6')
  listing.add(LDX_IMM, IPV6_HEADER)
  listing.add(LD_B_ABS, IPV6_NEXT_HEADER_AT) // A = next header, X = where it starts
  addExtensionHeaders(listing, [UDP], 'udp')

  listing.label('drop')
  listing.add(RET_K, 0)

  // From here on each test carries its own return: a jump reaches 255 instructions.
  listing.label('udp')
  listing.add(LD_H_IND, UDP_LENGTH_AT)
  listing.skip(JGE_K, minimum + UDP_HEADER, 1, 0)
  listing.add(RET_K, 0)
  listing.skip(JGT_K, maximum + UDP_HEADER, 0, 1)
  listing.add(RET_K, 0)
  if (bounds.onlySpa === true) {
    listing.add(LD_B_IND, UDP_HEADER)
    for (const code of HTTP_STARTS) listing.branch(JEQ_K, code, 'ports', undefined)
    listing.add(LD_H_IND, UDP_LENGTH_AT)
    addSpaTest(listing, UDP_HEADER, UDP_HEADER, 'ports')
    listing.label('ports')
  }
  listing.add(LD_H_IND, 2)
  addPortSearch(listing, mergeRanges(bounds.ports.map(rangeOf)), WHOLE_PACKET)
  return listing.assemble()
}

/** Drops what is not for this host; or, of a socket for what it sends, all else. */
export function addPacketType(
  listing: Listing,
  { promiscuous, outgoing }: Pick<CaptureBounds, 'promiscuous' | 'outgoing'>,
): void {
  listing.add(LD_W_ABS, PACKET_TYPE)
  if (outgoing === true) {
    listing.branch(JEQ_K, PACKET_OUTGOING, undefined, 'drop')
    // Such a socket gets frames of all protocols.
    listing.add(LD_W_ABS, PACKET_PROTOCOL)
    listing.skip(JEQ_K, ETHERTYPES[4], 1, 0)
    listing.branch(JEQ_K, ETHERTYPES[6], undefined, 'drop')
  } else {
    const last = promiscuous === undefined ? LAST_PACKET_TYPE_FOR_US : PACKET_OTHERHOST
    listing.branch(JGT_K, last, 'drop', undefined)
  }
}

/** Goes on for IPv4, and at `ipv6` for IPv6. */
export function addVersion(listing: Listing): void {
  listing.add(LD_B_ABS, 0)
  listing.add(RSH_K, 4)
  listing.branch(JEQ_K, 6, 'ipv6', undefined)
  listing.branch(JEQ_K, 4, undefined, 'drop')
}

/**
 * Walks over IPv6 extension headers: from A, the first next-header number, and X, where that header starts.
 * @param protocols with one of them in A, and X where its header starts, it goes on at `found`; else at the next
 *   instruction.
 */
export function addExtensionHeaders(listing: Listing, protocols: readonly number[], found: string): void {
  for (let i = 0; i < EXTENSION_HEADERS; i++) {
    for (const protocol of protocols) listing.branch(JEQ_K, protocol, found, undefined)
    for (const header of WALKED_HEADERS) listing.branch(JEQ_K, header, `walk${i}`, undefined)
    listing.branch(JA, 0, 'drop', undefined)
    listing.label(`walk${i}`)
    listing.add(LD_B_IND, 0)
    listing.add(ST, 0)
    listing.add(LD_B_IND, 1) // length in units of 8 bytes, not counting the first
    listing.add(ADD_K, 1)
    listing.add(LSH_K, 3)
    listing.add(ADD_X, 0)
    listing.add(TAX, 0)
    listing.add(LD_MEM, 0)
  }
  for (const protocol of protocols) listing.branch(JEQ_K, protocol, found, undefined)
}

/**
 * Drops what `packet/envelope.ts` and `packet/decrypt.ts` would refuse in any case (docs/WIRE.md § 1, § 7, § 8). A
 * packet below {@link MIN_GPG_LENGTH} starts with one of `8 9 + /`, and its ciphertext has whole blocks. An HTTP
 * request, which may have any length, is not for this test. Junk from somebody who knows the format passes; other junk
 * wakes nobody.
 * @param more A is the length of the payload and so many bytes more.
 * @param first where the payload begins, from X.
 * @param passed the label where it goes on.
 */
export function addSpaTest(listing: Listing, more: number, first: number, passed: string): void {
  listing.branch(JGE_K, MIN_GPG_LENGTH + more, passed, undefined)
  listing.add(ADD_K, (WIRE_PREFIX.length - more) >>> 0)
  listing.add(MUL_K, 3)
  listing.add(AND_K, 63)
  for (const remainder of REMAINDERS) listing.branch(JEQ_K, remainder, 'start', undefined)
  listing.add(RET_K, 0)
  listing.label('start')
  listing.add(LD_B_IND, first)
  for (const code of SALTED_STARTS) listing.branch(JEQ_K, code, passed, undefined)
  listing.add(RET_K, 0)
}

/** `G` and `g`: the method may be in small letters. */
export const HTTP_STARTS = [0x47, 0x67]

/**
 * Three times a packet's length with its prefix, modulo 64. Base64 of n blocks of 16 bytes has 64n / 3 characters,
 * rounded up: three times that is 0, 1 or 2. Then follows the base64 of an HMAC, or `=` up to a multiple of four
 * characters.
 */
const REMAINDERS = [
  ...new Set([
    ...[0, ...DIGEST_TYPES.map(encodedDigestLength)].flatMap((tag) => [0, 1, 2].map((rest) => (rest + 3 * tag) % 64)),
    ...[4, 8],
  ]),
]
