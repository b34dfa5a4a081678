/**
 * Works in batches: items that arrive during one batch form the next. One commit and one firewall transaction then
 * serve all of them, and a single knock never waits for others.
 */

/** With more, the first would wait too long for the last. */
const LARGEST_BATCH = 1000

export class BatchQueue<T> {
  readonly #work: (batch: readonly T[]) => Promise<void>
  #waiting: T[] = []
  #busy = false
  #idle: Promise<void> = Promise.resolve()

  /** @param work must not reject: it must handle the faults of its own batch. */
  constructor(work: (batch: readonly T[]) => Promise<void>) {
    this.#work = work
  }

  /** How many items wait. */
  get length(): number {
    return this.#waiting.length
  }

  push(items: readonly T[]): void {
    this.#waiting.push(...items)
    if (!this.#busy) this.#idle = this.#run()
  }

  /** Resolves when all items pushed so far are done. */
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
