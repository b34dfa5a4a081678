/**
 * PCAP_FILTER: the part of libpcap's filter language (pcap-filter(7)) that says which packets may be knocks. Protocols,
 * ports, hosts and networks, joined by `and`, `or`, `not` and parentheses. All else is refused by its word.
 *
 * Two rules of libpcap surprise people, and hold here too. `and` and `or` bind equally, from left to right. A number or
 * an address without a word before it has the words of the one before: `udp port 53 or 62201`.
 *
 * One rule differs: `port` and `portrange` without `src` or `dst` mean the destination. A knock goes to a port.
 */
import { type AddressFamily, familyOf, type Network, parseNetwork } from '../../packet/address.ts'
import { ok, type Result } from '../../result.ts'
import type { Port, PortRange } from '../../units.ts'
import { nearest } from '../reading/nearest.ts'
import { invalidValue, portRangeValue, type ValueFailure } from '../reading/setting-values.ts'

/** What carries a knock in an IP packet. */
export type Carrier = 'udp' | 'tcp' | 'icmp' | 'icmp6'

/** A condition on a packet: plain data. */
export type PacketFilter =
  | { readonly kind: 'carrier'; readonly carrier: Carrier }
  | { readonly kind: 'family'; readonly family: AddressFamily }
  /** Of UDP and TCP only. Both ends of the range are included. */
  | { readonly kind: 'port'; readonly side: 'source' | 'destination'; readonly ports: PortRange }
  | { readonly kind: 'network'; readonly side: 'source' | 'destination'; readonly network: Network }
  | { readonly kind: 'not'; readonly of: PacketFilter }
  | { readonly kind: 'and' | 'or'; readonly of: readonly [PacketFilter, PacketFilter] }

/** What a filter is asked about. */
export interface FilteredPacket {
  readonly family: AddressFamily
  readonly carrier: Carrier
  /** 0 where the carrier has none. */
  readonly sourcePort: number
  readonly destinationPort: number
  /** Whether one of the two addresses is in a network. */
  isWithin(side: 'source' | 'destination', network: Network): boolean
}

/** Parentheses and `not` within each other. */
const MOST_NESTED = 32
/** Words. The kernel takes programs of 4096 instructions; this many make less. */
const MOST_WORDS = 256

const CARRIERS: ReadonlySet<string> = new Set<Carrier>(['udp', 'tcp', 'icmp', 'icmp6'])
const KNOWN_WORDS = [
  ...CARRIERS,
  ...['ip', 'ip6', 'src', 'dst', 'port', 'portrange', 'host', 'net', 'and', 'or', 'not'],
] as const

/** @returns CONFIG_INVALID_VALUE for all that is not understood, with the word where reading stopped. */
export function packetFilter(text: string): Result<PacketFilter, ValueFailure> {
  const words = text.match(/&&|\|\||[()!]|[^\s()!&|]+|[&|]/g) ?? []
  if (words.length === 0) return invalidValue('the filter is empty', 'udp port 62201')
  if (words.length > MOST_WORDS) return invalidValue(`the filter is too long: at most ${MOST_WORDS} words`)
  return new FilterReader(words).whole()
}

/** The qualifiers before an address or a number, which the next one may leave out. */
interface Qualifiers {
  readonly carrier?: Carrier
  readonly family?: AddressFamily
  readonly side?: 'source' | 'destination' | 'source or destination' | 'source and destination'
  readonly type: 'port' | 'portrange' | 'host' | 'net'
}

class FilterReader {
  readonly #words: readonly string[]
  #at = 0
  #last: Qualifiers | undefined

  constructor(words: readonly string[]) {
    this.#words = words
  }

  whole(): Result<PacketFilter, ValueFailure> {
    const read = this.#expression(0)
    if (!read.ok) return read
    if (this.#next !== undefined) return this.#refuse(this.#next === ')' ? '“)” without a “(”' : undefined)
    return read
  }

  get #next(): string | undefined {
    return this.#words[this.#at]
  }

  #takes(...words: readonly string[]): boolean {
    if (this.#next === undefined || !words.includes(this.#next)) return false
    this.#at++
    return true
  }

