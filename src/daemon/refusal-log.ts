/**
 * Strangers must not be able to fill a disk, neither with junk nor with packets that they saw go by: refusals are logged up to a
 * rate, in the receiver for what it refuses itself and in the warden for what it was asked about, and those above it are
 * counted and told about in one line once a second. Nothing is forgotten, only folded.
 */
import type { FailureCode } from '../failure-codes.ts'
import type { Milliseconds } from '../units.ts'

/** What became of packets that were not logged one by one. */
export type Suppressed = { readonly [code in FailureCode]?: number }

/** How often what was folded is told, in milliseconds. */
export const FOLDED_INTERVAL = 1000
/** Lines that may come at once after a quiet time, as a multiple of the lines a second. */
const BURST = 2

/** @param perSecond LOG_LIMIT. */
export function limiterFor(perSecond: number, now: Milliseconds): RefusalLimiter {
  return new RefusalLimiter({ perSecond, burst: perSecond * BURST }, now)
}

/**
 * A token bucket: `burst` lines at once, `perSecond` in the long run.
 * Time is an argument: any clock in milliseconds that never goes back.
 */
export class RefusalLimiter {
  readonly #perSecond: number
  readonly #burst: number
  #tokens: number
  #refilled: Milliseconds
  #suppressed = new Map<FailureCode, number>()

  constructor(options: { perSecond: number; burst: number }, now: Milliseconds) {
    this.#perSecond = options.perSecond
    this.#burst = options.burst
    this.#tokens = options.burst
    this.#refilled = now
  }

  /** Whether this refusal may have a line of its own. If not, it has been counted. */
  admit(code: FailureCode, now: Milliseconds): boolean {
    this.#tokens = Math.min(this.#burst, this.#tokens + ((now - this.#refilled) / 1000) * this.#perSecond)
    this.#refilled = now
    if (this.#tokens >= 1) {
      this.#tokens -= 1
      return true
    }
    this.#suppressed.set(code, (this.#suppressed.get(code) ?? 0) + 1)
    return false
  }

  /** Counts what somebody else has suppressed already. */
  fold(counts: Suppressed): void {
    for (const [code, count] of Object.entries(counts) as [FailureCode, number][])
      this.#suppressed.set(code, (this.#suppressed.get(code) ?? 0) + count)
  }

  get hasSuppressed(): boolean {
    return this.#suppressed.size > 0
  }

  /** What was folded since the last call, or undefined if nothing was. */
  takeSuppressed(): Suppressed | undefined {
    if (this.#suppressed.size === 0) return undefined
    const taken = Object.fromEntries(this.#suppressed) as Suppressed
    this.#suppressed = new Map()
    return taken
  }
}
