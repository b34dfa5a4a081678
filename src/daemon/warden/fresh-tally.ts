/** Asks the receiver for its current counts, so that they agree with the verdicts that `status` shows. */
import { milliseconds } from '../../units.ts'

/** How long `status` waits for the receiver's counts. Less than the client of the control socket waits. */
const TALLY_TIME = milliseconds(500)

export class FreshTally {
  readonly #ask: () => void
  #asked: Promise<void> | undefined
  #settle: () => void = () => {}

  /** @param ask sends the question. */
  constructor(ask: () => void) {
    this.#ask = ask
  }

  /**
   * Resolves when the counts have arrived, or soon if the receiver does not answer. Concurrent callers wait for one
   * answer.
   */
  wait(): Promise<void> {
    this.#asked ??= new Promise<void>((done) => {
      this.#settle = () => {
        clearTimeout(timer)
        this.#asked = undefined
        done()
      }
      const timer = setTimeout(() => this.#settle(), TALLY_TIME)
      this.#ask()
    })
    return this.#asked
  }

  /** The counts arrived. */
  arrived(): void {
    if (this.#asked !== undefined) this.#settle()
  }
}
