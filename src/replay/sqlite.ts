/**
 * Used packets in SQLite, through `node:sqlite`. WAL with synchronous=FULL: a commit is on the disk before the claim is
 * answered, so that no power cut makes a used packet new. The database is locked for this process alone for as long as
 * it is open, and the kernel lets go of the lock with the process, however it dies.
 */
import { closeSync, existsSync, openSync, readSync, statSync } from 'node:fs'
import { resolve as absolute } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { decodeBase64 } from '../bytes/base64.ts'
import type { FwknopDigest, ReplayDigest } from '../packet/replay-digest.ts'
import { type Failure, ok, type Refused, type Result, refuse } from '../result.ts'
import type { Seconds, UnixSeconds } from '../units.ts'
import { ForgottenTimes } from './forgotten-times.ts'
import { fileIdentity, judgeFile, judgePrivatePath, preparePrivatePath, systemReason } from './private-file.ts'
import type { Claim, ReplayFailure, ReplayStore } from './replay-store.ts'
import { APPLICATION_ID, createDatabase, SCHEMA_VERSION } from './schema.ts'
import { sqliteFault } from './sqlite-failure.ts'
import { oldestAdmissible, oldestAdmissibleSighting, timesAround } from './window.ts'

export interface SqliteReplayStoreOptions {
  /** REPLAY_DB. Its directory is made, mode 0700, where there is none; the file has mode 0600. */
  readonly path: string
  /** The age window of the policy: what lies outside is forgotten. `'unlimited'` remembers for ever. */
  readonly maxAge: Seconds | 'unlimited'
}

/** A packet that fwknopd remembered. */
export interface ImportedSighting {
  readonly digest: FwknopDigest
  readonly seen: UnixSeconds
}

export interface ImportCount {
  readonly imported: number
  /** Left out: the age check refuses them without a memory. */
  readonly outdated: number
  /** Known already. */
  readonly known: number
}

type Answer = 'first' | 'replayed'
type Answers = Result<readonly Answer[], ReplayFailure>

interface KeyedClaim {
  readonly digest: Uint8Array
  readonly fwknopDigest: Uint8Array
  readonly timestamp: UnixSeconds
}

interface PendingCall {
  readonly claims: readonly KeyedClaim[]
  readonly resolve: (answers: Answers) => void
}

interface State {
  claimed: number
  imported: number
  forgotten: ForgottenTimes
}

/** What a batch forgets at least; twice its own size is added, so that forgetting outruns remembering. */
const FORGET_AT_LEAST = 8
const DIGEST_BYTES = 32

/**
 * Opens the store, or makes an empty one where there is none. Takes the same time whatever the number of entries.
 * @returns REPLAY_STORE_LOCKED: another process has it. REPLAY_STORE_CORRUPT: damaged, or not ours; the detail says how
 *   to go on. REPLAY_STORE_FAILED: no place that only we may write to, or none that can be written.
 */
export function openSqliteReplayStore(options: SqliteReplayStoreOptions): Result<SqliteReplayStore, ReplayFailure> {
  const { maxAge } = options
  const path = absolute(options.path)
  const problem = preparePrivatePath(path) ?? judgeFile(`${path}-wal`)
  if (problem !== undefined) return refuse('REPLAY_STORE_FAILED', problem)
  try {
    if (!existsSync(path)) {
      // SQLite would play the log of the lost database into the new one.
      if (existsSync(`${path}-wal`)) return corrupt(options, `${path} is gone but its log ${path}-wal is there`)
      createDatabase(path)
    } else if (statSync(path).size === 0) return corrupt(options, `${path} is empty`)
  } catch (error) {
    return refuse('REPLAY_STORE_FAILED', `${path}: ${systemReason(error)}`)
  }

  let db: DatabaseSync | undefined
  try {
    db = new DatabaseSync(path)
    // EXCLUSIVE before the first read: the log's index then lives in memory, and the first read takes the lock.
    db.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA synchronous = FULL; PRAGMA cell_size_check = ON')
    const foreign = whatIsForeign(db)
    if (foreign !== undefined) {
      db.close()
      return corrupt(options, `${path} ${foreign}`)
    }
    return ok(new SqliteReplayStore(db, path, maxAge))
  } catch (error) {
    try {
      db?.close()
    } catch {
      // Already failing: the first error is the one to tell.
    }
    return failureOf(error, options)
  }
}

