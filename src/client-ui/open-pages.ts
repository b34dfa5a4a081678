/** Counts the open pages: each holds a request that never ends. When the last is gone, so is the reason to go on. */
import { setTimeout as delay } from 'node:timers/promises'
import { milliseconds } from '../units.ts'

/** A page that is loaded again is gone for a moment. */
const GRACE = milliseconds(3_000)
/** A browser may take its time to start. */
const FIRST_GRACE = milliseconds(300_000)
const BEAT = milliseconds(15_000)

export class OpenPages {
  readonly #onNone: () => void
  #pages = 0
  #timer: NodeJS.Timeout | undefined

  /** @param onNone no page is open any more, or none has come. */
  constructor(onNone: () => void) {
    this.#onNone = onNone
    this.#timer = setTimeout(onNone, FIRST_GRACE)
  }

  get count(): number {
    return this.#pages
  }

  /** Holds on until the page is gone. @param write of the answer, so that a lost connection is noticed. */
  async hold(write: (text: string) => Promise<void>, signal: AbortSignal): Promise<void> {
    clearTimeout(this.#timer)
    this.#pages++
    try {
      while (!signal.aborted) {
        await write('\n')
        await delay(BEAT, undefined, { signal }).catch(() => {})
      }
    } finally {
      this.#pages--
      if (this.#pages === 0) this.#timer = setTimeout(this.#onNone, GRACE)
    }
  }

  stop(): void {
    clearTimeout(this.#timer)
  }
}
