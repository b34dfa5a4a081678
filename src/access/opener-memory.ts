/**
 * The keys that opened the last packet of each source: these are tried first. This changes the order of trying, never
 * the policy. The memory is bounded, and only authentic packets fill it, so strangers cannot displace an entry.
 */
import type { IpAddress } from '../packet/address.ts'
import type { Keyring } from './keyring.ts'

export class OpenerMemory {
  readonly #capacity: number
  /** A Map keeps the order of insertion. The first entry is the one that was not used for the longest time. */
  readonly #openers = new Map<IpAddress, Keyring>()

  constructor(capacity = 4096) {
    this.#capacity = capacity
  }

  last(source: IpAddress): Keyring | undefined {
    return this.#openers.get(source)
  }

  remember(source: IpAddress, keyring: Keyring): void {
    this.#openers.delete(source)
    this.#openers.set(source, keyring)
    if (this.#openers.size <= this.#capacity) return
    for (const oldest of this.#openers.keys()) {
      this.#openers.delete(oldest)
      return
    }
  }

  /** How many sources are remembered. */
  get size(): number {
    return this.#openers.size
  }
}
