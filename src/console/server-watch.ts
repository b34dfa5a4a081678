/**
 * Watches the server: its events, each once, into the history; its grants and its state, after each event and from time
 * to time. All open pages are served from here, so that their number costs the server nothing.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import type { ConsoleEvents } from '../daemon/link/console-protocol.ts'
import type { Status } from '../daemon/warden/status.ts'
import type { Result } from '../result.ts'
import { type Milliseconds, milliseconds } from '../units.ts'
import { type KeptEvent, newEvent, ownEvent } from './event.ts'
import { type Grants, grantsNow } from './grants.ts'
import type { History } from './history.ts'
import type { ServerLine } from './server-line.ts'

/** Between two questions for events: some requests a second remain for people. */
const EVENTS_PAUSE = milliseconds(250)
/** Between two looks at the grants while there are events, and without any. */
const LOOK_PAUSE = milliseconds(500)
const QUIET_PAUSE = milliseconds(5_000)
const AWAY_PAUSE = milliseconds(1_000)
/** A look may take the server a tenth of the time. */
const LOOK_SHARE = 9
const FORGET_PAUSE = milliseconds(10_000)
/** Events that a page can still get by the stream. */
const MOST_RECENT = 5_000

export interface ServerState {
  readonly state: 'up' | 'away'
  /** Of the console, which is of the same package. */
  readonly version: string
  /** RFC 3339: since when it runs; null while it is away. */
  readonly since: string | null
  readonly gate: boolean
  readonly firewall: string | null
  readonly problems: readonly { readonly text: string }[]
}

export interface WatchParts {
  readonly events: ServerLine
  readonly asks: ServerLine
  readonly history: History
  readonly version: string
  readonly wall: () => Date
  readonly onChange: (state: ServerState) => void
}

export class ServerWatch {
  readonly #parts: WatchParts
  readonly #stopped = new AbortController()
  readonly #listeners = new Set<() => void>()
  #grants: Grants = new Map()
  #state: ServerState
  #recent: KeptEvent[] = []
  #status: Status | undefined
  #lookNow: AbortController | undefined
  #isLookWanted = false
  /** The opening of the line for events whose server is known. */
  #knownOpening = -1

  constructor(parts: WatchParts) {
    this.#parts = parts
    this.#state = awayState(parts.version, 'the server was not asked yet')
  }

  /** Replaced where anything changes. */
  get grants(): Grants {
    return this.#grants
  }

  get state(): ServerState {
    return this.#state
  }

  /** As `ghostport status --json` tells it; undefined while the server is away. */
  get status(): Status | undefined {
    return this.#status
  }

  /** @returns events after that number; how many of them are not at hand any more. */
  after(id: number): { readonly events: readonly KeptEvent[]; readonly lost: number } {
    const { last } = this.#parts.history
    const [oldest] = this.#recent
    const start = oldest === undefined ? 0 : Math.max(0, id + 1 - oldest.id)
    const events = this.#recent.slice(start)
    return { events, lost: Math.max(0, (events[0]?.id ?? last + 1) - id - 1) }
  }

  /** The number of the last event. */
  get lastEvent(): number {
    return this.#parts.history.last
  }

  /** Calls at each change of anything. @returns what ends that. */
  onChange(call: () => void): () => void {
    this.#listeners.add(call)
    return () => this.#listeners.delete(call)
  }

  /** Looks at the grants at once: something was changed. */
  look(): void {
    this.#isLookWanted = true
    this.#lookNow?.abort()
  }

  start(): void {
    void this.#followEvents()
    void this.#followStatus()
    void this.#forget()
  }

  stop(): void {
    this.#stopped.abort()
    this.#lookNow?.abort()
    this.#wake()
  }

