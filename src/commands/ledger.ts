/**
 * The closes that are owed, on the disk. An entry is there before its open command starts, and goes when its close has
 * ended. So a crash, a restart or a reload forgets none.
 */

import { existsSync, unlinkSync } from 'node:fs'
import { resolve } from 'node:path'
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import type { AccountName, RunAs } from '../access/command.ts'
import type { Words } from '../bytes/words.ts'
import { integer, list, mapped, type Reader, record, text } from '../json-reader.ts'
import { type Failure, ok, type Result, refuse } from '../result.ts'
import { systemReason } from '../system/errno.ts'
import { prepareServerFile } from '../system/server-file.ts'
import { type Seconds, seconds } from '../units.ts'
import type { Environment } from './environment.ts'

/** What a log and a status say of a cycle. */
export interface CycleAbout {
  /** The stanza’s name or number when it opened. */
  readonly stanza: string
  /** Whom it is open for. */
  readonly source: string
  /** `tcp/22`, `tcp/80→10.0.0.5:8080`. */
  readonly open: string
  readonly user: string
}

/** A close that is owed. */
export interface OwedClose {
  /** What the cycle is for: the same knock again has the same key. */
  readonly key: string
  readonly about: CycleAbout
  /** As it was when the port was opened: the stanza may have changed since, or be gone. */
  readonly close: {
    readonly words: Words
    readonly runAs: RunAs
    readonly facts: Environment
    readonly timeout: Seconds
  }
  /** Milliseconds since the boot of {@link boot}, suspensions included. */
  readonly due: number
  /** The boot in which it opened, by the kernel’s name for it. */
  readonly boot: string
  /** Whether the open command has ended well. */
  readonly opened: boolean
}

type LedgerFailure = Failure<'COMMANDS_UNAVAILABLE'>

const LONGEST = 4096
const words = mapped(list(text({ max: LONGEST }), { min: 1, max: 1000 }), (read) => read as unknown as Words)
const account = mapped(text({ max: 64 }), (name) => name as AccountName)
const environment: Reader<Environment> = (value) => {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  const entries = Object.entries(value)
  return entries.every(([, each]) => typeof each === 'string') ? Object.fromEntries(entries) : undefined
}
const entry = record(
  {
    about: record(
      { stanza: text({ max: 64 }), source: text({ max: 64 }), open: text({ max: 200 }), user: text({ max: 64 }) },
      {},
    ),
    close: record(
      {
        words,
        runAs: record({}, { user: account, group: account }),
        facts: environment,
        timeout: mapped(integer({ min: 1, max: 86_400 }), seconds),
      },
      {},
    ),
  },
  {},
)

const SCHEMA = `CREATE TABLE IF NOT EXISTS owed (
  key TEXT PRIMARY KEY, entry TEXT NOT NULL, boot TEXT NOT NULL, due REAL NOT NULL, opened INTEGER NOT NULL
) STRICT`

/** Open for one process at a time: the kernel lets go of its lock with the process. */
export class Ledger {
  readonly #db: DatabaseSync
  readonly #path: string
  readonly #put: StatementSync
  readonly #remove: StatementSync

  private constructor(db: DatabaseSync, path: string) {
    this.#db = db
    this.#path = path
    this.#put = db.prepare('INSERT OR REPLACE INTO owed VALUES (?, ?, ?, ?, ?)')
    this.#remove = db.prepare('DELETE FROM owed WHERE key = ?')
  }

  /**
   * Makes the file if there is none.
   * @returns COMMANDS_UNAVAILABLE, with the reason for the operator.
   */
  static open(path: string): Result<Ledger, LedgerFailure> {
    try {
      const exposed = prepareServerFile(path)
      if (exposed !== undefined) return refuse('COMMANDS_UNAVAILABLE', exposed.detail)
      const mask = process.umask(0o077)
      try {
        const db = new DatabaseSync(resolve(path))
        // An earlier executor may still be ending.
        db.exec('PRAGMA busy_timeout = 10000')
        db.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA synchronous = EXTRA; PRAGMA journal_mode = DELETE')
        db.exec(SCHEMA)
        // Takes the lock, also where the table was there already.
        db.exec('BEGIN EXCLUSIVE; COMMIT')
        return ok(new Ledger(db, path))
      } finally {
        process.umask(mask)
      }
    } catch (error) {
      return unusable(path, error)
    }
  }

  /** @returns all entries, and how many cannot be read. */
  read(): Result<{ readonly owed: readonly OwedClose[]; readonly unreadable: number }, LedgerFailure> {
    try {
      const rows = this.#db.prepare('SELECT key, entry, boot, due, opened FROM owed').all()
      const owed = rows.flatMap(({ key, entry: text, boot, due, opened }) => {
        const read = parseEntry(String(text))
        if (read === undefined) return []
        return [{ key: String(key), ...read, boot: String(boot), due: Number(due), opened: opened === 1 }]
      })
      return ok({ owed, unreadable: rows.length - owed.length })
    } catch (error) {
      return unusable(this.#path, error)
    }
  }

  /** Durable when this returns. */
  put({ key, about, close, boot, due, opened }: OwedClose): Result<void, LedgerFailure> {
    return this.#do(() => this.#put.run(key, JSON.stringify({ about, close }), boot, due, opened ? 1 : 0))
  }

  /** Durable when this returns. */
  remove(key: string): Result<void, LedgerFailure> {
    return this.#do(() => this.#remove.run(key))
  }

  close(): void {
    this.#db.close()
  }

  /** For a ledger that is not needed any more, and has no entry. */
  removeFile(): void {
    this.close()
    if (existsSync(this.#path)) unlinkSync(this.#path)
  }

  #do(work: () => unknown): Result<void, LedgerFailure> {
    try {
      work()
      return ok(undefined)
    } catch (error) {
      return unusable(this.#path, error)
    }
  }
}

function parseEntry(json: string): Pick<OwedClose, 'about' | 'close'> | undefined {
  try {
    return entry(JSON.parse(json))
  } catch {
    return undefined
  }
}

function unusable(path: string, error: unknown) {
  return refuse(
    'COMMANDS_UNAVAILABLE',
    `the closes that are owed cannot be recorded in ${path}: ${systemReason(error)}`,
  )
}