const SQLITE_MAGIC = Buffer.from('SQLite format 3\0', 'latin1')
/** Bytes of the header of a database (SQLite file format § 1.3), and where in it two numbers of ours are. */
const HEADER = 100
const USER_VERSION_AT = 60
const APPLICATION_ID_AT = 68

/**
 * What {@link openSqliteReplayStore} would say of a file, by its first bytes: without locking it and without making any.
 * For a process that holds no lock on the file itself: closing a descriptor would drop it.
 */
export function judgeReplayStore(options: SqliteReplayStoreOptions): Failure<ReplayFailure['code']> | undefined {
  const path = absolute(options.path)
  const problem = judgePrivatePath(path) ?? judgeFile(`${path}-wal`)
  if (problem !== undefined) return refuse('REPLAY_STORE_FAILED', problem).failure
  const wrong = (what: string) => corrupt(options, `${path} ${what}`).failure
  if (!existsSync(path))
    return existsSync(`${path}-wal`) ? wrong(`is gone but its log ${path}-wal is there`) : undefined
  const header = Buffer.alloc(HEADER)
  let length = 0
  try {
    const descriptor = openSync(path, 'r')
    try {
      length = readSync(descriptor, header, 0, HEADER, 0)
    } finally {
      closeSync(descriptor)
    }
  } catch (error) {
    return refuse('REPLAY_STORE_FAILED', `${path}: ${systemReason(error)}`).failure
  }
  if (length === 0) return wrong('is empty')
  if (length < HEADER || !header.subarray(0, SQLITE_MAGIC.length).equals(SQLITE_MAGIC)) return wrong('is no database')
  if (header.readUInt32BE(APPLICATION_ID_AT) !== APPLICATION_ID) return wrong('is a database of another program')
  const version = header.readUInt32BE(USER_VERSION_AT)
  return version === SCHEMA_VERSION
    ? undefined
    : wrong(`has version ${version}; this ghostport knows ${SCHEMA_VERSION}`)
}

/** Made by {@link openSqliteReplayStore} only. */
export class SqliteReplayStore implements ReplayStore {
  readonly #db: DatabaseSync
  readonly #path: string
  readonly #maxAge: Seconds | 'unlimited'
  readonly #identity: string | undefined
  readonly #statements: ReturnType<typeof prepare>
  #state: State
  #pending: PendingCall[] = []
  #latest = 0 as UnixSeconds
  #closed = false
  /** Damage does not heal: once it is seen, nothing is first any more. */
  #damage: Refused<ReplayFailure> | undefined

  constructor(db: DatabaseSync, path: string, maxAge: Seconds | 'unlimited') {
    this.#db = db
    this.#path = path
    this.#maxAge = maxAge
    this.#identity = fileIdentity(path)
    this.#statements = prepare(db)
    this.#state = readState(this.#statements)
  }

