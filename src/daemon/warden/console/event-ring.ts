/** The newest lines of the log, for the console: bounded in number and size. Each has a number that never repeats. */
import type { Log, LogField, LogLevel } from '../../../log.ts'
import type { ConsoleEvent, ConsoleEvents } from '../../link/console-protocol.ts'

/** Some minutes of a busy server. */
const MOST_EVENTS = 5000
/** Of one answer. */
const MOST_AT_ONCE = 500
/** Characters of one text. */
const LONGEST_TEXT = 1000

type Fields = { readonly [name: string]: LogField }

/** A log that passes on what it gets, and keeps the newest of it. */
export class EventRing implements Log {
  readonly #log: Log
  readonly #wall: () => Date
  readonly #kept: ConsoleEvent[] = []
  /** The number of the last event. */
  #last = 0
  #waiting: (() => void)[] = []

  constructor(log: Log, wall: () => Date = () => new Date()) {
    this.#log = log
    this.#wall = wall
  }

  write(level: LogLevel, event: string, fields: Fields = {}): void {
    this.#log.write(level, event, fields)
    const time = this.#wall().toISOString()
    this.#kept.push({ ...shortened(fields), number: ++this.#last, time, level, event })
    if (this.#kept.length >= 2 * MOST_EVENTS) this.#kept.splice(0, this.#kept.length - MOST_EVENTS)
    for (const wake of this.#waiting.splice(0)) wake()
  }

  /** @param number of the last event that the asker has. One of an earlier server: all that is kept. */
  after(number: number): ConsoleEvents {
    const from = number > this.#last ? 0 : number
    const [oldest] = this.#kept
    const start = oldest === undefined ? 0 : Math.max(0, from + 1 - oldest.number)
    const events = this.#kept.slice(start, start + MOST_AT_ONCE)
    const [first] = events
    return {
      events,
      next: events.at(-1)?.number ?? this.#last,
      lost: first === undefined ? 0 : first.number - from - 1,
    }
  }

  /** Resolves at the next event, or at the signal. */
  more(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        signal.removeEventListener('abort', wake)
        resolve()
      }
      this.#waiting.push(wake)
      signal.addEventListener('abort', () => {
        this.#waiting = this.#waiting.filter((one) => one !== wake)
        resolve()
      })
    })
  }
}

function shortened(fields: Fields): Fields {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [
      name,
      typeof value === 'string' && value.length > LONGEST_TEXT ? `${value.slice(0, LONGEST_TEXT - 1)}…` : value,
    ]),
  )
}
