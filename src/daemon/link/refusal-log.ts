/**
 * Strangers must not be able to fill a disk, neither with junk nor with packets that they saw go by: refusals are logged up to a
 * rate, in the receiver for what it refuses itself and in the warden for what it was asked about, and those above it are
 * counted and told about in one line once a second. Nothing is forgotten, only folded.
 */
import type { FailureCode } from '../../failure-codes.ts'
import { type Milliseconds, milliseconds } from '../../units.ts'
import { type Rate, TokenBucket } from './token-bucket.ts'

/** What became of packets that were not logged one by one. */
export type Suppressed = { readonly [code in FailureCode]?: number }

/** How often what was folded is told. */
export const FOLDED_INTERVAL = milliseconds(1000)
/** Lines that may come at once after a quiet time, as a multiple of the lines a second. */
const BURST = 2

/** @param perSecond LOG_LIMIT. */
export function limiterFor(perSecond: number, now: Milliseconds): RefusalLimiter {
  return new RefusalLimiter(rateOf(perSecond), now)
}

function rateOf(perSecond: number): Rate {
  return { perSecond, burst: perSecond * BURST }
}

/** Time is an argument, as for {@link TokenBucket}. */
export class RefusalLimiter {
  readonly #lines: TokenBucket
  #suppressed = new Map<FailureCode, number>()

  constructor(rate: Rate, now: Milliseconds) {
    this.#lines = new TokenBucket(rate, now)
  }

  /** @param perSecond the LOG_LIMIT of a new configuration. What was logged before it still counts: a reload gives no new burst. */
  limit(perSecond: number): void {
    this.#lines.change(rateOf(perSecond))
  }

  /** Whether this refusal may have a line of its own. If not, it has been counted. */
  mayLog(code: FailureCode, now: Milliseconds): boolean {
    if (this.#lines.take(1, now)) return true
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
