/**
 * How many connections may be open at once. A stranger costs two descriptors, so strangers have a share of their own,
 * and each a share of that: neither one of them nor all of them together can keep a granted source out. An IPv6
 * stranger has 2^64 addresses to call from, and counts by his network.
 */
import { familyOf, type IpAddress, maskAddress } from '../../packet/address.ts'

export interface ConnectionLimits {
  /** All together. Each takes two descriptors. */
  readonly connections: number
  /** Those without a grant, together. */
  readonly strangers: number
  /** Those without a grant from one IPv4 address or one IPv6 /64. */
  readonly strangersPerSource: number
}

export const defaultLimits: ConnectionLimits = { connections: 2048, strangers: 1024, strangersPerSource: 64 }

const NETWORK_OF_ONE = 64

export class ConnectionCount {
  readonly #limits: ConnectionLimits
  readonly #perSource = new Map<IpAddress, number>()
  #granted = 0
  #strangers = 0

  constructor(limits: ConnectionLimits) {
    this.#limits = limits
  }

  get granted(): number {
    return this.#granted
  }
  get strangers(): number {
    return this.#strangers
  }

  /** @returns what to call when the connection is over, once; nothing where there is no room for it. */
  admitGranted(): (() => void) | undefined {
    if (this.#granted + this.#strangers >= this.#limits.connections) return undefined
    this.#granted++
    return () => {
      this.#granted--
    }
  }

  /** As {@link admitGranted}, for a connection without a grant. */
  admitStranger(source: IpAddress): (() => void) | undefined {
    const who = familyOf(source) === 6 ? maskAddress(source, NETWORK_OF_ONE) : source
    const already = this.#perSource.get(who) ?? 0
    const { connections, strangers, strangersPerSource } = this.#limits
    if (already >= strangersPerSource || this.#strangers >= strangers) return undefined
    if (this.#granted + this.#strangers >= connections) return undefined
    this.#strangers++
    this.#perSource.set(who, already + 1)
    return () => {
      this.#strangers--
      const left = (this.#perSource.get(who) ?? 1) - 1
      if (left > 0) this.#perSource.set(who, left)
      else this.#perSource.delete(who)
    }
  }
}
