/**
 * Looks up the names that granted knocks wait for. Each look-up leaves this host, so only a few run at once, and no key
 * holder can take all places. Each key has a share of the places, and within it each source has a share. A free place
 * goes to the key whose last look-up was longest ago. No knock waits for ever, and answers are kept for some seconds.
 */
import type { KeyringName } from '../../../access/keyring.ts'
import type { NameQuestion, Unresolvable } from '../../../access/openings.ts'
import type { IpAddress } from '../../../packet/address.ts'
import { type Failure, ok, type Result, refuse } from '../../../result.ts'
import { type Milliseconds, milliseconds } from '../../../units.ts'

/** The address of a name, or why it is unknown. */
export type NameAnswer = IpAddress | Unresolvable

/**
 * Asks a resolver. Resolves within a bounded time, soon after `signal`, and not before everything that it started has
 * ended.
 */
export type AskResolver = (question: NameQuestion, signal: AbortSignal) => Promise<NameAnswer>

/** Who waits: shares are counted by this. */
export interface Asker {
  readonly keyring: KeyringName
  /** Where the packet came from. */
  readonly source: IpAddress
}

export interface LookupLimits {
  /** Look-ups at once, in all and of one key. */
  readonly atOnce: number
  readonly perKey: number
  /** Knocks that may wait, of one key and of one source with that key. */
  readonly waitingPerKey: number
  readonly waitingPerSource: number
  /** How long a knock may wait until its look-up begins. */
  readonly longestWait: Milliseconds
  /** Each look-up takes its place for at least this long, which limits the look-ups per second. */
  readonly leastTime: Milliseconds
  /** How long an answer is kept: an address, and a failure. */
  readonly keepFound: Milliseconds
  readonly keepNone: Milliseconds
  /** How many answers are kept. */
  readonly kept: number
}

const LIMITS: LookupLimits = {
  ...{ atOnce: 4, perKey: 2, waitingPerKey: 16, waitingPerSource: 8 },
  ...{ longestWait: milliseconds(5000), leastTime: milliseconds(100) },
  ...{ keepFound: milliseconds(10_000), keepNone: milliseconds(3000), kept: 256 },
}

/** A name that one or more knocks ask for. */
interface Question {
  readonly key: string
  readonly asked: NameQuestion
  readonly waiting: Set<Waiting>
  /** Ends the look-up; undefined before it begins. */
  running: AbortController | undefined
}

interface Waiting {
  readonly asker: Asker
  readonly question: Question
  readonly timer: NodeJS.Timeout
  readonly settle: (answer: LookupAnswer) => void
}

export type LookupAnswer = Result<NameAnswer, Failure<'NAME_NOT_LOOKED_UP'>>

/** Knocks of one key and one source, in order of arrival. */
interface Line {
  /** When its last look-up began. */
  lastBegun: number
  readonly waiting: Set<Waiting>
}

/** What one key uses of the limits. */
interface Share {
  running: number
  waiting: number
  lastBegun: number
  readonly lines: Map<IpAddress, Line>
}

export class NameLookups {
  readonly #ask: AskResolver
  readonly #limits: LookupLimits
  readonly #now: () => Milliseconds
  readonly #answers = new Map<string, { readonly answer: NameAnswer; readonly until: number }>()
  readonly #questions = new Map<string, Question>()
  readonly #shares = new Map<KeyringName, Share>()
  readonly #running = new Set<Promise<void>>()
  #places: number
  #waiting = 0
  #closed = false

  /** @param now of a clock that never goes back. */
  constructor(ask: AskResolver, now: () => Milliseconds, limits: LookupLimits = LIMITS) {
    this.#ask = ask
    this.#now = now
    this.#limits = limits
    this.#places = limits.atOnce
  }

  /** How many knocks wait. */
  get length(): number {
    return this.#waiting
  }

