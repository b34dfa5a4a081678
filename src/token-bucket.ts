/**
 * A token bucket: a limited amount at once, and a limited amount per second in the long run. The caller decides what is
 * counted (lines, words, bytes). Time is an argument, of any clock that never goes back.
 */
import type { Milliseconds } from './units.ts'

export interface Rate {
  readonly perSecond: number
  /** How much may come at once after a quiet time. */
  readonly burst: number
}

export class TokenBucket {
  #rate: Rate
  #tokens: number
  #refilledAt: Milliseconds

  /** @param tokens how much is left; absent: a whole burst. */
  constructor(rate: Rate, now: Milliseconds, tokens: number = rate.burst) {
    this.#rate = rate
    this.#tokens = tokens
    this.#refilledAt = now
  }

  /** @returns whether that amount was left, and is now taken. */
  take(amount: number, now: Milliseconds): boolean {
    this.left(now)
    if (this.#tokens < amount) return false
    this.#tokens -= amount
    return true
  }

  /** @returns how much could be taken. */
  left(now: Milliseconds): number {
    const { perSecond, burst } = this.#rate
    const refilled = this.#tokens + ((now - this.#refilledAt) / 1000) * perSecond
    // The amount given may exceed a burst.
    this.#tokens = Math.max(this.#tokens, Math.min(burst, refilled))
    this.#refilledAt = now
    return this.#tokens
  }

  /** Allows this much more, in addition to any burst. */
  give(amount: number): void {
    this.#tokens += amount
  }

  /** Changes the rate. The amount taken stays taken, so that a new rate gives no new burst. */
  change(rate: Rate): void {
    const taken = Math.max(0, this.#rate.burst - this.#tokens)
    this.#rate = rate
    this.#tokens = Math.max(0, rate.burst - taken)
  }
}
