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
  #working = 0
  #idle: Promise<void> = Promise.resolve()
  /** How many items are done, and who waits for how many. */
  #done = 0
  #watchers: { readonly done: number; readonly resolve: () => void }[] = []

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

  /** Resolves when all items pushed so far are done, whether more have come since or not. */
  settled(): Promise<void> {
    const done = this.#done + this.#working + this.#waiting.length
    if (done === this.#done) return Promise.resolve()
    return new Promise((resolve) => this.#watchers.push({ done, resolve }))
  }

  /** Resolves when nothing waits any more. */
  drained(): Promise<void> {
    return this.#idle
  }

  async #run(): Promise<void> {
    this.#busy = true
    try {
      while (this.#waiting.length > 0) {
        const batch = this.#waiting.splice(0, LARGEST_BATCH)
        this.#working = batch.length
        await this.#work(batch)
        this.#working = 0
        this.#done += batch.length
        if (this.#watchers.length > 0) this.#tellWatchers()
      }
    } finally {
      this.#busy = false
    }
  }

  #tellWatchers(): void {
    const isDue = ({ done }: { readonly done: number }): boolean => done <= this.#done
    const due = this.#watchers.filter(isDue)
    this.#watchers = this.#watchers.filter((one) => !isDue(one))
    for (const { resolve } of due) resolve()
  }
}
