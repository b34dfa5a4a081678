/**
 * Used packets in SQLite, through `node:sqlite`. WAL with synchronous=FULL: a commit is on the disk before the claim is
 * answered, so that no power cut makes a used packet new. The database is locked for this process alone for as long as
 * it is open, and the kernel lets go of the lock with the process, however it dies.
 */
import { existsSync, statSync } from 'node:fs'
import { resolve as absolute, dirname } from 'node:path'
import { DatabaseSync, type SQLInputValue } from 'node:sqlite'
import { setImmediate } from 'node:timers/promises'
import { decodeBase64 } from '../bytes/base64.ts'
import type { FwknopDigest, ReplayDigest } from '../packet/replay-digest.ts'
import { ok, type Refused, type Result, refuse } from '../result.ts'
import { systemReason } from '../system/errno.ts'
import { type Milliseconds, milliseconds, type Seconds, type UnixSeconds } from '../units.ts'
import { ClaimGate, type GateOptions } from './claim-gate.ts'
import { DiskRoom, FEW, type Room } from './disk-room.ts'
import type { ForgottenTimes } from './forgotten-times.ts'
import { corrupt } from './judge-store.ts'
import { LOG_PAGES, lengthenLog } from './log-file.ts'
import type { Answer, Claim, OnDecided, ReplayFailure, ReplayStore } from './replay-store.ts'
import { adoptDatabase, createDatabase } from './schema.ts'
import { lacksTables, sqliteFault } from './sqlite-failure.ts'
import { prepare, readForgotten, type Statements } from './statements.ts'
import { fileIdentity, judgeStorePath, prepareStorePath } from './store-path.ts'
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

interface Call {
  readonly claims: readonly KeyedClaim[]
  readonly onDecided: OnDecided | undefined
  readonly resolve: (answers: Answers) => void
}

interface KeyedClaim extends Claim {
  readonly key: Uint8Array
  readonly fwknopKey: Uint8Array
  readonly now: UnixSeconds
}

/** Entries that are forgotten or counted at once: some ten pages. A claim waits for that at most. */
const PIECE = 500
/** How long after a claim old entries go: its door is open by then. */
const FORGET_AFTER = milliseconds(1000)
/** How long after a piece the next one goes. Forgetting outruns remembering: 25 000 entries in a second. */
const FORGET_MORE_AFTER = milliseconds(20)
/** What is forgotten at once for each claim where the disk is nearly full. */
const FORGET_FOR_ROOM = 20
/** The same for what was imported: each of these entries is on a page of its own. */
const FORGET_SCATTERED = 64
/** Moves the log into the database and gives its room back. */
const SHORTEN_LOG = 'PRAGMA wal_checkpoint(TRUNCATE)'
const DIGEST_BYTES = 32

/**
 * Opens the store, or makes an empty one where there is none. The number of
 * entries does not change the time that this takes, except for a database of an earlier version.
 * @returns REPLAY_STORE_LOCKED: another process has it. REPLAY_STORE_CORRUPT: damaged, or not ours; the detail says how
 *   to go on. REPLAY_STORE_FAILED: no place that only we may write to, or none that can be written.
 */