  /** Calls made within one turn of the event loop share a commit. */
  async claim(claims: readonly Claim[], now: UnixSeconds): Promise<Answers> {
    const keyed = claims.map(({ digest, fwknopDigest, timestamp }) => {
      return { digest: keyOf(digest), fwknopDigest: keyOf(fwknopDigest), timestamp }
    })
    return new Promise((resolve) => {
      this.#latest = now
      if (this.#pending.push({ claims: keyed, resolve }) === 1) queueMicrotask(() => this.#commitPending())
    })
  }

  /** Packets claimed here; {@link importedSize} are beside them. */
  size(): number {
    return this.#state.claimed
  }

  importedSize(): number {
    return this.#state.imported
  }

  /** Whether {@link importSightings} was done under this name. */
  hasImported(identity: string): boolean {
    return this.#statements.findImport.get(identity) !== undefined
  }

  /**
   * Takes over what fwknopd remembered, all or nothing, and remembers `identity` as done. Doing it twice changes nothing.
   * Blocks for about a second for each 100 000 sightings: meant for start-up.
   */
  importSightings(
    sightings: Iterable<ImportedSighting>,
    identity: string,
    now: UnixSeconds,
  ): Result<ImportCount, ReplayFailure> {
    return this.#transaction((state) => {
      const oldest = oldestAdmissibleSighting(now, this.#maxAge)
      const count = { imported: 0, outdated: 0, known: 0 }
      for (const { digest, seen } of sightings) {
        if (oldest !== undefined && seen < oldest) {
          this.#forgetSighting(state, seen)
          count.outdated++
        } else if (this.#statements.importDigest.run(keyOf(digest), seen).changes === 1) count.imported++
        else count.known++
      }
      state.imported += count.imported
      this.#statements.rememberImport.run(identity, now)
      return count
    })
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#commitPending()
    this.#closed = true
    this.#db.close()
  }

  #commitPending(): void {
    const calls = this.#pending
    if (calls.length === 0) return
    this.#pending = []
    const outcome = this.#transaction((state) => {
      const answers = calls.map(({ claims }) => claims.map((claim) => this.#record(state, claim)))
      this.#forget(state, 2 * answers.flat().length + FORGET_AT_LEAST)
      return answers
    })
    for (const [i, call] of calls.entries()) call.resolve(outcome.ok ? ok(outcome.value[i] ?? []) : outcome)
  }

