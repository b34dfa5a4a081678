/**
 * Command cycles at work: an open command runs once, its close runs when its time has come, and a knock in between only
 * moves the close. For one port of one client, commands run one after the other.
 *
 * - A close is owed from before the open command starts. If that fails, the close runs at once: half of it may be done.
 *   Only a program that could not be started owes nothing.
 * - The time runs on through a suspension, a restart and a crash. After a boot, what is owed runs at once.
 * - A close whose command fails is not tried again.
 * - What an administrator revokes closes at once, and once.
 */
import { type Milliseconds, milliseconds, type Seconds } from '../units.ts'
import type { Lanes } from './lanes.ts'
import type { CycleAbout, Ledger, OwedClose } from './ledger.ts'
import { type Ended, isGood } from './run-program.ts'
import { mayTake } from './share.ts'

/** A program of a cycle. */
export type CycleTask = OwedClose['close']

/** One port to be opened for one client. */
export interface CycleOrder {
  readonly key: string
  readonly about: CycleAbout
  readonly open: CycleTask
  /** Absent: NONE. */
  readonly close?: CycleTask
  readonly seconds: Seconds
  /** Whose limit of programs at once it counts to. */
  readonly share: string
}

/** What became of an order: its open command; or why there was none. */
export type Opened =
  | { readonly what: 'opened' | 'not opened'; readonly ended: Ended }
  | { readonly what: 'refreshed' }
  | { readonly what: 'not opened'; readonly why: string }

/** What happened to a cycle that owes a close. */
export interface CycleNews {
  readonly what: 'open' | 'closed' | 'not closed'
  readonly key: string
  readonly about: CycleAbout
  readonly close: CycleTask
  /** For `open`: until the close. */
  readonly left?: Milliseconds
  /** For the others: the close command. */
  readonly ended?: Ended
  /** It closed before its time: its open command had failed, or was interrupted; or it was revoked. */
  readonly early?: 'yes' | 'revoked'
}

/** Closes that an administrator asks for, as they end. */
export interface Closing {
  /** How many cycles are meant, and how their closes have ended so far. */
  readonly progress: { readonly all: number; readonly good: number; readonly failed: number }
  /** Resolves when all have ended. */
  readonly ended: Promise<void>
}

export interface CyclesParts {
  readonly ledger: Ledger
  readonly run: (task: CycleTask) => Promise<Ended>
  /** For open commands. Closes have places of their own, so that they never wait for opens. */
  readonly opens: Lanes
  readonly closes: Lanes
  /** Milliseconds since this boot, suspensions included. */
  readonly now: () => number
  /** The kernel’s name for this boot. */
  readonly boot: string
  readonly onNews: (news: CycleNews) => void
}

/** How a close ended; `not opened`: there was nothing to close. */
type CloseEnd = 'good' | 'failed' | 'not opened'

interface Cycle {
  owed: OwedClose
  readonly share: string
  state: 'opening' | 'open' | 'closing'
  /** It closes as soon as it can. */
  revoked?: { readonly done: (how: CloseEnd) => void }
  /** To be opened again when the close has ended. */
  again?: { readonly order: CycleOrder; readonly done: (opened: Opened) => void }
}

const REVOKED: Opened = { what: 'not opened', why: 'revoked by the administrator' }

/** Closes that may be owed: in all, and of one stanza. */
const MOST_OWED = 4096
const MOST_OWED_OF_SHARE = 1024
/** A timer stands still while the machine is suspended, so that no wait is longer. */
const LONGEST_WAIT = milliseconds(5000)

export class Cycles {
  readonly #parts: CyclesParts
  readonly #cycles = new Map<string, Cycle>()
  /** Open commands that wait for their turn. */
  readonly #waiting = new Set<{ readonly about: CycleAbout; revoked: boolean }>()
  #timer: NodeJS.Timeout | undefined
  #stopped = false

  constructor(parts: CyclesParts) {
    this.#parts = parts
  }

  /** How many closes are owed. */
  get owed(): number {
    return this.#cycles.size
  }

  /** Takes over what an earlier process owed. */
  restore(owed: readonly OwedClose[]): void {
    const { boot, now } = this.#parts
    for (const each of owed) {
      // What was interrupted while it opened is half done; what another boot opened has had its time.
      const due = each.opened && each.boot === boot ? each.due : now()
      const cycle: Cycle = { owed: { ...each, due, boot }, share: each.about.stanza, state: 'open' }
      this.#cycles.set(each.key, cycle)
      this.#tell(cycle)
    }
    this.#look()
  }

