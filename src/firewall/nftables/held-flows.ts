/**
 * Flows that were ended, as elements of the sets `held4` and `held6` (`ruleset.ts`): what the service of such a flow
 * sends later begins no connection. A book, because the kernel forgets them where another program flushes the table.
 */
import { familyOf } from '../../packet/address.ts'
import { isPorted, type PortedFlow, withPorts } from '../connections/held-back.ts'
import { type Direction, TCP } from '../connections/tracked.ts'
import type { Element } from './elements.ts'

/** In each address family. The oldest make room. */
export const MOST_HELD = 32_768
/** Of one call: an address with very many flows must not push out all others. */
const MOST_AT_ONCE = 8_192

export class HeldFlows {
  /** The oldest first. */
  readonly #elements = { 4: new Map<string, Element>(), 6: new Map<string, Element>() }

  /** All that are held, as far as is known. Some may have ended in the kernel. */
  elements(): readonly Element[] {
    return [...this.#elements[4].values(), ...this.#elements[6].values()]
  }

  /** Forgets what the kernel has forgotten. @param found all that it has. */
  keepOnly(found: readonly Pick<Element, 'set' | 'key'>[]): void {
    const there = new Set(found.map(({ key }) => key))
    for (const held of [this.#elements[4], this.#elements[6]])
      for (const key of held.keys()) if (!there.has(key)) held.delete(key)
    for (const { set, key } of found) if (set === 'held4' || set === 'held6') this.#put({ set, key })
  }

  /**
   * Protocols without ports have no element.
   * @returns what to add, what to remove for it, and how many flows have no place.
   */
  hold(flows: readonly PortedFlow[]): {
    readonly added: readonly Element[]
    readonly removed: readonly Element[]
    readonly left: number
  } {
    const ported = withPorts(flows)
    const added = ported.slice(0, MOST_AT_ONCE).map(elementOf)
    for (const element of added) this.#put(element)
    const removed: Element[] = []
    for (const held of [this.#elements[4], this.#elements[6]])
      for (const [key, element] of held) {
        if (held.size <= MOST_HELD) break
        held.delete(key)
        removed.push(element)
      }
    return { added, removed, left: ported.length - added.length }
  }

  /** Whether a connection that began in this direction is held back. */
  has(protocol: number, began: Direction): boolean {
    const { set, key } = elementOf({ protocol, reply: began })
    return isPorted(protocol) && this.#elements[set === 'held4' ? 4 : 6].has(key)
  }

  clear(): void {
    this.#elements[4].clear()
    this.#elements[6].clear()
  }

  #put(element: Element): void {
    const held = this.#elements[element.set === 'held4' ? 4 : 6]
    held.delete(element.key)
    held.set(element.key, element)
  }
}

function elementOf({ protocol, reply }: PortedFlow): Element {
  const { source, sourcePort, destination, destinationPort } = reply
  const from = `${source} . ${protocol === TCP ? 'tcp' : 'udp'} . ${sourcePort}`
  return { set: `held${familyOf(source)}`, key: `${from} . ${destination} . ${destinationPort}` }
}
