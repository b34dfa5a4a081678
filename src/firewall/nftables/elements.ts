/** Doors as elements of the sets in `ruleset.ts`. */
import { familyOf } from '../../packet/address.ts'
import type { Door } from '../doors.ts'

/** One element: `key` and `value` are in the syntax of nftables, made of addresses and numbers only. */
export interface Element {
  readonly set: string
  readonly key: string
  /** For maps. */
  readonly value?: string
  /** Printable ASCII without quotes, at most 127 bytes. */
  readonly comment?: string
}

/** The elements that are this door: all of them, or it is not open. */
export function elementsOf(door: Door): readonly Element[] {
  const family = familyOf(door.source)
  switch (door.kind) {
    case 'way': {
      const key = `${door.source} . ${door.protocol} . ${door.publicPort}`
      const accept: Element = { set: `accept${family}`, key }
      if (door.to === 'itself') return [accept]
      if ('localPort' in door.to) return [accept, { set: `redir${family}`, key, value: String(door.to.localPort) }]
      return [accept, { set: `dnat${family}`, key, value: `${door.to.address} . ${door.to.port}` }]
    }
    case 'translation': {
      if (door.as === 'none') return []
      const key = `${door.source} . ${door.protocol} . ${door.target.address} . ${door.target.port}`
      if (door.as === 'masquerade') return [{ set: `masq${family}`, key }]
      return [{ set: `snat${family}`, key, value: door.as.snat }]
    }
    default:
      return door satisfies never
  }
}
