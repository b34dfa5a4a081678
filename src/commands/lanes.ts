/**
 * How much runs at once, of programs or deliveries: some in all, and fewer of each stanza, so that some holders of keys
 * cannot keep the others out (share.ts). The rest waits: of those that have fewest running, the oldest is next.
 */
import { mayTake } from './share.ts'

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
  readonly onDropped: () => void
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

  /**
   * Where too many wait, the newest work of the share that has most of them makes room.
   *
   * @param work must not reject. @param onDropped the work made room, now or later: it is not done.
   */
  add(share: string, work: () => Promise<void>, onDropped: () => void = () => {}): void {
    this.#waiting.push({ share, work, onDropped })
    this.#next()
    const { most, mostOfShare } = this.#limits.waiting ?? NO_LIMIT
    if (this.#waitingOf(share) > mostOfShare) this.#drop(share)
    else if (this.#waiting.length > most) this.#drop(this.#longest(share))
  }

  /** Forgets what waits. */
  clear(): void {
    this.#waiting = []
  }

  #waitingOf(share: string): number {
    return this.#waiting.reduce((count, waiting) => count + (waiting.share === share ? 1 : 0), 0)
  }

  /** @returns the share of which most wait; of equal ones, `newest`. */
  #longest(newest: string): string {
    const counts = new Map([[newest, 0]])
    for (const { share } of this.#waiting) counts.set(share, (counts.get(share) ?? 0) + 1)
    return [...counts].reduce((most, each) => (each[1] > most[1] ? each : most))[0]
  }

  #drop(share: string): void {
    const at = this.#waiting.findLastIndex((waiting) => waiting.share === share)
    const [dropped] = this.#waiting.splice(at, 1)
    dropped?.onDropped()
  }

  #next(): void {
    for (;;) {
      const at = this.#nextIndex()
      const [next] = at === undefined ? [] : this.#waiting.splice(at, 1)
      if (next === undefined) return
      this.#change(next.share, 1)
      next.work().finally(() => {
        this.#change(next.share, -1)
        this.#next()
      })
    }
  }

  #nextIndex(): number | undefined {
    const { running, runningOfShare } = this.#limits
    const free = running - this.#running
    let best: { readonly at: number; readonly held: number } | undefined
    for (const [at, { share }] of this.#waiting.entries()) {
      const held = this.#ofShare.get(share) ?? 0
      const mayRun = held < runningOfShare && mayTake({ held, free })
      if (mayRun && (best === undefined || held < best.held)) best = { at, held }
    }
    return best?.at
  }

  #change(share: string, by: number): void {
    this.#running += by
    const count = (this.#ofShare.get(share) ?? 0) + by
    if (count === 0) this.#ofShare.delete(share)
    else this.#ofShare.set(share, count)
  }
}
