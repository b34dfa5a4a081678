/**
 * Limits the log lines for refusals. Strangers must not be able to fill a disk, neither with junk nor with packets that
 * they recorded. The receiver limits what it refuses itself, and the warden what it is asked about. Refusals above the
 * rate are counted, and one line per second reports the counts. So nothing is lost.
 */
import type { FailureCode } from '../../failure-codes.ts'
import { type Rate, TokenBucket } from '../../token-bucket.ts'
import { type Milliseconds, milliseconds } from '../../units.ts'

/** Counts of packets that have no log line of their own. */
export type Suppressed = { readonly [code in FailureCode]?: number }

/** How often what was folded is told. */
export const FOLDED_INTERVAL = milliseconds(1000)
/** Lines that may come at once after a quiet time, as a multiple of the lines per second. */
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

  /** @param perSecond the LOG_LIMIT of a new configuration. Earlier lines still count: a reload gives no new burst. */
  limit(perSecond: number): void {
    this.#lines.change(rateOf(perSecond))
  }

  /** Whether this refusal may have a line of its own. If not, it was counted. */
  mayLog(code: FailureCode, now: Milliseconds): boolean {
    if (this.#lines.take(1, now)) return true
    this.#suppressed.set(code, (this.#suppressed.get(code) ?? 0) + 1)
    return false
  }

  /** Adds counts of refusals that were suppressed elsewhere. */
  fold(counts: Suppressed): void {
    for (const [code, count] of Object.entries(counts) as [FailureCode, number][])
      this.#suppressed.set(code, (this.#suppressed.get(code) ?? 0) + count)
  }

  get hasSuppressed(): boolean {
    return this.#suppressed.size > 0
  }

  /** The counts since the last call, or undefined if there are none. */
  takeSuppressed(): Suppressed | undefined {
    if (this.#suppressed.size === 0) return undefined
    const taken = Object.fromEntries(this.#suppressed) as Suppressed
    this.#suppressed = new Map()
    return taken
  }
}
