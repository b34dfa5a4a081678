/** A grant: what is open, for whom, and for how long. Policy makes it, and the firewall gets nothing else. */
import { familyOf, formatHostPort, type IpAddress, type Network } from '../packet/address.ts'
import type { Protocol, Username } from '../packet/message.ts'
import type { Brand, Milliseconds, Port, PortRange, Seconds } from '../units.ts'
import type { StanzaId } from './stanza.ts'
import type { StanzaName } from './stanza-name.ts'

/**
 * Grants with the same source and the same openings, in any order, have the same id. Only {@link grantId} makes one.
 */
export type GrantId = Brand<string, 'GrantId'>

/** What is opened at the server. */
interface AtServer {
  /** The only address of the server where it counts (ENABLE_DESTINATION_RULE). Absent: every one. */
  readonly destination?: IpAddress
}

/** A port of the server itself. */
export interface AccessOpening extends AtServer {
  readonly kind: 'access'
  readonly protocol: Protocol
  readonly port: Port
}
/** A ghost service: the source reaches the server's `localPort` through `publicPort`. `localPort` itself stays shut. */
export interface GhostOpening extends AtServer {
  readonly kind: 'ghost'
  readonly protocol: Protocol
  readonly publicPort: Port
  readonly localPort: Port
  /** The address of the server that the client named, and that its packet came to. A rule may lead there by name. */
  readonly named?: IpAddress
}
/** An inner host reached through the server's `publicPort`. `target` has the family of the grant's source. */
export interface ForwardOpening extends AtServer {
  readonly kind: 'forward'
  readonly protocol: Protocol
  readonly publicPort: Port
  readonly target: { readonly address: IpAddress; readonly port: Port }
  readonly translation: Translated
}
/** What the source sends through the server to other hosts, at their own addresses. A server that is a gateway. */
export interface TransitOpening {
  readonly kind: 'transit'
  /** At least one. No two have an address and a port in common; all have the family of the grant's source. */
  readonly to: readonly TransitTarget[]
  readonly translation: Translated
}
export interface TransitTarget {
  readonly network: Network
  /** 1 to 65535 with both protocols: every protocol, also those without ports. */
  readonly ports: PortRange
  /** Absent: TCP and UDP. */
  readonly protocol?: Protocol
}
/** All that the source sends to the server itself goes to an inner host, at every port and by every protocol. */
export interface DivertOpening {
  readonly kind: 'divert'
  readonly target: IpAddress
  readonly translation: Translated
}
/** What other hosts see as the source: the client, the server's own address, or a given one. */
export type Translated = 'none' | 'masquerade' | { readonly snat: IpAddress }
export type Opening = AccessOpening | GhostOpening | ForwardOpening | TransitOpening | DivertOpening

export interface Grant {
  readonly id: GrantId
  /**
   * The stanza's number when it granted. A grant outlives a reload and a restart, after which stanzas may have other
   * numbers.
   */
  readonly stanza: StanzaId
  /** The stanza's name when it granted, if it had one. */
  readonly stanzaName?: StanzaName
  /** Whom the grant is for. */
  readonly source: IpAddress
  /** Whether a packet from `source` itself asked for it. A packet from elsewhere has a weaker claim. */
  readonly firstHand: boolean
  /** At least one. */
  readonly openings: readonly Opening[]
  /** 1 or more. Opening the grant again starts this time again, and never makes it end sooner. */
  readonly lifetime: Seconds
  /** The user name in the message: for logs and status. */
  readonly username: Username
}

/** A grant read back from the system. */
export interface LiveGrant {
  readonly grant: Grant
  readonly remaining: Milliseconds
}

/** The id of a grant: its source and its openings, each once and sorted, as text that a log can carry. */
export function grantId(source: IpAddress, openings: readonly Opening[]): GrantId {
  // Without sorting, a key holder could have one grant for each order of the same ports.
  const names =
    openings.length === 1 ? openings.map(describeOpening) : [...new Set(openings.map(describeOpening))].sort()
  return `${source}>${names.join(',')}` as GrantId
}

/** The same openings in the same order, each once. */
export function distinctOpenings(openings: readonly Opening[]): readonly Opening[] {
  if (openings.length === 1) return openings
  return [...new Map(openings.map((opening) => [describeOpening(opening), opening])).values()]
}

/** `tcp/22`, `tcp/80→22`, `tcp/443→10.0.0.5:8443`, `through→10.0.0.0/24:8000-9000`, `all→10.0.0.5`. */
export function describeOpening(opening: Opening): string {
  switch (opening.kind) {
    case 'access':
      return `${opening.protocol}/${opening.port}${describeAt(opening)}`
    case 'ghost':
      return `${opening.protocol}/${opening.publicPort}${describeAt(opening)}→${opening.localPort}`
    case 'forward': {
      const { address, port } = opening.target
      const asked = `${opening.protocol}/${opening.publicPort}${describeAt(opening)}`
      return `${asked}→${formatHostPort(address, port)}${describeVia(opening)}`
    }
    case 'transit':
      return `through→${opening.to.map(describeTransitTarget).join('+')}${describeVia(opening)}`
    case 'divert':
      return `all→${opening.target}${describeVia(opening)}`
    default:
      return opening satisfies never
  }
}

/** `@192.0.2.1` */
function describeAt({ destination }: AtServer): string {
  return destination === undefined ? '' : `@${destination}`
}

function describeVia({ translation }: { readonly translation: Translated }): string {
  return translation === 'none' ? '' : translation === 'masquerade' ? '~masquerade' : `~${translation.snat}`
}

/** Whether it is for every port and protocol. */
export function isEveryPort({ ports, protocol }: TransitTarget): boolean {
  return protocol === undefined && ports.first === 1 && ports.last === 65_535
}

/** `10.0.0.0/24`, `10.0.0.5:22/tcp`, `[2001:db8::]/64:8000-9000`, `anywhere`. */
export function describeTransitTarget(target: TransitTarget): string {
  const { network, ports, protocol } = target
  const { prefix, length } = network
  const family = familyOf(prefix)
  const mask = length === (family === 4 ? 32 : 128) ? '' : `/${length}`
  const where = length === 0 ? 'anywhere' : family === 4 ? `${prefix}${mask}` : `[${prefix}]${mask}`
  if (isEveryPort(target)) return where
  const range = ports.first === ports.last ? `${ports.first}` : `${ports.first}-${ports.last}`
  return `${where}:${range}${protocol === undefined ? '' : `/${protocol}`}`
}
