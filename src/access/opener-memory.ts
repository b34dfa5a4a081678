/**
 * Whose keys opened the last packet of a source: those to try first. Reorders the trying only, never the policy. Bounded, and
 * filled by authentic packets alone, so that strangers cannot drive anybody out of it.
 */
import type { IpAddress } from '../packet/address.ts'
import type { Keyring } from './keyring.ts'

export class OpenerMemory {
  readonly #capacity: number
  /** A Map keeps the order of insertion: the first is the one not used for longest. */
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
