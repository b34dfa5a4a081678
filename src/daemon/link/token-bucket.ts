/**
 * A token bucket: so much at once, and so much a second in the long run. What is counted (lines, words, bytes) is the caller's.
 * Time is an argument: any clock in milliseconds that never goes back.
 */
import type { Milliseconds } from '../../units.ts'

export interface Rate {
  readonly perSecond: number
  /** How much may come at once after a quiet time. */
  readonly burst: number
}

export class TokenBucket {
  #rate: Rate
  #tokens: number
  #refilled: Milliseconds

  constructor(rate: Rate, now: Milliseconds) {
    this.#rate = rate
    this.#tokens = rate.burst
    this.#refilled = now
  }

  /** @returns whether so much was left, and has been taken. */
  take(amount: number, now: Milliseconds): boolean {
    const { perSecond, burst } = this.#rate
    const refilled = this.#tokens + ((now - this.#refilled) / 1000) * perSecond
    // What was given may be more than a burst.
    this.#tokens = Math.max(this.#tokens, Math.min(burst, refilled))
    this.#refilled = now
    if (this.#tokens < amount) return false
    this.#tokens -= amount
    return true
  }

  /** So much more may come, on top of any burst. */
  give(amount: number): void {
    this.#tokens += amount
  }

  /** Another rate from now on. What was taken stays taken, so that a change of rate is no new burst. */
  change(rate: Rate): void {
    const taken = Math.max(0, this.#rate.burst - this.#tokens)
    this.#rate = rate
    this.#tokens = Math.max(0, rate.burst - taken)
  }
}