export function openSqliteReplayStore(options: SqliteReplayStoreOptions): Result<SqliteReplayStore, ReplayFailure> {
  const path = absolute(options.path)
  const problem = prepareStorePath(path) ?? judgeStorePath(`${path}-wal`)
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
    db.exec(`PRAGMA wal_autocheckpoint = ${LOG_PAGES}`)
    const foreign = adoptDatabase(db)
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
    if (lacksTables(error)) return corrupt(options, `${path} lacks tables of a replay store: ${systemReason(error)}`)
    if (sqliteFault(error).kind !== 'full') return failureOf(error, options)
    const room = `free ${Math.ceil(statSync(path).size / 1024)} KiB, and start again`
    const why = 'This database of an earlier ghostport is changed into the form of today once'
    return refuse('REPLAY_STORE_FAILED', `${path}: the disk is full. ${why}: ${room}`)
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
  #forgotten: ForgottenTimes
  #forgetting: NodeJS.Timeout | undefined
  #pending: Call[] = []
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
    this.#forgotten = readForgotten(this.#statements)
    if (DiskRoom.of(this.#directory).isRoomy) lengthenLog(path)
  }

  /** Calls made within one turn of the event loop share a commit. */
  async claim(claims: readonly Claim[], now: UnixSeconds, onDecided?: OnDecided): Promise<Answers> {
    const keyed = claims.map((claim) => {
      return { ...claim, key: keyOf(claim.digest), fwknopKey: keyOf(claim.fwknopDigest), now }
    })
    return new Promise((resolve) => {
      if (this.#pending.push({ claims: keyed, onDecided, resolve }) === 1) queueMicrotask(() => this.#commitPending())
    })
  }

  /** Packets claimed here that the age check would admit. Counted a piece at a time, with claims in between. */
  async size(): Promise<number> {
    let size = 0
    let place: SQLInputValue[] = [oldestAdmissible(this.#latest, this.#maxAge), new Uint8Array()]
    for (;;) {
      const piece = this.#transaction(() => this.#statements.countAfter.get(...place, PIECE))
      if (!piece.ok || typeof piece.value?.['entries'] !== 'number') return size
      const { entries, timestamp = null, digest = null } = piece.value
      size += entries
      place = [timestamp, digest]
      await setImmediate()
    }
  }

  /** Packets imported that the age check could admit; {@link size} is beside them. */
  importedSize(): number {
    const { countImports } = this.#statements
    return Number(countImports.get(oldestAdmissibleSighting(this.#latest, this.#maxAge))?.['entries'])
  }

  /** Whether {@link importSightings} was done under this name. */
  hasImported(identity: string): boolean {
    return this.#statements.findImport.get(identity) !== undefined
  }

  /**
   * Takes over what fwknopd remembered, all or nothing, and remembers `identity` as done. Doing it twice changes
   * nothing. Blocks for about a second for each 100 000 sightings: meant for start-up.
   */
  importSightings(
    sightings: Iterable<ImportedSighting>,
    identity: string,
    now: UnixSeconds,
  ): Result<ImportCount, ReplayFailure> {
    return this.#transaction(() => {
      const oldest = oldestAdmissibleSighting(now, this.#maxAge)
      const count = { imported: 0, outdated: 0, known: 0 }
      for (const { digest, seen } of sightings) {
        if (seen < oldest) {
          this.#forgotten = this.#forgotten.with(timesAround(seen, this.#maxAge))
          count.outdated++
        } else if (this.#statements.importDigest.run(keyOf(digest), seen).changes === 1) count.imported++
        else count.known++
      }
      this.#statements.rememberImport.run(identity, now)
      return count
    })
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#commitPending()
    if (this.#forgetting !== undefined) this.#forgetPiece()
    clearTimeout(this.#forgetting)
    this.#closed = true
    this.#db.close()
  }

  #commitPending(): void {
    const calls = this.#pending
    if (calls.length === 0) return
    this.#pending = []
    const outcome = this.#answer(
      calls.flatMap(({ claims }) => claims),
      (decided) => {
        const answers = [...decided]
        for (const { claims, onDecided } of calls) onDecided?.(answers.splice(0, claims.length))
      },
    )
    const answers = outcome.ok ? [...outcome.value] : []
    for (const { claims, resolve } of calls) resolve(outcome.ok ? ok(answers.splice(0, claims.length)) : outcome)
  }

  #answer(claims: readonly KeyedClaim[], onDecided: OnDecided): Answers {
    const looked: Answer[] = []
    for (const claim of claims) {
      const answer = this.#gate.look(claim, this.#forgotten, claim.now)
      if (answer === undefined) break
      looked.push(answer)
    }
    // A flood of packets that are refused before the entries are asked costs no commit.
    if (looked.length === claims.length) return this.#unfit() ?? ok(looked)
    if (!this.#cramped && DiskRoom.of(this.#directory).isRoomy) {
      const done = this.#recordAll(claims, () => 'all', onDecided)
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
      this.#attempt(SHORTEN_LOG)
      this.#latest = piece.at(-1)?.now ?? this.#latest
      // What it cannot do, it tries again with the next piece.
      this.#transaction(() => this.#forget(length * FORGET_FOR_ROOM))
      this.#attempt(SHORTEN_LOG)
      const done = this.#recordAll(piece, () => {
        const sparePages = this.#statements.sparePages.get()?.['freelist_count']
        return DiskRoom.of(this.#directory).forClaims(Number(sparePages))
      })
      if (done.ok) answers.push(...done.value)
      else if (done.failure.code === 'REPLAY_STORE_FAILED') answers.push(...piece.map(() => done.failure as Answer))
      else return done
    }
    this.#attempt(SHORTEN_LOG)
    return ok(answers)
  }

  /** One commit. @param onDecided called before it. */
  #recordAll(claims: readonly KeyedClaim[], findRoom: () => Room, onDecided?: OnDecided): Answers {
    const recorded: KeyedClaim[] = []
    const done = this.#transaction(() => {
      const room = findRoom()
      const answers = claims.map((claim) => {
        const answer = this.#record(claim, room)
        if (answer === 'first') {
          this.#gate.recorded(claim, claim.now)
          recorded.push(claim)
        }
        return answer
      })
      onDecided?.(answers)
      return answers
    })
    this.#latest = claims.at(-1)?.now ?? this.#latest
    this.#forgetLater(FORGET_AFTER)
    if (!done.ok) for (const claim of recorded) this.#gate.unrecorded(claim, claim.now)
    return done
  }

  #record(claim: KeyedClaim, room: Room): Answer {
    const { key, fwknopKey, timestamp, keyring, now } = claim
    const looked = this.#gate.look(claim, this.#forgotten, now)
    if (looked !== undefined) return looked
    const statements = this.#statements
    if (statements.findImported.get(fwknopKey) !== undefined) return 'replayed'
    if (room === 'none' || (room === 'few' && this.#gate.count(keyring, now) >= FEW)) {
      if (statements.find.get(timestamp, key) !== undefined) return 'replayed'
      return refuse('REPLAY_STORE_FAILED', `${this.#path}: ${DiskRoom.of(this.#directory).describe()}`).failure
    }
    return statements.record.run(timestamp, key).changes === 0 ? 'replayed' : 'first'
  }

  /** Nobody waits for what is forgotten: it goes between claims, a piece at a time. */
  #forgetLater(delay: Milliseconds): void {
    this.#forgetting ??= setTimeout(() => {
      this.#forgetting = undefined
      if (this.#forgetPiece()) this.#forgetLater(FORGET_MORE_AFTER)
    }, delay).unref()
  }

  /** Where the disk is nearly full, the claims do it. @returns whether more can go. */
  #forgetPiece(): boolean {
    if (this.#cramped || !DiskRoom.of(this.#directory).isRoomy) return false
    const done = this.#transaction(() => this.#forget(PIECE))
    return done.ok && done.value
  }

  /** Drops at most `limit` entries that no age check would admit, oldest first. @returns whether there are more. */
  #forget(limit: number): boolean {
    const used = this.#statements.forget.all(oldestAdmissible(this.#latest, this.#maxAge), limit)
    const oldestSighting = oldestAdmissibleSighting(this.#latest, this.#maxAge)
    const imports = this.#statements.forgetImports.all(oldestSighting, Math.min(FORGET_SCATTERED, limit))
    const times = used.map(({ timestamp }) => ({ first: Number(timestamp), last: Number(timestamp) }))
    for (const { seen } of imports) times.push(timesAround(Number(seen), this.#maxAge))
    for (const range of times) this.#forgotten = this.#forgotten.with(range)
    return used.length === limit || imports.length === FORGET_SCATTERED
  }

  /** All of `work` is on the disk when this returns, or none of it happened. */
  #transaction<T>(work: () => T): Result<T, ReplayFailure> {
    const unfit = this.#unfit()
    if (unfit !== undefined) return unfit
    const before = this.#forgotten
    try {
      this.#statements.begin.run()
      const value = work()
      this.#saveForgotten(before)
      this.#statements.commit.run()
      return ok(value)
    } catch (error) {
      this.#forgotten = before
      this.#attempt('ROLLBACK')
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

  #saveForgotten(old: ForgottenTimes): void {
    if (old === this.#forgotten) return
    const before = new Set(old.ranges)
    const now = new Set(this.#forgotten.ranges)
    for (const range of before) if (!now.has(range)) this.#statements.dropForgotten.run(range.first)
    for (const range of now) if (!before.has(range)) this.#statements.saveForgotten.run(range.first, range.last)
  }

  /** What fails here harms nothing: the log may stay long, and SQLite rolls back by itself where it must. */
  #attempt(sql: typeof SHORTEN_LOG | 'ROLLBACK'): void {
    try {
      this.#db.exec(sql)
    } catch {}
  }
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
