/**
 * How many packets of each key the store holds. One key may have a share of them, so that its holder can fill neither
 * the store nor the disk and keep the others out. Counted in memory, from the start of the process: the entries of an
 * earlier process belong to nobody. A key holder cannot restart the server, so that he gains nothing by that.
 */
import type { KeyringName } from '../access/keyring.ts'
import type { Seconds, UnixSeconds } from '../units.ts'

/** MAX_PACKETS_PER_KEY where it is not set. An entry takes about 50 bytes: 1 MB for each key in use. */
export const DEFAULT_SHARE = 20_000

/** With aging off, entries never go, and a share of all would be used up one day: it is a share of each day then. */
const DAY = 86_400

interface Used {
  total: number
  /** Packets by second. */
  readonly bySecond: Map<number, number>
  /** When seconds that no longer count were last dropped. */
  swept: UnixSeconds | undefined
}

export class KeyShares {
  readonly #maxAge: Seconds | 'unlimited'
  readonly #used = new Map<KeyringName, Used>()

  constructor(maxAge: Seconds | 'unlimited') {
    this.#maxAge = maxAge
  }

  /** How many packets of a key are remembered that count at `now`. */
  count(keyring: KeyringName, now: UnixSeconds): number {
    const used = this.#used.get(keyring)
    if (used === undefined) return 0
    if (used.swept !== now) this.#sweep(keyring, used, now)
    return used.total
  }

  add(keyring: KeyringName, timestamp: UnixSeconds, now: UnixSeconds): void {
    this.#change(keyring, this.#secondOf(timestamp, now), 1)
  }

  /** Undoes {@link add}. */
  remove(keyring: KeyringName, timestamp: UnixSeconds, now: UnixSeconds): void {
    this.#change(keyring, this.#secondOf(timestamp, now), -1)
  }

  #change(keyring: KeyringName, second: number, by: 1 | -1): void {
    const used = this.#used.get(keyring) ?? { total: 0, bySecond: new Map(), swept: undefined }
    this.#used.set(keyring, used)
    used.total += by
    used.bySecond.set(second, (used.bySecond.get(second) ?? 0) + by)
  }

  #secondOf(timestamp: UnixSeconds, now: UnixSeconds): number {
    return this.#maxAge === 'unlimited' ? now : timestamp
  }

  /** Either way: entries that a wrong clock let in count no more once it is right, or they would lock out their key. */
  #sweep(keyring: KeyringName, used: Used, now: UnixSeconds): void {
    const span = this.#maxAge === 'unlimited' ? DAY : this.#maxAge
    for (const [second, packets] of used.bySecond) {
      if (Math.abs(second - now) <= span) continue
      used.bySecond.delete(second)
      used.total -= packets
    }
    used.swept = now
    if (used.total === 0) this.#used.delete(keyring)
  }
}
