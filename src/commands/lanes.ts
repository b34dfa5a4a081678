/**
 * How much runs at once, of programs or deliveries: some in all, and fewer of each stanza, so that one holder of a key
 * cannot keep the others out. The rest waits in the order of arrival.
 */

/** At once: in all, and of one share. */
export interface LaneLimits {
  readonly running: number
  readonly runningOfShare: number
  /** How many may wait. Absent: who adds them has a limit. */
  readonly waiting?: { readonly most: number; readonly mostOfShare: number }
}

interface Waiting {
  readonly share: string
  readonly work: () => Promise<void>
}

const NO_LIMIT = { most: Number.POSITIVE_INFINITY, mostOfShare: Number.POSITIVE_INFINITY }

export class Lanes {
  readonly #limits: LaneLimits
  #waiting: Waiting[] = []
  #running = 0
  readonly #ofShare = new Map<string, number>()

  constructor(limits: LaneLimits) {
    this.#limits = limits
  }

  get running(): number {
    return this.#running
  }

  get waiting(): number {
    return this.#waiting.length
  }

  /** @param work must not reject. @returns false, and nothing is done, where too many wait. */
  add(share: string, work: () => Promise<void>): boolean {
    this.#waiting.push({ share, work })
    this.#next()
    const { most, mostOfShare } = this.#limits.waiting ?? NO_LIMIT
    const ofShare = this.#waiting.reduce((count, waiting) => count + (waiting.share === share ? 1 : 0), 0)
    if (this.#waiting.length <= most && ofShare <= mostOfShare) return true
    this.#waiting.pop()
    return false
  }

  /** Forgets what waits. */
  clear(): void {
    this.#waiting = []
  }

  #next(): void {
    while (this.#running < this.#limits.running) {
      const at = this.#waiting.findIndex(({ share }) => (this.#ofShare.get(share) ?? 0) < this.#limits.runningOfShare)
      const [next] = at < 0 ? [] : this.#waiting.splice(at, 1)
      if (next === undefined) return
      this.#change(next.share, 1)
      next.work().finally(() => {
        this.#change(next.share, -1)
        this.#next()
      })
    }
  }

  #change(share: string, by: number): void {
    this.#running += by
    const count = (this.#ofShare.get(share) ?? 0) + by
    if (count === 0) this.#ofShare.delete(share)
    else this.#ofShare.set(share, count)
  }
}
