/** A question to the receiver for its numbers of this moment, so that they agree with the verdicts that `status` shows. */
import { milliseconds } from '../../units.ts'

/** How long `status` waits for the receiver's numbers. Less than the time that those who ask have. */
const TALLY_TIME = milliseconds(500)

export class FreshTally {
  readonly #ask: () => void
  #asked: Promise<void> | undefined
  #settle: () => void = () => {}

  /** @param ask sends the question. */
  constructor(ask: () => void) {
    this.#ask = ask
  }

  /** Resolves when the numbers have arrived; soon, where the receiver does not answer. Those who ask at the same time wait for one answer. */
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

  /** A tally came. */
  arrived(): void {
    if (this.#asked !== undefined) this.#settle()
  }
}