  /** Terms joined by `and` and `or`, from left to right. */
  #expression(depth: number): Result<PacketFilter, ValueFailure> {
    let left = this.#term(depth)
    while (left.ok) {
      const kind = this.#takes('or', '||') ? 'or' : this.#takes('and', '&&') ? 'and' : undefined
      if (kind === undefined) return left
      const right = this.#term(depth)
      if (!right.ok) return right
      left = ok({ kind, of: [left.value, right.value] })
    }
    return left
  }

  #term(depth: number): Result<PacketFilter, ValueFailure> {
    if (depth > MOST_NESTED) return invalidValue(`the filter has more than ${MOST_NESTED} levels of parentheses`)
    if (this.#takes('not', '!')) {
      const negated = this.#term(depth + 1)
      return negated.ok ? ok({ kind: 'not', of: negated.value }) : negated
    }
    if (!this.#takes('(')) return this.#primitive()
    const inner = this.#expression(depth + 1)
    if (!inner.ok) return inner
    return this.#takes(')') ? inner : this.#refuse('a “)” is missing')
  }

  #primitive(): Result<PacketFilter, ValueFailure> {
    const from = this.#at
    const carrier = this.#carrier()
    const family = carrier === undefined ? this.#family() : undefined
    const side = this.#side()
    const type = this.#type()
    if (type !== undefined)
      return this.#value({
        ...(carrier !== undefined && { carrier }),
        ...(family !== undefined && { family }),
        ...(side !== undefined && { side }),
        type,
      })
    if (side !== undefined) return this.#refuse('after src or dst: “port”, “portrange”, “host” or “net”')
    if (carrier !== undefined) return ok({ kind: 'carrier', carrier })
    if (family !== undefined) return ok({ kind: 'family', family })
    const isValue = /^[0-9]/.test(this.#next ?? '') || (this.#next ?? '').includes(':')
    if (from === this.#at && this.#last !== undefined && isValue) return this.#value(this.#last)
    return this.#refuse()
  }

  #carrier(): Carrier | undefined {
    const word = this.#next
    if (word === undefined || !CARRIERS.has(word)) return undefined
    this.#at++
    return word as Carrier
  }

  #family(): AddressFamily | undefined {
    return this.#takes('ip') ? 4 : this.#takes('ip6') ? 6 : undefined
  }

  #side(): Qualifiers['side'] {
    const first = this.#takes('src') ? 'source' : this.#takes('dst') ? 'destination' : undefined
    const [joint, other] = [this.#next, this.#words[this.#at + 1]]
    if (first === undefined || other !== (first === 'source' ? 'dst' : 'src')) return first
    if (joint !== 'or' && joint !== 'and') return first
    this.#at += 2
    return `source ${joint} destination`
  }

  #type(): Qualifiers['type'] | undefined {
    const word = this.#next
    if (word !== 'port' && word !== 'portrange' && word !== 'host' && word !== 'net') return undefined
    this.#at++
    return word
  }

  /** The number, range, address or network after its words. */
  #value(words: Qualifiers): Result<PacketFilter, ValueFailure> {
    this.#last = words
    const text = this.#next
    if (text === undefined) return this.#refuse(`a value is missing after “${words.type}”`)
    this.#at++
    return words.type === 'port' || words.type === 'portrange'
      ? portFilter(words, words.type, text)
      : networkFilter(words, words.type, text)
  }

  #refuse(why?: string): Result<never, ValueFailure> {
    const word = this.#next
    if (why !== undefined)
      return invalidValue(`the filter is not understood: ${why}${word === undefined ? '' : `, before “${word}”`}`)
    if (word === undefined) return invalidValue('the filter ends too early')
    const meant = nearest(word, KNOWN_WORDS)
    return invalidValue(
      `the filter is not understood at “${word}”: it may have udp, tcp, icmp, icmp6, ip, ip6, src, dst, port, portrange, host, net, and, or, not`,
      meant,
    )
  }
}

function portFilter(
  { carrier, family, side }: Qualifiers,
  type: string,
  text: string,
): Result<PacketFilter, ValueFailure> {
  if (carrier === 'icmp' || carrier === 'icmp6') return invalidValue(`${carrier} has no ports`, carrier)
  if (type === 'port' && /^[0-9]+-[0-9]+$/.test(text))
    return invalidValue(`“port ${text}” is a range`, `portrange ${text}`)
  if (/^[a-z]/i.test(text)) return invalidValue(`“${text}” is a name: write the number of the port`)
  const ports = portRangeValue(text)
  if (!ports.ok) return ports
  const at = onSides(side ?? 'destination', (side) => ({ kind: 'port', side, ports: ports.value }))
  if (carrier !== undefined) return ok(all({ kind: 'carrier', carrier }, at))
  return ok(family === undefined ? at : all({ kind: 'family', family }, at))
}

function networkFilter(
  { carrier, family, side }: Qualifiers,
  type: string,
  text: string,
): Result<PacketFilter, ValueFailure> {
  if (type === 'host' && text.includes('/')) return invalidValue(`“host ${text}” is a network`, `net ${text}`)
  const network = parseNetwork(text)
  if (!network.ok)
    return invalidValue(
      /[a-z]/i.test(text) && !text.includes(':') ? `“${text}” is a name: write the address` : network.failure.detail,
    )
  if (carrier !== undefined || (family !== undefined && familyOf(network.value.prefix) !== family))
    return invalidValue(
      `“${carrier ?? (family === 4 ? 'ip' : 'ip6')} ${type} ${text}” is not a filter`,
      carrier === undefined ? `${type} ${text}` : `${carrier} and ${type} ${text}`,
    )
  return ok(onSides(side ?? 'source or destination', (side) => ({ kind: 'network', side, network: network.value })))
}