  /**
   * Looks up a name.
   * @param settle is called once, maybe before this returns: with the answer, or with NAME_NOT_LOOKED_UP. The latter
   * means that the share of the key is used up, the knock waited too long, or the server stops. Never called after
   * {@link abandon}.
   */
  find(asked: NameQuestion, asker: Asker, settle: (answer: LookupAnswer) => void): void {
    if (this.#closed) {
      settle(STOPPED)
      return
    }
    const key = `${asked.family} ${asked.name.toLowerCase()}`
    const known = this.#known(key)
    if (known !== undefined) {
      settle(ok(known))
      return
    }
    const share = this.#shares.get(asker.keyring) ?? newShare()
    const line = share.lines.get(asker.source) ?? { lastBegun: NEVER, waiting: new Set() }
    const full = this.#whatIsFull(share, line)
    if (full !== undefined) {
      settle(refuse('NAME_NOT_LOOKED_UP', full))
      return
    }
    const question: Question = this.#questions.get(key) ?? { key, asked, waiting: new Set(), running: undefined }
    const timer = setTimeout(() => this.#lateFor(waiting), this.#limits.longestWait)
    const waiting: Waiting = { asker, question, timer, settle }
    this.#questions.set(key, question)
    this.#shares.set(asker.keyring, share)
    share.lines.set(asker.source, line)
    question.waiting.add(waiting)
    line.waiting.add(waiting)
    share.waiting++
    this.#waiting++
    this.#begin()
  }

  /** Ends all look-ups and drops the waiting knocks: their `settle` is not called. Known answers stay known. */
  abandon(): void {
    for (const { running, waiting } of [...this.#questions.values()]) {
      running?.abort()
      for (const each of [...waiting]) this.#remove(each)
    }
  }

  /** Refuses all waiting knocks. Resolves when every look-up has ended. */
  async close(): Promise<void> {
    this.#closed = true
    const waiting = [...this.#questions.values()].flatMap((question) => [...question.waiting])
    this.abandon()
    for (const { settle } of waiting) settle(STOPPED)
    await Promise.all(this.#running)
  }

  #known(key: string): NameAnswer | undefined {
    const kept = this.#answers.get(key)
    if (kept === undefined) return undefined
    if (this.#now() < kept.until) return kept.answer
    this.#answers.delete(key)
    return undefined
  }

  #whatIsFull(share: Share, line: Line): string | undefined {
    const { waitingPerKey, waitingPerSource } = this.#limits
    if (share.waiting >= waitingPerKey)
      return `${share.waiting} knocks of this key already wait for names, which is the limit`
    const { size } = line.waiting
    return size >= waitingPerSource
      ? `${size} knocks of this key and source already wait for names, which is the limit`
      : undefined
  }

  #lateFor(waiting: Waiting): void {
    // A look-up that has begun ends soon.
    if (waiting.question.running !== undefined) return
    this.#remove(waiting)
    waiting.settle(
      refuse('NAME_NOT_LOOKED_UP', `it waited ${this.#limits.longestWait} ms: too many names are being looked up`),
    )
  }

  #remove(waiting: Waiting): void {
    const { asker, question, timer } = waiting
    clearTimeout(timer)
    question.waiting.delete(waiting)
    if (question.waiting.size === 0) this.#questions.delete(question.key)
    const share = this.#shares.get(asker.keyring)
    const line = share?.lines.get(asker.source)
    if (share === undefined || line === undefined) return
    line.waiting.delete(waiting)
    if (line.waiting.size === 0) share.lines.delete(asker.source)
    share.waiting--
    this.#waiting--
    this.#tidy(asker.keyring, share)
  }

  #tidy(keyring: KeyringName, { running, waiting }: Share): void {
    if (running === 0 && waiting === 0) this.#shares.delete(keyring)
  }

  /** Begins as many look-ups as there are free places. */
  #begin(): void {
    while (this.#places > 0) {
      const next = this.#next()
      if (next === undefined) return
      const [keyring, share, line, { question }] = next
      this.#places--
      share.running++
      share.lastBegun = this.#now()
      line.lastBegun = this.#now()
      const lookup = this.#lookUp(question).then(() => {
        this.#running.delete(lookup)
        this.#places++
        share.running--
        this.#tidy(keyring, share)
        this.#begin()
      })
      this.#running.add(lookup)
    }
  }

  /**
   * Of the keys that may have one more look-up, the one whose last look-up was longest ago; then likewise of its
   * sources.
   */
  #next(): readonly [KeyringName, Share, Line, Waiting] | undefined {
    let next: readonly [KeyringName, Share, Line, Waiting] | undefined
    for (const [keyring, share] of this.#shares) {
      if (share.running >= this.#limits.perKey || (next !== undefined && next[1].lastBegun <= share.lastBegun)) continue
      let first: readonly [Line, Waiting] | undefined
      for (const line of share.lines.values()) {
        if (first !== undefined && first[0].lastBegun <= line.lastBegun) continue
        const waiting = firstToBegin(line)
        if (waiting !== undefined) first = [line, waiting]
      }
      if (first !== undefined) next = [keyring, share, ...first]
    }
    return next
  }

  /** Resolves when its place is free again. */
  async #lookUp(question: Question): Promise<void> {
    const running = new AbortController()
    question.running = running
    const begun = this.#now()
    const answer = await this.#ask(question.asked, running.signal)
    if (!running.signal.aborted) {
      this.#keep(question.key, answer)
      const waiting = [...question.waiting]
      for (const each of waiting) this.#remove(each)
      for (const { settle } of waiting) settle(ok(answer))
    }
    const left = begun + this.#limits.leastTime - this.#now()
    if (left > 0 && !this.#closed) await new Promise((done) => setTimeout(done, left))
  }

  #keep(key: string, answer: NameAnswer): void {
    const { keepFound, keepNone, kept } = this.#limits
    this.#answers.delete(key)
    this.#answers.set(key, { answer, until: this.#now() + (typeof answer === 'string' ? keepFound : keepNone) })
    const [oldest] = this.#answers.keys()
    if (oldest !== undefined && this.#answers.size > kept) this.#answers.delete(oldest)
  }
}

const STOPPED = refuse('NAME_NOT_LOOKED_UP', 'the server stops')

const NEVER = Number.NEGATIVE_INFINITY

function newShare(): Share {
  return { running: 0, waiting: 0, lastBegun: NEVER, lines: new Map() }
}

function firstToBegin({ waiting }: Line): Waiting | undefined {
  for (const each of waiting) if (each.question.running === undefined) return each
  return undefined
}
