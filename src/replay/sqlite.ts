/**
 * Used packets in SQLite, through `node:sqlite`. WAL with synchronous=FULL: a commit is on the disk before the claim is
 * answered, so that no power cut makes a used packet new. The database is locked for this process alone for as long as
 * it is open, and the kernel lets go of the lock with the process, however it dies.
 */
import { existsSync, statSync } from 'node:fs'
import { resolve as absolute, dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { decodeBase64 } from '../bytes/base64.ts'
import type { FwknopDigest, ReplayDigest } from '../packet/replay-digest.ts'
import { ok, type Refused, type Result, refuse } from '../result.ts'
import { systemReason } from '../system/errno.ts'
import { fileIdentity, judgeFile, preparePrivatePath } from '../system/private-path.ts'
import type { Seconds, UnixSeconds } from '../units.ts'
import { ClaimGate, type GateOptions } from './claim-gate.ts'
import { DiskRoom, FEW, type Room } from './disk-room.ts'
import { corrupt } from './judge-store.ts'
import type { Answer, Claim, ReplayFailure, ReplayStore } from './replay-store.ts'
import { APPLICATION_ID, createDatabase, SCHEMA_VERSION, upgradeDatabase } from './schema.ts'
import { sqliteFault } from './sqlite-failure.ts'
import { prepare, readState, type State, type Statements } from './statements.ts'
import { oldestAdmissible, oldestAdmissibleSighting, timesAround } from './window.ts'

export interface SqliteReplayStoreOptions extends GateOptions {
  /** REPLAY_DB. Its directory is made, mode 0700, where there is none; the file has mode 0600. */
  readonly path: string
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

type Answers = Result<readonly Answer[], ReplayFailure>

interface KeyedClaim extends Claim {
  readonly key: Uint8Array
  readonly fwknopKey: Uint8Array
  readonly now: UnixSeconds
}

interface PendingCall {
  readonly claims: readonly KeyedClaim[]
  readonly resolve: (answers: Answers) => void
}

/** What a batch forgets at least; twice its own size is added, so that forgetting outruns remembering. */
const FORGET_AT_LEAST = 8
/** What is forgotten at once for each claim where the disk is nearly full. These entries are beside each other: a page has 90. */
const FORGET_FOR_ROOM = 20
/** The same for tables that nothing is added to. Each of their entries is on a page of its own. */
const FORGET_SCATTERED = 64
const DIGEST_BYTES = 32

/**
 * Opens the store, or makes an empty one where there is none. Takes the same time whatever the number of entries.
 * @returns REPLAY_STORE_LOCKED: another process has it. REPLAY_STORE_CORRUPT: damaged, or not ours; the detail says how
 *   to go on. REPLAY_STORE_FAILED: no place that only we may write to, or none that can be written.
 */
export function openSqliteReplayStore(options: SqliteReplayStoreOptions): Result<SqliteReplayStore, ReplayFailure> {
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
    return ok(new SqliteReplayStore(db, { ...options, path }))
  } catch (error) {
    try {
      db?.close()
    } catch {
      // Already failing: the first error is the one to tell.
    }
    return failureOf(error, options)
  }
}

/** Made by {@link openSqliteReplayStore} only. */
export class SqliteReplayStore implements ReplayStore {
  readonly #db: DatabaseSync
  readonly #path: string
  readonly #directory: string
  readonly #maxAge: Seconds | 'unlimited'
  readonly #gate: ClaimGate
  readonly #identity: string | undefined
  readonly #statements: Statements
  #state: State
  #pending: PendingCall[] = []
  #latest = 0 as UnixSeconds
  #closed = false
  /** Damage does not heal: once it is seen, nothing is first any more. */
  #damage: Refused<ReplayFailure> | undefined
  /** The disk failed the last commit, or had no room for it. */
  #cramped = false

  constructor(db: DatabaseSync, options: SqliteReplayStoreOptions) {
    const { path } = options
    this.#db = db
    this.#path = path
    this.#directory = dirname(path)
    this.#maxAge = options.maxAge
    this.#gate = new ClaimGate(options)
    this.#identity = fileIdentity(path)
    this.#statements = prepare(db)
    this.#state = readState(this.#statements)
  }

  /** Calls made within one turn of the event loop share a commit. */
  async claim(claims: readonly Claim[], now: UnixSeconds): Promise<Answers> {
    const keyed = claims.map((claim) => {
      return { ...claim, key: keyOf(claim.digest), fwknopKey: keyOf(claim.fwknopDigest), now }
    })
    return new Promise((resolve) => {
      this.#latest = now
      if (this.#pending.push({ claims: keyed, resolve }) === 1) queueMicrotask(() => this.#commitPending())
    })
  }

  /** Packets claimed here; {@link importedSize} are beside them. */
  async size(): Promise<number> {
    return this.#state.used + this.#state.claimed
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
    const outcome = this.#answer(calls.flatMap(({ claims }) => claims))
    let start = 0
    for (const { claims, resolve } of calls) {
      const end = start + claims.length
      resolve(outcome.ok ? ok(outcome.value.slice(start, end)) : outcome)
      start = end
    }
  }

  #answer(claims: readonly KeyedClaim[]): Answers {
    const looked = claims.map((claim) => this.#gate.look(claim, this.#state.forgotten, claim.now))
    // A flood of packets that are refused before the entries are asked costs no commit.
    if (looked.every((answer) => answer !== undefined)) return this.#unfit() ?? ok(looked)
    if (!this.#cramped && DiskRoom.of(this.#directory).isRoomy) {
      const done = this.#recordAll(claims, () => 'all')
      if (done.ok || !this.#cramped) return done
    }
    return this.#unfit() ?? this.#answerInPieces(claims)
  }

  /** Where the disk is nearly full, or fails: old entries go first, and each piece finds out what room there is. */
  #answerInPieces(claims: readonly KeyedClaim[]): Answers {
    this.#cramped = false
    const answers: Answer[] = []
    const { piece: length } = DiskRoom.of(this.#directory)
    for (let start = 0; start < claims.length; start += length) {
      const piece = claims.slice(start, start + length)
      this.#shortenLog()
      // What it cannot do, it tries again with the next piece.
      this.#transaction((state) => this.#forget(state, length * FORGET_FOR_ROOM))
      this.#shortenLog()
      const done = this.#recordAll(piece, () => DiskRoom.of(this.#directory).forClaims(this.#sparePages()))
      if (done.ok) answers.push(...done.value)
      else if (done.failure.code === 'REPLAY_STORE_FAILED') answers.push(...piece.map(() => done.failure as Answer))
      else return done
    }
    this.#shortenLog()
    return ok(answers)
  }

  /** Moves the log into the database and gives its room back. */
  #shortenLog(): void {
    try {
      this.#db.exec('PRAGMA wal_checkpoint(TRUNCATE)')
    } catch {
      // The log stays as long as it is, and stays good.
    }
  }

  #sparePages(): number {
    return Number(this.#statements.sparePages.get()?.['freelist_count'])
  }

  /** One commit. */
  #recordAll(claims: readonly KeyedClaim[], findRoom: () => Room): Answers {
    const recorded: KeyedClaim[] = []
    const done = this.#transaction((state) => {
      const room = findRoom()
      const answers = claims.map((claim) => {
        const answer = this.#record(state, claim, room)
        if (answer === 'first') {
          this.#gate.recorded(claim, claim.now)
          recorded.push(claim)
        }
        return answer
      })
      if (room === 'all') this.#forget(state, 2 * answers.length + FORGET_AT_LEAST)
      return answers
    })
    if (!done.ok) for (const claim of recorded) this.#gate.unrecorded(claim, claim.now)
    return done
  }

  #record(state: State, claim: KeyedClaim, room: Room): Answer {
    const { key, fwknopKey, timestamp, keyring, now } = claim
    const looked = this.#gate.look(claim, state.forgotten, now)
    if (looked !== undefined) return looked
    const statements = this.#statements
    if (state.imported > 0 && statements.findImported.get(fwknopKey) !== undefined) return 'replayed'
    if (state.claimed > 0 && statements.findClaimed.get(key) !== undefined) return 'replayed'
    if (room === 'none' || (room === 'few' && this.#gate.count(keyring, now) >= FEW)) {
      if (statements.find.get(timestamp, key) !== undefined) return 'replayed'
      return refuse('REPLAY_STORE_FAILED', `${this.#path}: ${DiskRoom.of(this.#directory).describe()}`).failure
    }
    if (statements.record.run(timestamp, key).changes === 0) return 'replayed'
    state.used++
    return 'first'
  }

  /** Drops at most `limit` entries that no age check would admit, oldest first: a little with each commit, never all. */
  #forget(state: State, limit: number): void {
    const oldest = oldestAdmissible(this.#latest, this.#maxAge)
    const oldestSighting = oldestAdmissibleSighting(this.#latest, this.#maxAge)
    if (oldest === undefined || oldestSighting === undefined) return
    for (const row of this.#statements.outdated.all(oldest, limit)) {
      const time = Number(row['timestamp'])
      this.#statements.forget.run(time, blob(row['digest']))
      state.used--
      state.forgotten = state.forgotten.with({ first: time, last: time })
    }
    if (state.claimed > 0)
      for (const row of this.#statements.outdatedClaims.all(oldest, Math.min(limit, FORGET_SCATTERED))) {
        const time = Number(row['timestamp'])
        this.#statements.forgetClaim.run(blob(row['digest']))
        state.claimed--
        state.forgotten = state.forgotten.with({ first: time, last: time })
      }
    if (state.imported === 0) return
    for (const row of this.#statements.outdatedImports.all(oldestSighting, Math.min(limit, FORGET_SCATTERED))) {
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
    const unfit = this.#unfit()
    if (unfit !== undefined) return unfit
    try {
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
      if (failure.failure.code === 'REPLAY_STORE_FAILED') this.#cramped = true
      return failure
    }
  }

  /** Why nothing can be decided, where that is so. */
  #unfit(): Refused<ReplayFailure> | undefined {
    if (this.#closed) return refuse('REPLAY_STORE_FAILED', `${this.#path} is closed`)
    if (this.#damage !== undefined) return this.#damage
    try {
      // A database without its name is lost at the next start, and a second daemon could make another under that name.
      if (fileIdentity(this.#path) === this.#identity) return undefined
    } catch (error) {
      return failureOf(error, { path: this.#path, maxAge: this.#maxAge })
    }
    return refuse('REPLAY_STORE_FAILED', `${this.#path} was moved or deleted while in use: restart ghostport`)
  }

  #save(state: State): void {
    const { used, claimed, imported } = state
    if (used !== this.#state.used || claimed !== this.#state.claimed || imported !== this.#state.imported)
      this.#statements.saveState.run(used, claimed, imported)
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

/** The first read of the file: takes the lock, plays back the log after a crash, and finds most kinds of damage. */
function whatIsForeign(db: DatabaseSync): string | undefined {
  const application = db.prepare('PRAGMA application_id').get()?.['application_id']
  if (application !== APPLICATION_ID) return 'is a database of another program'
  const unknown = upgradeDatabase(db)
  if (unknown !== undefined) return `has version ${unknown}; this ghostport knows version ${SCHEMA_VERSION}`
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
    case 'full':
    case 'failed':
      return refuse('REPLAY_STORE_FAILED', `${options.path}: ${reason}`)
    default:
      return kind satisfies never
  }
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
