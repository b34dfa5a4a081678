import { type Rate, TokenBucket } from '../../token-bucket.ts'
import type { Milliseconds } from '../../units.ts'

/** Lines about one matter: those that come too often are counted, and the next one tells how many. */
export class BoundedLines {
  readonly #lines: TokenBucket
  #leftOut = 0

  constructor(rate: Rate, now: Milliseconds) {
    this.#lines = new TokenBucket(rate, now)
  }

  /** @returns what the line says besides; undefined if there is to be no line. */
  next(now: Milliseconds): { readonly leftOut?: number } | undefined {
    if (!this.#lines.take(1, now)) {
      this.#leftOut++
      return undefined
    }
    const leftOut = this.#leftOut
    this.#leftOut = 0
    return leftOut === 0 ? {} : { leftOut }
  }
}
