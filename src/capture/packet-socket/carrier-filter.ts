/**
 * The kernel's filter for a PCAP_FILTER that asks for more than UDP ports: whole packets of UDP, TCP, ICMP and ICMPv6
 * with a payload of believable length, if the filter passes them. `spa-filter.ts` is the shorter program for UDP.
 *
 * A TCP segment passes if it begins like a bare SPA packet or like a request (`GET `). So the traffic of a web server
 * stays in the kernel, but for its short requests. Each segment is judged by itself, since a filter knows no
 * connections.
 */

import type { Carrier, PacketFilter } from '../../config/server/pcap-filter.ts'
import { addressBytes, familyOf } from '../../packet/address.ts'
import { MIN_WIRE_LENGTH } from '../../packet/wire-limits.ts'
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
  LD_W_IND,
  LDX_IMM,
  LDX_MEM,
  LDX_MSH,
  RET_K,
  RSH_K,
  ST,
  SUB_X,
  TXA,
} from '../../system/bpf.ts'
import { type CaptureBounds, payloadBounds } from '../bounds.ts'
import {
  CARRIERS_OF,
  FRAGMENT_BITS,
  ICMP,
  type ICMP_HEADER,
  ICMP6,
  IPV4_FRAGMENT_AT,
  IPV4_PROTOCOL_AT,
  IPV6_HEADER,
  IPV6_NEXT_HEADER_AT,
  TCP,
  TCP_OFFSET_AT,
  UDP,
  UDP_HEADER,
  UDP_LENGTH_AT,
} from './ip-header.ts'
import { Listing } from './listing.ts'
import { addExtensionHeaders, addPacketType, addSpaTest, addVersion, HTTP_STARTS, WHOLE_PACKET } from './spa-filter.ts'

const NUMBERS: Readonly<Record<Carrier, number>> = { udp: UDP, tcp: TCP, icmp: ICMP, icmp6: ICMP6 }

// Cells of the machine's memory; the walk over IPv6 headers uses cell 0.
const PROTOCOL = 1
/** Where the header of UDP, TCP or ICMP begins. */
const AT = 2
/** Where the IP packet ends, or the UDP datagram. */
const END = 3
const PAYLOAD_AT = 4
const LENGTH = 5

/** `GET ` in capital letters, and the mask that makes capital letters of small ones. */
const GET = 0x47455420
const CAPITALS = 0xdfdfdfff

/**
 * @returns the program, which accepts with the whole packet.
 * @throws RangeError if the filter is longer than the kernel takes.
 */
export function carrierFilter(filter: PacketFilter, bounds: Omit<CaptureBounds, 'ports' | 'filter'>): Instruction[] {
  const { minimum: shortest, maximum } = payloadBounds(bounds)
  const minimum = bounds.onlySpa === true ? Math.max(shortest, MIN_WIRE_LENGTH) : shortest
  const listing = new Listing()

  // The kernel's checker takes what follows a return in the text for what follows it in time. So END must be set before
  // the first jump to `drop`.
  listing.add(ST, END)
  addPacketType(listing, bounds)
  addVersion(listing)
  listing.add(LD_H_ABS, IPV4_FRAGMENT_AT)
  listing.branch(JSET_K, FRAGMENT_BITS, 'drop', undefined)
  listing.add(LD_H_ABS, 2)
  listing.add(ST, END)
  listing.add(LDX_MSH, 0)
  listing.add(LD_B_ABS, IPV4_PROTOCOL_AT)
  for (const protocol of CARRIERS_OF[4]) listing.branch(JEQ_K, protocol, 'found', undefined)
  listing.branch(JA, 0, 'drop', undefined)

  listing.label('ipv6')
  listing.add(LD_H_ABS, 4)
  listing.add(ADD_K, IPV6_HEADER)
  listing.add(ST, END)
  listing.add(LDX_IMM, IPV6_HEADER)
  listing.add(LD_B_ABS, IPV6_NEXT_HEADER_AT)
  addExtensionHeaders(listing, CARRIERS_OF[6], 'found')

  listing.label('drop')
  listing.add(RET_K, 0)

  listing.label('found')
  listing.add(ST, PROTOCOL)
  listing.branch(JEQ_K, TCP, 'tcp', undefined)
  listing.branch(JEQ_K, UDP, undefined, 'icmp')
  listing.add(LD_H_IND, UDP_LENGTH_AT)
  listing.add(ADD_X, 0)
  listing.add(ST, END)
  listing.label('icmp')
  listing.add(TXA, 0)
  listing.add(ST, AT)
  listing.add(ADD_K, UDP_HEADER satisfies typeof ICMP_HEADER)
  listing.branch(JA, 0, 'length', undefined)
  listing.label('tcp')
  listing.add(TXA, 0)
  listing.add(ST, AT)
  listing.add(LD_B_IND, TCP_OFFSET_AT)
  listing.add(AND_K, 0xf0)
  listing.add(RSH_K, 2)
  listing.add(ADD_X, 0)
  listing.label('length')
  listing.add(ST, PAYLOAD_AT)
  listing.add(LDX_MEM, PAYLOAD_AT)
  listing.add(LD_MEM, END)
  listing.add(SUB_X, 0) // an end before the start becomes a number beyond the maximum
  listing.add(ST, LENGTH)
  listing.skip(JGE_K, minimum, 1, 0)
  listing.add(RET_K, 0)
  listing.skip(JGT_K, maximum, 0, 1)
  listing.add(RET_K, 0)
  if (bounds.onlySpa === true) {
    listing.add(LD_MEM, PROTOCOL)
    listing.branch(JEQ_K, TCP, undefined, 'datagram')
    listing.add(LD_W_IND, 0)
    listing.add(AND_K, CAPITALS)
    listing.branch(JEQ_K, GET, 'asked', 'bare')
    listing.label('datagram')
    listing.add(LD_B_IND, 0)
    for (const code of HTTP_STARTS) listing.branch(JEQ_K, code, 'asked', undefined)
    listing.label('bare')
    listing.add(LD_MEM, LENGTH)
    addSpaTest(listing, 0, 0, 'asked')
  }
  listing.label('asked')
  new Conditions(listing).add(filter, 'pass', 'refuse')
  listing.label('pass')
  listing.add(RET_K, WHOLE_PACKET)
  listing.label('refuse')
  listing.add(RET_K, 0)
  return listing.assemble()
}

