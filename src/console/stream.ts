/**
 * What an open page is told: the grants, then each change of them, the events, the state of the server (server-sent
 * events). A page that reads slowly is told less often, and of events it missed, how many: nothing is kept for it.
 */
import { jsonLine } from '../bytes/text.ts'
import { type Milliseconds, milliseconds } from '../units.ts'
import { changesBetween, type Grants } from './grants.ts'
import type { ServerState, ServerWatch } from './server-watch.ts'

/** Between two messages about events, and about grants. */
const EVENTS_PAUSE = milliseconds(250)
const GRANTS_PAUSE = milliseconds(500)
const BEAT = milliseconds(15_000)
/** How often it is asked whether the page may still see it. */
const CHECK_PAUSE = milliseconds(2_000)
/** How long a page may take to read one message. */
const READ_TIME = milliseconds(30_000)
/** Events of one message. */
const MOST_EVENTS = 500

export interface StreamParts {
  readonly watch: ServerWatch
  /** Ends with the session, with the page, and with the console. */
  readonly signal: AbortSignal
  /** Whether the page may still see it. */
  readonly isAllowed: () => boolean
  readonly monotonic: () => Milliseconds
  readonly wall: () => Date
  /** The last event that the page has; absent: it begins now. */
  readonly lastEvent?: number | undefined
}

type Write = (text: string) => Promise<void>

/**
 * @param write resolves when the page has taken it.
 * @returns when the page is gone, reads too slowly, or may see no more.
 */
export async function tellPage(write: Write, parts: StreamParts): Promise<void> {
  const { watch, signal, isAllowed } = parts
  const news = new News(signal)
  const unwatch = watch.onChange(() => news.wake())
  const page = new Page((text) => taken(write(text), news), parts)
  try {
    await page.hello()
    let checked = parts.monotonic()
    while (!signal.aborted) {
      await news.wait(milliseconds(Math.min(page.untilBeat, CHECK_PAUSE)))
      // What changes next goes with it.
      await news.pause(EVENTS_PAUSE)
      if (parts.monotonic() - checked >= CHECK_PAUSE) {
        if (!isAllowed()) break
        checked = parts.monotonic()
      }
      if (!signal.aborted) await page.tell()
    }
    await write('event: bye\ndata: {"reason":"session ended"}\n\n')
  } catch (error) {
    if (!(error instanceof PageGone)) throw error
  } finally {
    unwatch()
    news.end()
  }
}

/** What one page has been told. */
class Page {
  readonly #write: Write
  readonly #parts: StreamParts
  #lastEvent: number
  #grants: Grants
  #state: ServerState
  #toldGrants: Milliseconds
  #told: Milliseconds

  constructor(write: Write, parts: StreamParts) {
    const { watch, lastEvent } = parts
    this.#write = write
    this.#parts = parts
    // A greater number is of another console, or of another history.
    this.#lastEvent = Math.min(lastEvent ?? watch.lastEvent, watch.lastEvent)
    this.#grants = watch.grants
    this.#state = watch.state
    this.#toldGrants = this.#told = parts.monotonic()
  }

  get untilBeat(): Milliseconds {
    return milliseconds(Math.max(0, BEAT - (this.#parts.monotonic() - this.#told)))
  }

  async hello(): Promise<void> {
    await this.#send('hello', { now: this.#now(), server: this.#state, grants: [...this.#grants.values()] })
  }

  async tell(): Promise<void> {
    const { watch, monotonic } = this.#parts
    if (watch.state !== this.#state) {
      this.#state = watch.state
      await this.#send('server', this.#state)
    }
    await this.#tellEvents()
    if (monotonic() - this.#toldGrants >= GRANTS_PAUSE) {
      const before = this.#grants
      this.#grants = watch.grants
      const changes = changesBetween(before, this.#grants)
      if (changes !== undefined) {
        await this.#send('grants', changes)
        this.#toldGrants = monotonic()
      }
    }
    if (this.untilBeat === 0) await this.#send('beat', { now: this.#now() })
  }

  async #tellEvents(): Promise<void> {
    const { watch } = this.#parts
    const { events, lost } = watch.after(this.#lastEvent)
    if (lost > 0) {
      this.#lastEvent += lost
      await this.#send('lost', { count: lost })
    }
    for (let at = 0; at < events.length; at += MOST_EVENTS) {
      const some = events.slice(at, at + MOST_EVENTS)
      this.#lastEvent = some.at(-1)?.id ?? this.#lastEvent
      await this.#send('events', { events: some })
    }
  }

  async #send(event: string, data: object): Promise<void> {
    await this.#write(`id: ${this.#lastEvent}\nevent: ${event}\ndata: ${jsonLine(data)}\n\n`)
    this.#told = this.#parts.monotonic()
  }

  #now(): string {
    return this.#parts.wall().toISOString()
  }
}

/** Waits, for as long as there is no news. One listener for all of a stream: it lasts for hours. */
class News {
  readonly #signal: AbortSignal
  readonly #onEnd = (): void => {
    this.#waiting?.()
    this.#leaving?.()
  }
  #waiting: (() => void) | undefined
  #leaving: (() => void) | undefined
  #isThere = false

  constructor(signal: AbortSignal) {
    this.#signal = signal
    signal.addEventListener('abort', this.#onEnd)
  }

  wake(): void {
    this.#isThere = true
    this.#waiting?.()
  }

  /** Until there is news, the signal, or the time is over. */
  async wait(longest: Milliseconds): Promise<void> {
    if (!this.#isThere && !this.#signal.aborted) await this.#sleep(longest, (resolve) => (this.#waiting = resolve))
    this.#waiting = undefined
    this.#isThere = false
  }

  /** Until the signal, or the time is over. */
  async pause(time: Milliseconds): Promise<void> {
    if (!this.#signal.aborted) await this.#sleep(time, (resolve) => (this.#leaving = resolve))
    this.#leaving = undefined
  }

  /** Calls back at the signal, until it is taken back. */
  leaving(call: (() => void) | undefined): void {
    this.#leaving = call
    if (this.#signal.aborted) call?.()
  }

  end(): void {
    this.#signal.removeEventListener('abort', this.#onEnd)
  }

  #sleep(time: Milliseconds, keep: (resolve: () => void) => void): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, time)
      keep(() => {
        clearTimeout(timer)
        resolve()
      })
    })
  }
}

/** @throws PageGone where the page does not take it in time, or is gone. */
function taken(written: Promise<void>, news: News): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (done: () => void): void => {
      clearTimeout(timer)
      news.leaving(undefined)
      done()
    }
    const gone = (): void => settle(() => reject(new PageGone('the page is gone, or does not read')))
    const timer = setTimeout(gone, READ_TIME)
    written.then(() => settle(resolve), gone)
    news.leaving(gone)
  })
}

/** Nothing went wrong here. */
class PageGone extends Error {}
