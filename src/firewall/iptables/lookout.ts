/** When to look: at the end of the next grant, after a change by another program, and at intervals. Only timers. */
import type { TableName } from '../../config/server/firewall-settings.ts'
import { milliseconds } from '../../units.ts'
import { type Watch, watchTable } from '../nftables/watch.ts'

/** How often to look, in milliseconds. */
export interface Intervals {
  readonly look: number
  readonly clock: number
}

/** What is done at these times. */
export interface Duties {
  /** Another program may have changed our rules. */
  look(): Promise<void>
  /** Some program has changed rules, or our own. */
  unrest(): void
  /** The wall clock may have been set. */
  followClock(): void
  /** A grant has ended. */
  sweep(): Promise<void>
  /** Milliseconds of a clock that never jumps. */
  now(): number
}

const LOOKS_APART = milliseconds(1_000)
const REPAIR_AGAIN_AFTER = milliseconds(1_000)
const REPAIR_SOON_AFTER = milliseconds(200)
/** The longest wait of a timer of Node.js. */
const LONGEST_WAIT = 2 ** 31 - 1
/** No table has this name: every change is one of others. */
const NO_TABLE = '' as TableName

export class Lookout {
  readonly #duties: Duties
  readonly #every: Intervals
  #end: NodeJS.Timeout | undefined
  #soon: NodeJS.Timeout | undefined
  #repair: NodeJS.Timeout | undefined
  #intervals: NodeJS.Timeout[] = []
  #watch: Watch | undefined
  #looked = Number.NEGATIVE_INFINITY

  constructor(every: Intervals, duties: Duties) {
    this.#every = every
    this.#duties = duties
  }

  /** Begins anew, if it had begun. */
  begin(): void {
    this.stop()
    this.#intervals = [
      setInterval(() => this.#duties.followClock(), this.#every.clock).unref(),
      setInterval(() => void this.#duties.look(), this.#every.look).unref(),
    ]
    // Tells of iptables-nft, where the kernel can tell. All else is seen by the interval.
    const watch = watchTable(NO_TABLE, new Set(), { ours: () => {}, others: () => this.#onChange() })
    this.#watch = watch.ok ? watch.value : undefined
  }

  #onChange(): void {
    this.#duties.unrest()
    this.#lookSoon()
  }

  /** A look begins. */
  looking(): void {
    this.#looked = this.#duties.now()
  }

  /** At once, but not more often than once a second: our own changes are told of as well. */
  #lookSoon(): void {
    clearTimeout(this.#soon)
    const wait = Math.max(0, this.#looked + LOOKS_APART - this.#duties.now())
    this.#soon = setTimeout(() => void this.#duties.look(), wait).unref()
  }

  /** A change failed. A look then repairs it, and does not wait for its turn. */
  repairSoon(): void {
    this.#repair ??= setTimeout(() => {
      this.#repair = undefined
      void this.#duties.look()
    }, REPAIR_SOON_AFTER).unref()
  }

  /** One timer, for the next grant to end. @param next undefined: none will. */
  sweepAt(next: number | undefined): void {
    clearTimeout(this.#end)
    if (next === undefined) return
    const wait = Math.min(Math.max(0, next - this.#duties.now()), LONGEST_WAIT)
    this.#end = setTimeout(() => void this.#duties.sweep(), wait).unref()
  }

  /** The latest sweep failed. */
  sweepAgain(): void {
    this.sweepAt(this.#duties.now() + REPAIR_AGAIN_AFTER)
  }

  stop(): void {
    clearTimeout(this.#end)
    clearTimeout(this.#soon)
    clearTimeout(this.#repair)
    this.#repair = undefined
    this.#watch?.close()
    this.#watch = undefined
    for (const interval of this.#intervals) clearInterval(interval)
    this.#intervals = []
  }
}
