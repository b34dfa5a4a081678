/** What is open, for whom, for how long: the outcome of policy, and all that a firewall is ever told. */
import { formatHostPort, type IpAddress } from '../packet/address.ts'
import type { Protocol, Username } from '../packet/message.ts'
import type { Brand, Milliseconds, Port, Seconds } from '../units.ts'
import type { StanzaId } from './stanza.ts'
import type { StanzaName } from './stanza-name.ts'

/** Same source, same openings in any order: same grant. Made by {@link grantId} only. */
export type GrantId = Brand<string, 'GrantId'>

/** A port of the server itself. */
export interface AccessOpening {
  readonly kind: 'access'
  readonly protocol: Protocol
  readonly port: Port
}
/** A ghost service: the source reaches the server's `localPort` through `publicPort`; `localPort` itself stays shut. */
export interface GhostOpening {
  readonly kind: 'ghost'
  readonly protocol: Protocol
  readonly publicPort: Port
  readonly localPort: Port
}
/** An inner host reached through the server's `publicPort`. `target` is of the same family as the grant's source. */
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
  /** Its number when it granted. A grant outlives a reload and a restart, and stanzas may have been numbered anew since. */
  readonly stanza: StanzaId
  /** Its name when it granted, where it had one. */
  readonly stanzaName?: StanzaName
  /** For whom. */
  readonly source: IpAddress
  /** Whether a packet from `source` itself asked for it. One from elsewhere has less of a claim to what is open for `source`. */
  readonly firstHand: boolean
  /** At least one. */
  readonly openings: readonly Opening[]
  /** 1 or more. Opening the grant again starts it anew; it never makes what is open end sooner. */
  readonly lifetime: Seconds
  /** Who asked, as the message said: for logs and status. */
  readonly username: Username
}

/** A grant read back from the system. */
export interface LiveGrant {
  readonly grant: Grant
  readonly remaining: Milliseconds
}

/** The name of a grant: its source and its openings, each once and sorted, as text that a log can carry. */
export function grantId(source: IpAddress, openings: readonly Opening[]): GrantId {
  // Else a key holder could have as many grants of the same ports as there are orders of them.
  const names =
    openings.length === 1 ? openings.map(describeOpening) : [...new Set(openings.map(describeOpening))].sort()
  return `${source}>${names.join(',')}` as GrantId
}

/** The same, each once: the order stays, and nothing is said twice. */
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
