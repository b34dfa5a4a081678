/**
 * What the console has seen of the server's log, in SQLite (`node:sqlite`): bounded in number and age, and there again
 * after the process was killed. WAL with synchronous=NORMAL: a power cut may take the last second, and breaks nothing.
 */
import { join } from 'node:path'
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { jsonLine } from '../bytes/text.ts'
import { failureKinds } from '../failure-codes.ts'
import { type Failure, ok, type Result, refuse } from '../result.ts'
import { systemReason } from '../system/errno.ts'
import { type KeptEvent, keptEvent, type NewEvent, ownEvent, textOf } from './event.ts'

/** Rows of one look. Filters are applied to them, so that no question holds the process for long. */
export const WINDOW = 5_000
/** Rows that are removed at once. */
const PIECE = 1_000
/** Of the tables below. */
const VERSION = 1
const SCHEMA = `
  CREATE TABLE IF NOT EXISTS events (
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    verdict TEXT,
    code TEXT,
    source TEXT,
    json TEXT NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS place (one INTEGER PRIMARY KEY CHECK (one = 1), server TEXT NOT NULL, number INTEGER NOT NULL) STRICT;
  PRAGMA user_version = ${VERSION};`

/** How far the log of the server was read: of which start of it, and up to which number. */
export interface Place {
  readonly server: string
  readonly number: number
}

export interface HistoryBounds {
  readonly days: number
  readonly events: number
}

/** A row without the whole event: for sums. */
export interface EventRow {
  readonly id: number
  /** Unix milliseconds. */
  readonly at: number
  readonly verdict: string | undefined
  readonly code: string | undefined
  readonly source: string | undefined
  /** Refusals that the server did not log one by one: code → how many. */
  readonly counts: Readonly<Record<string, number>> | undefined
}

/** Each statement is prepared once: those that are thrown away take memory until the next collection. */
export class History {
  readonly #database: DatabaseSync
  readonly #bounds: HistoryBounds
  readonly #insert: StatementSync
  readonly #move: StatementSync
  readonly #before: StatementSync
  readonly #rows: StatementSync
  readonly #first: StatementSync
  readonly #surplus: StatementSync
  readonly #old: StatementSync
  #last: number
  #kept: number
  /** In memory too: where it cannot be written, the same events are not read again and again. */
  #place: Place | undefined
  /** Events that could not be written, and that the history does not know. */
  #missing = 0
  /** Why the last events were not kept. */
  problem: string | undefined

