/** A grant: what is open, for whom, and for how long. Policy makes it, and the firewall gets nothing else. */
import { formatHostPort, type IpAddress } from '../packet/address.ts'
import type { Protocol, Username } from '../packet/message.ts'
import type { Brand, Milliseconds, Port, Seconds } from '../units.ts'
import type { StanzaId } from './stanza.ts'
import type { StanzaName } from './stanza-name.ts'

/**
 * Grants with the same source and the same openings, in any order, have the same id. Only {@link grantId} makes one.
 */
export type GrantId = Brand<string, 'GrantId'>

/** A port of the server itself. */
export interface AccessOpening {
  readonly kind: 'access'
  readonly protocol: Protocol
  readonly port: Port
}
/** A ghost service: the source reaches the server's `localPort` through `publicPort`. `localPort` itself stays shut. */
export interface GhostOpening {
  readonly kind: 'ghost'
  readonly protocol: Protocol
  readonly publicPort: Port
  readonly localPort: Port
}
/** An inner host reached through the server's `publicPort`. `target` has the family of the grant's source. */
export interface ForwardOpening {
  readonly kind: 'forward'
  readonly protocol: Protocol
  readonly publicPort: Port
  readonly target: { readonly address: IpAddress; readonly port: Port }
  /** What the inner host sees as the source: the client, the server's own address, or a given one. */
  readonly translation: 'none' | 'masquerade' | { readonly snat: IpAddress }
}
export type Opening = AccessOpening | GhostOpening | ForwardOpening

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

/** `tcp/22`, `tcp/80→22`, `tcp/443→10.0.0.5:8443`. */
export function describeOpening(opening: Opening): string {
  switch (opening.kind) {
    case 'access':
      return `${opening.protocol}/${opening.port}`
    case 'ghost':
      return `${opening.protocol}/${opening.publicPort}→${opening.localPort}`
    case 'forward': {
      const { address, port } = opening.target
      const via =
        opening.translation === 'none'
          ? ''
          : opening.translation === 'masquerade'
            ? '~masquerade'
            : `~${opening.translation.snat}`
      return `${opening.protocol}/${opening.publicPort}→${formatHostPort(address, port)}${via}`
    }
    default:
      return opening satisfies never
  }
}