  get #isStopped(): boolean {
    return this.#stopped.signal.aborted
  }

  async #followEvents(): Promise<void> {
    while (!this.#isStopped) {
      const taken = await this.#takeEvents()
      if (taken > 0) this.look()
      await this.#pause(taken < 0 ? AWAY_PAUSE : EVENTS_PAUSE)
    }
  }

  /** @returns how many there were; −1: the server is away. */
  async #takeEvents(): Promise<number> {
    const { events: line, asks, history, wall } = this.#parts
    // A server that started again counts from 1. Asked before the events, so that none of them is taken for older.
    const server = this.#status?.startedAt ?? (await this.#startOf(asks))
    if (server === undefined) return -1
    const known = history.place()
    const isSame = known?.server === server
    const after = isSame ? known.number : 0
    const asked = await line.ask({ ask: 'events', after })
    if (!asked.ok) {
      this.#status = undefined
      this.look()
      return -1
    }
    // On a new line, perhaps another server answered than the one that was asked when it started.
    if (line.opened !== this.#knownOpening) {
      this.#knownOpening = line.opened
      this.#status = undefined
      return 0
    }
    const { events, next, lost } = asked.value as ConsoleEvents
    const gaps = [
      ...(known !== undefined && !isSame
        ? [ownEvent(wall(), 'the server started again: what it logged just before its end may be missing here')]
        : []),
      ...(lost > 0
        ? [ownEvent(wall(), `${lost} events came faster than they were fetched, and are missing`, { lost })]
        : []),
    ]
    if (events.length === 0 && gaps.length === 0 && isSame && known.number === next) return 0
    const kept = history.append([...gaps, ...events.map(newEvent)], { server, number: next })
    this.#recent.push(...kept)
    if (this.#recent.length > 2 * MOST_RECENT) this.#recent = this.#recent.slice(-MOST_RECENT)
    this.#wake()
    return kept.length
  }

  async #startOf(line: ServerLine): Promise<string | undefined> {
    const status = await line.ask({ ask: 'status' })
    return status.ok ? (status.value as Status).startedAt : undefined
  }

  async #followStatus(): Promise<void> {
    while (!this.#isStopped) {
      this.#isLookWanted = false
      const began = performance.now()
      const status = await this.#parts.asks.ask({ ask: 'status' })
      if (this.#isStopped) return
      const took = performance.now() - began
      this.#take(status)
      await this.#pause(milliseconds(Math.max(status.ok ? LOOK_PAUSE : AWAY_PAUSE, took * LOOK_SHARE)))
      if (this.#isLookWanted || !status.ok) continue
      this.#lookNow = new AbortController()
      await delay(QUIET_PAUSE, undefined, { signal: this.#lookNow.signal }).catch(() => {})
      this.#lookNow = undefined
    }
  }

  #take(answer: Result<unknown>): void {
    const { version, wall, history, onChange } = this.#parts
    const before = { grants: this.#grants, state: this.#state }
    if (answer.ok) {
      const status = answer.value as Status
      this.#status = status
      this.#state = upState(version, status, history.problem)
      const grants = grantsNow(status.grants ?? [], this.#grants, wall().getTime())
      const isSame = grants.size === this.#grants.size && [...grants].every(([id, one]) => this.#grants.get(id) === one)
      if (!isSame) this.#grants = grants
    } else {
      this.#status = undefined
      this.#state = awayState(version, answer.failure.detail)
      if (this.#grants.size > 0) this.#grants = new Map()
    }
    const isSameState = isDeepStrictEqual(before.state, this.#state)
    if (isSameState) this.#state = before.state
    else onChange(this.#state)
    if (!isSameState || before.grants !== this.#grants) this.#wake()
  }

  async #forget(): Promise<void> {
    while (!this.#isStopped) {
      try {
        while (this.#parts.history.forgetOld(this.#parts.wall().getTime())) await this.#pause(EVENTS_PAUSE)
      } catch {
        // A full disk: the history says so when it is written.
      }
      await this.#pause(FORGET_PAUSE)
    }
  }

  #wake(): void {
    for (const call of this.#listeners) call()
  }

  async #pause(time: Milliseconds): Promise<void> {
    await delay(time, undefined, { signal: this.#stopped.signal }).catch(() => {})
  }
}

function awayState(version: string, why: string): ServerState {
  return { state: 'away', version, since: null, gate: false, firewall: null, problems: [{ text: why }] }
}

function upState(version: string, status: Status, historyProblem: string | undefined): ServerState {
  const problems = [
    ...(status.capturing ? [] : ['no packets are being received']),
    ...(status.error === undefined ? [] : [`the firewall cannot be asked: ${status.error}`]),
    ...status.warnings.flatMap(({ level, text }) => (level === 'warning' ? [text] : [])),
    ...status.interfaces.map(({ text }) => text),
    ...(historyProblem === undefined ? [] : [historyProblem]),
  ]
  return {
    state: 'up',
    version,
    since: status.startedAt,
    gate: /\bgate\b/.test(status.firewall),
    firewall: status.firewall,
    problems: problems.map((text) => ({ text })),
  }
}
