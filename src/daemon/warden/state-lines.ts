import { monotonic } from '../../clock.ts'
import { type Rate, TokenBucket } from '../../token-bucket.ts'

/**
 * Lines of the log about one state that changes. Those that come too often are counted, and the next one tells how
 * many. The newest is never lost: it is told as soon as a line is allowed again. So the log never ends with a state
 * that is not true any more.
 */
export class StateLines<Line> {
  readonly #rate: Rate
  readonly #write: (line: Line, more: { readonly leftOut?: number }) => void
  readonly #allowed: TokenBucket
  #untold: { readonly line: Line } | undefined
  #leftOut = 0
  #timer: NodeJS.Timeout | undefined

  constructor(rate: Rate, write: (line: Line, more: { readonly leftOut?: number }) => void) {
    this.#rate = rate
    this.#write = write
    this.#allowed = new TokenBucket(rate, monotonic())
  }

  tell(line: Line): void {
    if (this.#untold !== undefined) this.#leftOut++
    this.#untold = { line }
    this.#attempt()
  }

  /** What was not told yet is not so any more, and nothing takes its place. */
  forget(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#untold !== undefined) this.#leftOut++
    this.#untold = undefined
  }

  #attempt(): void {
    if (this.#untold === undefined) return
    if (!this.#allowed.take(1, monotonic())) {
      this.#timer ??= setTimeout(() => {
        this.#timer = undefined
        this.#attempt()
      }, 1000 / this.#rate.perSecond).unref()
      return
    }
    const [{ line }, leftOut] = [this.#untold, this.#leftOut]
    this.forget()
    this.#leftOut = 0
    this.#write(line, leftOut === 0 ? {} : { leftOut })
  }
}
