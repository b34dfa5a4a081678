/**
 * What each source has of a server: open connections, waiting requests, and the rate of its requests. A source is an
 * IPv4 address, or an IPv6 network of 64 bits, since one customer has a whole one. The table is bounded.
 */
import { familyOf, type IpAddress, maskAddress } from '../packet/address.ts'
import { type Rate, TokenBucket } from '../token-bucket.ts'
import type { Milliseconds } from '../units.ts'

/** The key of a source. @param address undefined: over a Unix socket without a proxy. */
export function sourceOf(address: IpAddress | undefined): string {
  if (address === undefined) return 'unix'
  return familyOf(address) === 4 ? address : `${maskAddress(address, 64)}/64`
}

/** A bucket of tokens for each source. Each token is one request. */
export class RateLimit {
  readonly #rate: Rate
  readonly #most: number
  /** In the order of their last use: the oldest first. */
  readonly #buckets = new Map<string, TokenBucket>()

  /** @param perSecond how many come back each second. @param most how many sources are remembered. */
  constructor(burst: number, perSecond: number, most = 50_000) {
    this.#rate = { burst, perSecond }
    this.#most = most
  }

  /** @param now on a clock that never goes back. @returns whether this one is within the limit. */
  take(source: string, now: Milliseconds): boolean {
    const bucket = this.#buckets.get(source) ?? new TokenBucket(this.#rate, now)
    this.#buckets.delete(source)
    this.#buckets.set(source, bucket)
    // The one that was idle for longest has most likely a full bucket, which is as good as none.
    if (this.#buckets.size > this.#most)
      for (const oldest of this.#buckets.keys()) {
        this.#buckets.delete(oldest)
        break
      }
    return bucket.take(1, now)
  }

  /** @returns the sources that have less than a whole burst, and what each has left: the latest used last. */
  spent(now: Milliseconds): readonly (readonly [source: string, left: number])[] {
    return [...this.#buckets]
      .map(([source, bucket]) => [source, bucket.left(now)] as const)
      .filter(([, left]) => left < this.#rate.burst)
  }

  /** Takes up what {@link spent} said, perhaps in an earlier process. @param ago how long ago that was. */
  restore(spent: readonly (readonly [source: string, left: number])[], ago: Milliseconds, now: Milliseconds): void {
    const { burst, perSecond } = this.#rate
    for (const [source, left] of spent.slice(-this.#most))
      this.#buckets.set(source, new TokenBucket(this.#rate, now, Math.min(burst, left + (ago / 1_000) * perSecond)))
  }

  get size(): number {
    return this.#buckets.size
  }
}

/** How many things each source has at the moment. */
export class Tally {
  readonly #counts = new Map<string, number>()
  #total = 0

  get total(): number {
    return this.#total
  }

  of(source: string): number {
    return this.#counts.get(source) ?? 0
  }

  add(source: string): void {
    this.#counts.set(source, this.of(source) + 1)
    this.#total++
  }

  remove(source: string): void {
    const count = this.of(source)
    if (count <= 1) this.#counts.delete(source)
    else this.#counts.set(source, count - 1)
    if (count > 0) this.#total--
  }
}