  #record(state: State, { digest, fwknopDigest, timestamp }: KeyedClaim): Answer {
    if (state.forgotten.has(timestamp)) return 'replayed'
    if (state.imported > 0 && this.#statements.findImported.get(fwknopDigest) !== undefined) return 'replayed'
    if (this.#statements.claim.run(digest, timestamp).changes === 0) return 'replayed'
    state.claimed++
    return 'first'
  }

  /** Drops at most `limit` entries that no age check would admit, oldest first: a little with each commit, never all. */
  #forget(state: State, limit: number): void {
    const oldest = oldestAdmissible(this.#latest, this.#maxAge)
    const oldestSighting = oldestAdmissibleSighting(this.#latest, this.#maxAge)
    if (oldest === undefined || oldestSighting === undefined) return
    for (const row of this.#statements.outdated.all(oldest, limit)) {
      this.#statements.forget.run(blob(row['digest']))
      state.claimed--
      const time = Number(row['timestamp'])
      state.forgotten = state.forgotten.with({ first: time, last: time })
    }
    if (state.imported === 0) return
    for (const row of this.#statements.outdatedImports.all(oldestSighting, limit)) {
      this.#statements.forgetImport.run(blob(row['digest']))
      state.imported--
      this.#forgetSighting(state, Number(row['seen']))
    }
  }

  #forgetSighting(state: State, seen: number): void {
    state.forgotten = state.forgotten.with(timesAround(seen, this.#maxAge))
  }

  /** All of `work` is on the disk when this returns, or none of it happened. */
  #transaction<T>(work: (state: State) => T): Result<T, ReplayFailure> {
    if (this.#closed) return refuse('REPLAY_STORE_FAILED', `${this.#path} is closed`)
    if (this.#damage !== undefined) return this.#damage
    try {
      // A database without its name is lost at the next start, and a second daemon could make another under that name.
      if (fileIdentity(this.#path) !== this.#identity) {
        return refuse('REPLAY_STORE_FAILED', `${this.#path} was moved or deleted while in use: restart ghostport`)
      }
      const state = { ...this.#state }
      this.#db.exec('BEGIN IMMEDIATE')
      const value = work(state)
      this.#save(state)
      this.#db.exec('COMMIT')
      this.#state = state
      return ok(value)
    } catch (error) {
      this.#rollBack()
      const failure = failureOf(error, { path: this.#path, maxAge: this.#maxAge })
      if (failure.failure.code === 'REPLAY_STORE_CORRUPT') this.#damage = failure
      return failure
    }
  }

  #save(state: State): void {
    if (state.claimed !== this.#state.claimed || state.imported !== this.#state.imported)
      this.#statements.saveState.run(state.claimed, state.imported)
    if (state.forgotten === this.#state.forgotten) return
    const before = new Set(this.#state.forgotten.ranges)
    const now = new Set(state.forgotten.ranges)
    for (const range of before) if (!now.has(range)) this.#statements.dropForgotten.run(range.first)
    for (const range of now) if (!before.has(range)) this.#statements.saveForgotten.run(range.first, range.last)
  }

  #rollBack(): void {
    try {
      this.#db.exec('ROLLBACK')
    } catch {
      // SQLite rolls back by itself where it must (a full disk, an I/O error), and there is nothing left to end.
    }
  }
}

function prepare(db: DatabaseSync) {
  return {
    claim: db.prepare('INSERT OR IGNORE INTO claimed VALUES (?, ?)'),
    outdated: db.prepare('SELECT digest, timestamp FROM claimed WHERE timestamp < ? ORDER BY timestamp LIMIT ?'),
    forget: db.prepare('DELETE FROM claimed WHERE digest = ?'),
    importDigest: db.prepare('INSERT OR IGNORE INTO imported VALUES (?, ?)'),
    findImported: db.prepare('SELECT 1 FROM imported WHERE digest = ?'),
    outdatedImports: db.prepare('SELECT digest, seen FROM imported WHERE seen < ? ORDER BY seen LIMIT ?'),
    forgetImport: db.prepare('DELETE FROM imported WHERE digest = ?'),
    rememberImport: db.prepare('INSERT OR REPLACE INTO import_file VALUES (?, ?)'),
    findImport: db.prepare('SELECT 1 FROM import_file WHERE identity = ?'),
    state: db.prepare('SELECT claimed, imported FROM state'),
    saveState: db.prepare('UPDATE state SET claimed = ?, imported = ?'),
    forgotten: db.prepare('SELECT first, last FROM forgotten'),
    saveForgotten: db.prepare('INSERT INTO forgotten VALUES (?, ?)'),
    dropForgotten: db.prepare('DELETE FROM forgotten WHERE first = ?'),
  }
}

function readState({ state, forgotten }: ReturnType<typeof prepare>): State {
  const row = state.get()
  const ranges = forgotten.all().map(({ first, last }) => ({ first: Number(first), last: Number(last) }))
  return {
    claimed: Number(row?.['claimed']),
    imported: Number(row?.['imported']),
    forgotten: ForgottenTimes.of(ranges),
  }
}

/** The first read of the file: takes the lock, plays back the log after a crash, and finds most kinds of damage. */
function whatIsForeign(db: DatabaseSync): string | undefined {
  const application = db.prepare('PRAGMA application_id').get()?.['application_id']
  const version = db.prepare('PRAGMA user_version').get()?.['user_version']
  if (application !== APPLICATION_ID) return 'is a database of another program'
  if (version !== SCHEMA_VERSION) return `has version ${version}; this ghostport knows version ${SCHEMA_VERSION}`
  if (db.prepare('SELECT one FROM state').get() === undefined) return 'has lost its state'
  return undefined
}

function failureOf(error: unknown, options: SqliteReplayStoreOptions): Refused<ReplayFailure> {
  const { kind, reason } = sqliteFault(error)
  switch (kind) {
    case 'busy':
      return refuse('REPLAY_STORE_LOCKED', `${options.path} is in use by another process`)
    case 'corrupt':
      return corrupt(options, `${options.path}: ${reason}`)
    case 'failed':
      return refuse('REPLAY_STORE_FAILED', `${options.path}: ${reason}`)
    default:
      return kind satisfies never
  }
}

function corrupt({ path, maxAge }: SqliteReplayStoreOptions, what: string): Refused<Failure<'REPLAY_STORE_CORRUPT'>> {
  const risk =
    maxAge === 'unlimited'
      ? 'with packet aging off, every packet ever used can then be replayed once; change the keys if you cannot rule that out'
      : `packets used within the last ${maxAge} s can then be replayed once, so wait that long first`
  return refuse('REPLAY_STORE_CORRUPT', `${what}. To go on, move ${path} and ${path}-wal away and start again: ${risk}`)
}

function keyOf(digest: ReplayDigest | FwknopDigest): Uint8Array {
  const key = decodeBase64(digest)
  if (key?.length !== DIGEST_BYTES) throw new TypeError('not a digest: only digests of SHA-256 are kept')
  return key
}

function blob(value: unknown): Uint8Array {
  if (value instanceof Uint8Array) return value
  throw new TypeError('a digest that is no blob')
}
