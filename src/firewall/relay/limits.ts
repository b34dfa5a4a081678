/**
 * How many connections may be open at once. Each takes two descriptors, so the limit of the process counts first.
 *
 * No stranger, no key holder, and not even all strangers together can take the last place. A new connection has a place
 * while
 *
 *     without a grant:  those without a grant < free places
 *     with a grant:     those of its source + those of its stanza < free places
 *
 * So there is always room for the first connection of another stanza, and of another source of the same stanza. A
 * source alone on the relay gets a third of the places. Each stranger also has a small share. An IPv6 source has 2^64
 * addresses, so it counts by its network.
 */
import type { IpAddress } from '../../packet/address.ts'
import type { ConnectionLimits } from '../firewall.ts'
import { networkOf } from '../holdings.ts'

const MOST_CONNECTIONS = 2048
/** Below this, the shares are too small to protect anybody. */
export const FEWEST_CONNECTIONS = 16
/** Descriptors for everything else in the process: the replay store, the control socket, the receiver, Node's own. */
const OTHER_DESCRIPTORS = 128
const DESCRIPTORS_EACH = 2

export const defaultLimits = limitsOf(MOST_CONNECTIONS)

/** @param descriptors that the process may have open. @returns undefined if these are too few to relay anything. */
export function limitsFor(descriptors: number): ConnectionLimits | undefined {
  const places = Math.floor((descriptors - OTHER_DESCRIPTORS) / DESCRIPTORS_EACH)
  return places < FEWEST_CONNECTIONS ? undefined : limitsOf(Math.min(MOST_CONNECTIONS, places))
}

/** Descriptors that {@link limitsFor} needs to allow this many connections. */
export function descriptorsFor(connections: number): number {
  return OTHER_DESCRIPTORS + DESCRIPTORS_EACH * connections
}

function limitsOf(connections: number): ConnectionLimits {
  const strangers = Math.floor(connections / 2)
  return { connections, strangers, strangersPerSource: Math.max(1, Math.floor(strangers / 16)) }
}

/** Counts by name; a name with count 0 is forgotten. */
class Counts {
  readonly #counts = new Map<string, number>()

  of(name: string): number {
    return this.#counts.get(name) ?? 0
  }

  add(name: string, more: 1 | -1): void {
    const count = this.of(name) + more
    if (count > 0) this.#counts.set(name, count)
    else this.#counts.delete(name)
  }
}

export class ConnectionCount {
  readonly limits: ConnectionLimits
  readonly #strangersOf = new Counts()
  readonly #grantedOf = new Counts()
  #granted = 0
  #strangers = 0

  constructor(limits: ConnectionLimits) {
    this.limits = limits
  }

  get granted(): number {
    return this.#granted
  }
  get strangers(): number {
    return this.#strangers
  }
  get #free(): number {
    return this.limits.connections - this.#granted - this.#strangers
  }

  /**
   * @param stanzas that grant this source the port. Of several, the one with the fewest connections is charged.
   * @returns what to call once when the connection is over; undefined if there is no room for it.
   */
  admitGranted(source: IpAddress, stanzas: readonly string[]): (() => void) | undefined {
    const [stanza = ''] = stanzas.toSorted((one, other) => this.#grantedOf.of(one) - this.#grantedOf.of(other))
    const who = `${stanza} ${networkOf(source)}`
    if (this.#grantedOf.of(who) + this.#grantedOf.of(stanza) >= this.#free) return undefined
    const count = (more: 1 | -1): void => {
      this.#granted += more
      this.#grantedOf.add(who, more)
      this.#grantedOf.add(stanza, more)
    }
    count(1)
    return () => count(-1)
  }

  /** Like {@link admitGranted}, for a connection without a grant. */
  admitStranger(source: IpAddress): (() => void) | undefined {
    const who = networkOf(source)
    const { strangers, strangersPerSource } = this.limits
    if (this.#strangersOf.of(who) >= strangersPerSource) return undefined
    if (this.#strangers >= Math.min(strangers, this.#free)) return undefined
    const count = (more: 1 | -1): void => {
      this.#strangers += more
      this.#strangersOf.add(who, more)
    }
    count(1)
    return () => count(-1)
  }
}
