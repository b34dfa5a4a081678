/** Doors as elements of the sets in `ruleset.ts`. */
import { isEveryPort, type TransitTarget, type Translated } from '../../access/grant.ts'
import { addressBytes, addressFromBytes, familyOf, type IpAddress, type Network } from '../../packet/address.ts'
import { type Milliseconds, milliseconds } from '../../units.ts'
import type { Door } from '../doors.ts'
import type { AnySetName } from './sets.ts'

/** One element: `key` and `value` are in the syntax of nftables, made of addresses and numbers only. */
export interface Element {
  readonly set: AnySetName
  readonly key: string
  /** For maps. */
  readonly value?: string
  /** Printable ASCII without quotes, at most 127 bytes. */
  readonly comment?: string
  /** How long it stays after the end of its door. So it may exist when the book has already forgotten the door. */
  readonly outlives?: Milliseconds
}

/**
 * The guard of a way must still exist for the last packet on that way. Both are looked up one after the other. If they
 * ended in the same tick, a packet could find the way and not its guard.
 */
export const GUARD_OUTLIVES = milliseconds(500)

/** The elements of this door: it is open only if all of them exist. */
export function elementsOf(door: Door): readonly Element[] {
  const family = familyOf(door.source)
  switch (door.kind) {
    case 'way': {
      const key = `${door.source} . ${door.protocol} . ${door.publicPort}`
      const accept: Element = { set: `accept${family}`, key }
      if (door.to === 'itself') return [accept]
      if ('localPort' in door.to) return [accept, { set: `redir${family}`, key, value: String(door.to.localPort) }]
      return [
        accept,
        { set: `dnat${family}`, key, value: `${door.to.address} . ${door.to.port}` },
        { set: `fwd${family}`, key, outlives: GUARD_OUTLIVES },
      ]
    }
    case 'translation': {
      if (door.as === 'none') return []
      const key = `${door.source} . ${door.protocol} . ${door.target.address} . ${door.target.port}`
      if (door.as === 'masquerade') return [{ set: `masq${family}`, key }]
      return [{ set: `snat${family}`, key, value: door.as.snat }]
    }
    case 'transit':
      return [...door.to.flatMap((target) => rangesOf(door.source, target)), ...translated(door.source, door.as)]
    case 'divert':
      return [
        { set: `divert${family}`, key: door.source, value: door.target },
        { set: `every${family}`, key: door.source },
        ...translated(door.source, door.as),
      ]
    default:
      return door satisfies never
  }
}

/** Everything that the source sends on. */
function translated(source: IpAddress, as: Translated): readonly Element[] {
  if (as === 'none') return []
  const family = familyOf(source)
  return as === 'masquerade'
    ? [{ set: `tmasq${family}`, key: source }]
    : [{ set: `tsnat${family}`, key: source, value: as.snat }]
}

/** Ranges are written as `dump.ts` reads them: `10.0.0.0-10.0.0.255`, and a single value without a second one. */
function rangesOf(source: IpAddress, target: TransitTarget): readonly Element[] {
  const { network, ports, protocol } = target
  const set = `transit${familyOf(source)}` as const
  const there = `${source} . ${range(network.prefix, lastOf(network))}`
  // A protocol without ports has other bytes in their place.
  if (isEveryPort(target)) return [{ set, key: `${there} . 0-255 . 0-65535` }]
  return (protocol === undefined ? (['tcp', 'udp'] as const) : [protocol]).map((one) => ({
    set,
    key: `${there} . ${one} . ${range(ports.first, ports.last)}`,
  }))
}

export function range(first: string | number, last: string | number): string {
  return first === last ? String(first) : `${first}-${last}`
}

function lastOf({ prefix, length }: Network): IpAddress {
  const bytes = addressBytes(prefix).map((byte, i) => byte | (0xff >> Math.min(8, Math.max(0, length - 8 * i))))
  return addressFromBytes(bytes)
}
