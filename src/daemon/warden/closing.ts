/** Which grants a closing knock means (docs/WIRE.md § 18). Pure. */
import type { Grant, Opening } from '../../access/grant.ts'
import type { Stanza } from '../../access/stanza.ts'
import { sameNameKey } from '../../access/stanza-name.ts'
import type { ProtocolPort } from '../../packet/message.ts'

/** Whether a stanza made a grant. A grant keeps the number of its time. Where it has a name, only that counts. */
export function isOf({ stanza, stanzaName }: Grant, { id, name }: Pick<Stanza, 'id' | 'name'>): boolean {
  if (stanzaName === undefined) return stanza === id && name === undefined
  return name !== undefined && sameNameKey(stanzaName) === sameNameKey(name)
}

/** @param ports public ones; empty: all. @returns whether a grant has one of them open. */
export function asksFor(ports: readonly ProtocolPort[]): (grant: Grant) => boolean {
  return ({ openings }) => ports.length === 0 || openings.some((opening) => isOneOf(opening, ports))
}

function isOneOf(opening: Opening, ports: readonly ProtocolPort[]): boolean {
  switch (opening.kind) {
    case 'access':
      return ports.some(({ protocol, port }) => protocol === opening.protocol && port === opening.port)
    case 'ghost':
    case 'forward':
      return ports.some(({ protocol, port }) => protocol === opening.protocol && port === opening.publicPort)
    // The stanza opens these for a request of any port.
    case 'transit':
    case 'divert':
      return true
    default:
      return opening satisfies never
  }
}
