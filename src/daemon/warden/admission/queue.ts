/**
 * Group work: what comes in while a batch is being done is the next batch. One commit and one firewall transaction then
 * serve as many knocks as arrived meanwhile, and a single knock waits for nobody.
 */

/** More at a time would make the first of them wait too long for the last. */
const LARGEST_BATCH = 1000

export class BatchQueue<T> {
  readonly #work: (batch: readonly T[]) => Promise<void>
  #waiting: T[] = []
  #busy = false
  #idle: Promise<void> = Promise.resolve()

  /** @param work must not reject: what goes wrong with a batch is the batch's own affair. */
  constructor(work: (batch: readonly T[]) => Promise<void>) {
    this.#work = work
  }

  /** How many wait. */
  get length(): number {
    return this.#waiting.length
  }

  push(items: readonly T[]): void {
    this.#waiting.push(...items)
    if (!this.#busy) this.#idle = this.#run()
  }

  /** Resolves when all that was pushed so far is done. */
  drained(): Promise<void> {
    return this.#idle
  }

  async #run(): Promise<void> {
    this.#busy = true
    try {
      while (this.#waiting.length > 0) await this.#work(this.#waiting.splice(0, LARGEST_BATCH))
    } finally {
      this.#busy = false
    }
  }
}