/** A filter as jumps. All jumps to labels are JA, which reaches everywhere. */
class Conditions {
  readonly #listing: Listing
  #labels = 0

  constructor(listing: Listing) {
    this.#listing = listing
  }

  /** Goes on at one of two labels. */
  add(filter: PacketFilter, yes: string, no: string): void {
    const listing = this.#listing
    switch (filter.kind) {
      case 'not':
        this.add(filter.of, no, yes)
        return
      case 'and':
      case 'or': {
        const [one, other] = filter.of
        const between = `condition${this.#labels++}`
        if (filter.kind === 'and') this.add(one, between, no)
        else this.add(one, yes, between)
        listing.label(between)
        this.add(other, yes, no)
        return
      }
      case 'carrier':
        listing.add(LD_MEM, PROTOCOL)
        this.#decide(NUMBERS[filter.carrier], yes, no)
        return
      case 'family':
        this.#addFamily()
        this.#decide(filter.family, yes, no)
        return
      case 'port':
        listing.add(LD_MEM, PROTOCOL)
        listing.skip(JEQ_K, TCP, 2, 0)
        listing.skip(JEQ_K, UDP, 1, 0)
        this.#goTo(no)
        listing.add(LDX_MEM, AT)
        listing.add(LD_H_IND, filter.side === 'source' ? 0 : 2)
        listing.skip(JGE_K, filter.ports.first, 1, 0)
        this.#goTo(no)
        listing.skip(JGT_K, filter.ports.last, 0, 1)
        this.#goTo(no)
        this.#goTo(yes)
        return
      case 'network':
        this.#addNetwork(filter, yes, no)
        return
      default:
        filter satisfies never
    }
  }

  #addFamily(): void {
    this.#listing.add(LD_B_ABS, 0)
    this.#listing.add(RSH_K, 4)
  }

  #addNetwork({ side, network }: PacketFilter & { kind: 'network' }, yes: string, no: string): void {
    const listing = this.#listing
    const family = familyOf(network.prefix)
    this.#addFamily()
    listing.skip(JEQ_K, family, 1, 0)
    this.#goTo(no)
    const bytes = addressBytes(network.prefix)
    const words = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const at = (family === 4 ? 12 : 8) + (side === 'source' ? 0 : bytes.length)
    for (let word = 0; 32 * word < network.length; word++) {
      const bits = Math.min(32, network.length - 32 * word)
      listing.add(LD_W_ABS, at + 4 * word)
      listing.add(AND_K, (0xffffffff << (32 - bits)) >>> 0)
      listing.skip(JEQ_K, words.getUint32(4 * word), 1, 0)
      this.#goTo(no)
    }
    this.#goTo(yes)
  }

  #decide(value: number, yes: string, no: string): void {
    this.#listing.skip(JEQ_K, value, 0, 1)
    this.#goTo(yes)
    this.#goTo(no)
  }

  #goTo(label: string): void {
    this.#listing.branch(JA, 0, label, undefined)
  }
}
