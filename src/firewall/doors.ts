/**
 * Doors: the parts of a grant that packets are checked against. A door is a fact about one source, looked up by key. So
 * it has one answer: a public port leads to one place, and a forwarded connection has one translation.
 */
import {
  describeTransitTarget,
  type ForwardOpening,
  type Grant,
  type TransitTarget,
  type Translated,
} from '../access/grant.ts'
import type { IpAddress } from '../packet/address.ts'
import type { Protocol } from '../packet/message.ts'
import type { Port } from '../units.ts'

/** Where a public port leads: to the port itself, to another port of the server (ghost), or to an inner host. */
export type Destination = 'itself' | { readonly localPort: Port } | ForwardOpening['target']

interface Keyed {
  /** Identifies this door. */
  readonly key: string
  /** What is behind it, in words. Two doors of the same key cannot be open at once with different answers. */
  readonly answer: string
}
export interface Way extends Keyed {
  readonly kind: 'way'
  readonly source: IpAddress
  readonly protocol: Protocol
  readonly publicPort: Port
  readonly to: Destination
}
/** The source that the inner host sees for a forwarded connection. */
export interface Translation extends Keyed {
  readonly kind: 'translation'
  readonly source: IpAddress
  readonly protocol: Protocol
  readonly target: ForwardOpening['target']
  readonly as: Translated
}
/** What the source may send through this host to others. */
export interface Transit extends Keyed {
  readonly kind: 'transit'
  readonly source: IpAddress
  readonly to: readonly TransitTarget[]
  readonly as: Translated
}
/** Where all goes that the source sends to this host. */
export interface Divert extends Keyed {
  readonly kind: 'divert'
  readonly source: IpAddress
  readonly target: IpAddress
  readonly as: Translated
}
export type Door = Way | Translation | Transit | Divert

/** The {@link Keyed.key} of the way in from `source` through this public port. */
export function wayKey(source: IpAddress, protocol: Protocol, publicPort: Port): string {
  return `${source} ${protocol}/${publicPort}`
}

/** The {@link Keyed.key} of the translation for what `source` sends to an inner host. */
export function translationKey(source: IpAddress, protocol: Protocol, target: ForwardOpening['target']): string {
  return `${source} ${protocol} to ${hostText(target)}`
}

/** The doors of a grant, in the order of its openings. Their keys may repeat. */
export function doorsOf({ source, openings }: Grant): readonly Door[] {
  const doors: Door[] = []
  for (const opening of openings) {
    switch (opening.kind) {
      case 'access':
        doors.push(way(source, opening.protocol, opening.port, 'itself', 'that port itself'))
        break
      case 'ghost': {
        const { protocol, publicPort, localPort } = opening
        doors.push(way(source, protocol, publicPort, { localPort }, `port ${localPort}`))
        break
      }
      case 'forward': {
        const { protocol, publicPort, target, translation: as } = opening
        const key = translationKey(source, protocol, target)
        doors.push(way(source, protocol, publicPort, target, hostText(target)))
        doors.push({ kind: 'translation', key, answer: translationText(as), source, protocol, target, as })
        break
      }
      case 'transit': {
        const { to, translation: as } = opening
        // One list for each source: lists could overlap.
        const answer = `${to.map(describeTransitTarget).join(' and ')} with ${translationText(as)}`
        doors.push({ kind: 'transit', key: `${source} through this host`, answer, source, to, as })
        break
      }
      case 'divert': {
        const { target, translation: as } = opening
        const answer = `${target} with ${translationText(as)}`
        doors.push({ kind: 'divert', key: `${source} to every port of this host`, answer, source, target, as })
        break
      }
      default:
        opening satisfies never
    }
  }
  return doors
}

function translationText(as: Translated): string {
  return as === 'none' ? 'no translation' : as === 'masquerade' ? as : `source ${as.snat}`
}

function hostText({ address, port }: ForwardOpening['target']): string {
  return `${address} port ${port}`
}

function way(source: IpAddress, protocol: Protocol, publicPort: Port, to: Destination, answer: string): Way {
  return { kind: 'way', key: wayKey(source, protocol, publicPort), answer, source, protocol, publicPort, to }
}