function onSides(
  sides: NonNullable<Qualifiers['side']>,
  make: (side: 'source' | 'destination') => PacketFilter,
): PacketFilter {
  if (sides === 'source' || sides === 'destination') return make(sides)
  const kind = sides === 'source or destination' ? 'or' : 'and'
  return { kind, of: [make('source'), make('destination')] }
}

function all(one: PacketFilter, other: PacketFilter): PacketFilter {
  return { kind: 'and', of: [one, other] }
}

/** The filter without what another way of capture already takes. */
export function without(filter: PacketFilter, taken: PacketFilter): PacketFilter {
  return all(filter, { kind: 'not', of: taken })
}

/** Packets to one port. */
export function toPorts(carrier: 'udp' | 'tcp', ports: PortRange): PacketFilter {
  return all({ kind: 'carrier', carrier }, { kind: 'port', side: 'destination', ports })
}

/** UDP packets to one of these ports. @throws RangeError if there is none. */
export function portsFilter(ports: readonly (Port | PortRange)[]): PacketFilter {
  const [first, ...others] = ports.map((port) =>
    toPorts('udp', typeof port === 'number' ? { first: port, last: port } : port),
  )
  if (first === undefined) throw new RangeError('no port to capture')
  return others.reduce<PacketFilter>((all, one) => ({ kind: 'or', of: [all, one] }), first)
}

/** @returns the UDP ports of a filter that says nothing else; undefined for any other. */
export function udpPortsOf(filter: PacketFilter): readonly PortRange[] | undefined {
  if (filter.kind === 'or') {
    const [some, others] = filter.of.map(udpPortsOf)
    return some === undefined || others === undefined ? undefined : [...some, ...others]
  }
  if (filter.kind !== 'and') return undefined
  const [carrier, at] = filter.of
  const isUdp = carrier.kind === 'carrier' && carrier.carrier === 'udp'
  return isUdp && at.kind === 'port' && at.side === 'destination' ? [at.ports] : undefined
}

/** Whether some packet of this carrier may pass. Of `not`, it says yes. */
export function mayPass(filter: PacketFilter, carrier: Carrier): boolean {
  switch (filter.kind) {
    case 'carrier':
      return filter.carrier === carrier
    case 'port':
      return carrier === 'udp' || carrier === 'tcp'
    case 'family':
      return carrier === 'icmp' ? filter.family === 4 : carrier === 'icmp6' ? filter.family === 6 : true
    case 'and':
      return filter.of.every((part) => mayPass(part, carrier))
    case 'or':
      return filter.of.some((part) => mayPass(part, carrier))
    case 'network':
    case 'not':
      return true
    default:
      return filter satisfies never
  }
}

/** Whether a packet passes. */
export function passes(filter: PacketFilter, packet: FilteredPacket): boolean {
  switch (filter.kind) {
    case 'carrier':
      return packet.carrier === filter.carrier
    case 'family':
      return packet.family === filter.family
    case 'port': {
      if (packet.carrier !== 'udp' && packet.carrier !== 'tcp') return false
      const port = filter.side === 'source' ? packet.sourcePort : packet.destinationPort
      return port >= filter.ports.first && port <= filter.ports.last
    }
    case 'network':
      return packet.isWithin(filter.side, filter.network)
    case 'not':
      return !passes(filter.of, packet)
    case 'and':
      return filter.of.every((part) => passes(part, packet))
    case 'or':
      return filter.of.some((part) => passes(part, packet))
    default:
      return filter satisfies never
  }
}

/** In a form that {@link packetFilter} reads: what status and the log show. */
export function formatFilter(filter: PacketFilter): string {
  switch (filter.kind) {
    case 'carrier':
      return filter.carrier
    case 'family':
      return filter.family === 4 ? 'ip' : 'ip6'
    case 'port': {
      const { first, last } = filter.ports
      const side = filter.side === 'source' ? 'src ' : ''
      return first === last ? `${side}port ${first}` : `${side}portrange ${first}-${last}`
    }
    case 'network': {
      const { prefix, length } = filter.network
      const isHost = length === (familyOf(prefix) === 4 ? 32 : 128)
      const side = filter.side === 'source' ? 'src' : 'dst'
      return isHost ? `${side} host ${prefix}` : `${side} net ${prefix}/${length}`
    }
    case 'not':
      return `not ${nested(filter.of)}`
    case 'and': {
      const [one, other] = filter.of
      if (one.kind === 'carrier' && other.kind === 'port') return `${one.carrier} ${formatFilter(other)}`
      return `${nested(one)} and ${nested(other)}`
    }
    case 'or':
      return filter.of.map((part) => (part.kind === 'or' ? formatFilter(part) : nested(part))).join(' or ')
    default:
      return filter satisfies never
  }
}

function nested(filter: PacketFilter): string {
  const text = formatFilter(filter)
  return / (and|or) /.test(text) ? `(${text})` : text
}