  /** @returns what became of it. Never rejects. */
  async open(order: CycleOrder): Promise<Opened> {
    const { key, close } = order
    if (this.#stopped) return { what: 'not opened', why: 'the server is stopping' }
    if (close === undefined) return await this.#runOpen(order)
    const known = this.#cycles.get(key)
    if (known === undefined) return await this.#begin(order, close)
    if (known.state !== 'closing' && known.revoked === undefined) return this.#refresh(known, order)
    known.again?.done({ what: 'refreshed' })
    return await new Promise((done) => {
      known.again = { order, done }
    })
  }

  /**
   * The closes of these cycles run now, each once, and not again at its time. Open commands that wait do not run. What
   * was asked for once is not counted again. A close that a crash interrupts runs at the next start.
   */
  closeNow(isMeant: (about: CycleAbout) => boolean): Closing {
    const progress = { all: 0, good: 0, failed: 0 }
    const ends: Promise<void>[] = []
    for (const waiting of this.#waiting) if (isMeant(waiting.about)) waiting.revoked = true
    for (const cycle of this.#cycles.values()) {
      if (!isMeant(cycle.owed.about)) continue
      cycle.again?.done(REVOKED)
      delete cycle.again
      if (cycle.revoked !== undefined) continue
      progress.all++
      const ended = new Promise<void>((resolve) => {
        const done = (how: CloseEnd): void => {
          if (how === 'not opened') progress.all--
          else progress[how]++
          resolve()
        }
        cycle.revoked = { done }
      })
      ends.push(ended)
      if (cycle.state !== 'open') continue
      cycle.owed = { ...cycle.owed, due: this.#parts.now() }
      this.#parts.ledger.put(cycle.owed)
    }
    this.#look()
    return { progress, ended: Promise.all(ends).then(() => undefined) }
  }

  /** No close begins any more. What is owed stays in the ledger. */
  stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
    for (const { again } of this.#cycles.values()) again?.done({ what: 'not opened', why: 'the server is stopping' })
  }

  async #begin(order: CycleOrder, close: CycleTask): Promise<Opened> {
    const { ledger, boot, now } = this.#parts
    const { key, about, share, seconds } = order
    const full = this.#whyFull(share)
    if (full !== undefined) return { what: 'not opened', why: full }
    const owed = { key, about, close, boot, due: now() + seconds * 1000, opened: false }
    const recorded = ledger.put(owed)
    if (!recorded.ok) return { what: 'not opened', why: recorded.failure.detail }
    const cycle: Cycle = { owed, share, state: 'opening' }
    this.#cycles.set(key, cycle)
    const opened = await this.#runOpen(order)
    if ('ended' in opened ? opened.ended.how === 'not started' : !this.#stopped) this.#forget(cycle, 'not opened')
    // When the server stops, the next one finds the cycle half open, and closes it.
    else if (this.#stopped) return opened
    else {
      cycle.state = 'open'
      const isOpen = opened.what === 'opened' && cycle.revoked === undefined
      cycle.owed = { ...cycle.owed, opened: isOpen, due: isOpen ? cycle.owed.due : now() }
      // If this cannot be written, a crash would close it early.
      ledger.put(cycle.owed)
      if (isOpen) this.#tell(cycle)
      this.#look()
    }
    return opened
  }

  #runOpen({ open, share, about }: CycleOrder): Promise<Opened> {
    const { run, opens } = this.#parts
    const waiting = { about, revoked: false }
    this.#waiting.add(waiting)
    return new Promise((done) =>
      opens.add(share, async () => {
        this.#waiting.delete(waiting)
        if (waiting.revoked) {
          done(REVOKED)
          return
        }
        if (this.#stopped) {
          done({ what: 'not opened', why: 'the server is stopping' })
          return
        }
        const ended = await run(open)
        done({ what: isGood(ended) ? 'opened' : 'not opened', ended })
      }),
    )
  }

  #refresh(cycle: Cycle, { seconds, about }: CycleOrder): Opened {
    const { ledger, now } = this.#parts
    const due = Math.max(cycle.owed.due, now() + seconds * 1000)
    const owed = { ...cycle.owed, due, about }
    const recorded = ledger.put(owed)
    if (!recorded.ok) return { what: 'not opened', why: recorded.failure.detail }
    cycle.owed = owed
    if (cycle.state === 'open') this.#tell(cycle)
    this.#look()
    return { what: 'refreshed' }
  }

  #whyFull(share: string): string | undefined {
    if (this.#cycles.size >= MOST_OWED) return `${MOST_OWED} closes are owed, which is the limit`
    let ofShare = 0
    for (const cycle of this.#cycles.values()) if (cycle.share === share) ofShare++
    const isFree = ofShare < MOST_OWED_OF_SHARE && mayTake({ held: ofShare, free: MOST_OWED - this.#cycles.size })
    return isFree ? undefined : `${ofShare} closes of this stanza are owed, which is its share`
  }

  /** Begins what is due, and sets the timer for the next. */
  #look(): void {
    clearTimeout(this.#timer)
    if (this.#stopped) return
    const now = this.#parts.now()
    let next = Number.POSITIVE_INFINITY
    for (const cycle of this.#cycles.values()) {
      if (cycle.state !== 'open') continue
      if (cycle.owed.due <= now) this.#close(cycle)
      else next = Math.min(next, cycle.owed.due - now)
    }
    if (next === Number.POSITIVE_INFINITY) return
    const wait = Math.min(next, LONGEST_WAIT)
    this.#timer = setTimeout(() => this.#look(), wait)
  }

  #close(cycle: Cycle): void {
    const { run, closes, onNews } = this.#parts
    cycle.state = 'closing'
    const { key, about, close, opened } = cycle.owed
    closes.add(cycle.share, async () => {
      if (this.#stopped) return
      const ended = await run(close)
      // It did not have its time, and runs again at the next start.
      if (ended.how === 'stopped') return
      const early = cycle.revoked !== undefined ? ('revoked' as const) : opened ? undefined : ('yes' as const)
      const what = isGood(ended) ? 'closed' : 'not closed'
      onNews({ ...{ what, key, about, close, ended }, ...(early && { early }) })
      this.#forget(cycle, isGood(ended) ? 'good' : 'failed')
    })
  }

  /** If the entry cannot be removed now, the close runs once more after the next start. */
  #forget(cycle: Cycle, how: CloseEnd): void {
    const { key } = cycle.owed
    this.#parts.ledger.remove(key)
    this.#cycles.delete(key)
    cycle.revoked?.done(how)
    const { again } = cycle
    if (again !== undefined) this.open(again.order).then(again.done)
  }

  #tell({ owed: { key, about, close, due } }: Cycle): void {
    this.#parts.onNews({ what: 'open', key, about, close, left: milliseconds(Math.max(0, due - this.#parts.now())) })
  }
}