  private constructor(database: DatabaseSync, bounds: HistoryBounds) {
    this.#database = database
    this.#bounds = bounds
    this.#insert = database.prepare(
      'INSERT INTO events (id, at, verdict, code, source, json) VALUES (?, ?, ?, ?, ?, ?)',
    )
    this.#move = database.prepare('INSERT OR REPLACE INTO place (one, server, number) VALUES (1, ?, ?)')
    this.#before = database.prepare('SELECT id, json FROM events WHERE id < ? ORDER BY id DESC LIMIT ?')
    this.#rows = database.prepare(
      `SELECT id, at, verdict, code, source, CASE WHEN verdict IS NULL AND instr(json, '"suppressed"') THEN json END AS json
       FROM events WHERE id < ? ORDER BY id DESC LIMIT ?`,
    )
    this.#first = database.prepare('SELECT id, json FROM events ORDER BY id LIMIT 1')
    this.#surplus = database.prepare('DELETE FROM events WHERE id <= ?')
    this.#old = database.prepare(
      'DELETE FROM events WHERE id IN (SELECT id FROM (SELECT id, at FROM events ORDER BY id LIMIT ?) WHERE at < ?)',
    )
    this.#last = Number(database.prepare('SELECT max(id) AS last FROM events').get()?.['last'] ?? 0)
    this.#kept = Number(database.prepare('SELECT count(*) AS kept FROM events').get()?.['kept'] ?? 0)
    const place = database.prepare('SELECT server, number FROM place').get()
    if (place !== undefined) this.#place = { server: String(place['server']), number: Number(place['number']) }
  }

  /** @param folder of the console, which only its user may write to. @returns CONFIG_UNREADABLE if it is damaged. */
  static open(folder: string, bounds: HistoryBounds): Result<History, Failure<'CONFIG_UNREADABLE'>> {
    const path = join(folder, 'history.db')
    try {
      const database = new DatabaseSync(path)
      database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA journal_size_limit = 4194304')
      // Another program that looks at it may hold it for a moment.
      database.exec('PRAGMA busy_timeout = 200')
      const version = Number(database.prepare('PRAGMA user_version').get()?.['user_version'])
      if (version > VERSION)
        return refuse('CONFIG_UNREADABLE', `${path} was written by a newer ghostport`, {
          suggestion: `install that version again, or begin a new history: mv ${path} ${path}.old`,
        })
      database.exec(SCHEMA)
      return ok(new History(database, bounds))
    } catch (error) {
      return refuse('CONFIG_UNREADABLE', `${path} cannot be used: ${systemReason(error)}`, {
        suggestion: `move it away; the console begins a new one: mv ${path} ${path}.old`,
      })
    }
  }

  /** The number of the last event. */
  get last(): number {
    return this.#last
  }

  get kept(): number {
    return this.#kept
  }

  get oldest(): KeptEvent | undefined {
    const row = this.#first.get()
    return row === undefined ? undefined : eventOf(row)
  }

  place(): Place | undefined {
    return this.#place
  }

  /**
   * Keeps the events and how far the log was read, in one step. They get numbers also where the disk is full. The next
   * ones that can be written are followed by an event that says how many are missing.
   */
  append(events: readonly NewEvent[], place: Place): readonly KeptEvent[] {
    const kept = events.map((event) => keptEvent(++this.#last, event))
    this.#place = place
    if (!this.#write(events, kept, place)) {
      this.#missing += events.length
      return kept
    }
    this.#forgetSurplus()
    const missing = this.#missing
    if (missing === 0) return kept
    this.#missing = 0
    const gap = ownEvent(new Date(), `${missing} events could not be written here, and are missing`, { lost: missing })
    return [...kept, ...this.append([gap], place)]
  }

  /** @returns whether they are written; else `problem` says why not. */
  #write(events: readonly NewEvent[], kept: readonly KeptEvent[], place: Place): boolean {
    try {
      this.#database.exec('BEGIN IMMEDIATE')
      for (const [i, event] of events.entries()) {
        const { id, at } = kept[i] as KeptEvent
        const [verdict, code, source] = ['verdict', 'code', 'source'].map((field) => textOf(event, field) ?? null)
        this.#insert.run(id, Date.parse(at) || 0, verdict ?? null, code ?? null, source ?? null, jsonLine(kept[i]))
      }
      this.#move.run(place.server, place.number)
      this.#database.exec('COMMIT')
    } catch (error) {
      this.problem = `the history cannot be written: ${systemReason(error)}`
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK')
      return false
    }
    this.problem = undefined
    this.#kept += events.length
    return true
  }

  #forgetSurplus(): void {
    try {
      this.#forgot(this.#surplus.run(this.#last - this.#bounds.events))
    } catch (error) {
      this.problem = `old events of the history cannot be removed: ${systemReason(error)}`
    }
  }

  #forgot({ changes }: { readonly changes: number | bigint }): number {
    this.#kept -= Number(changes)
    return Number(changes)
  }

  /** Removes what is too old, a piece at a time. @returns whether there may be more. */
  forgetOld(now: number): boolean {
    return this.#forgot(this.#old.run(PIECE, now - this.#bounds.days * 86_400_000)) === PIECE
  }

  /** Newest first. @param before the number that comes after all of these. */
  eventsBefore(before: number, most: number): readonly KeptEvent[] {
    return this.#before.all(before, most).map(eventOf)
  }

  rowsBefore(before: number, most: number): readonly EventRow[] {
    return this.#rows.all(before, most).map(({ id, at, verdict, code, source, json }) => ({
      id: Number(id),
      at: Number(at),
      verdict: verdict === null ? undefined : String(verdict),
      code: code === null ? undefined : String(code),
      source: source === null ? undefined : String(source),
      counts: json === null ? undefined : countsOf(JSON.parse(String(json)) as KeptEvent),
    }))
  }

  close(): void {
    this.#database.close()
  }
}

function eventOf(row: Readonly<Record<string, unknown>>): KeptEvent {
  return JSON.parse(String(row['json'])) as KeptEvent
}

/** As the journal of the server writes it: `suppressed`, with `counts`. */
function countsOf(event: KeptEvent): Readonly<Record<string, number>> {
  const { counts } = event
  if (event.event !== 'suppressed' || typeof counts !== 'object' || counts === null) return {}
  return Object.fromEntries(
    Object.entries(counts).filter(
      (entry): entry is [string, number] => typeof entry[1] === 'number' && Object.hasOwn(failureKinds, entry[0]),
    ),
  )
}
