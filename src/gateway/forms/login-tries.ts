/**
 * How often was tried to log in, by source and by user. It is kept in a file of the state folder, so that a restart
 * gives nobody new tries. The file has hashes of the sources, under a random salt, and no address.
 */
import { createHash, randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { jsonLine } from '../../bytes/text.ts'
import { monotonic } from '../../clock.ts'
import { RateLimit } from '../../http-server/sources.ts'
import { integer, list, mapped, printableAscii, type Reader, record } from '../../json-reader.ts'
import { ok, type Result, refuse } from '../../result.ts'
import type { StateFailure, StateFolder } from '../../system/state-folder.ts'
import { type Milliseconds, milliseconds } from '../../units.ts'

const FILE = 'form-tries.json'
const TRIES_OF_SOURCE = 5
/** One more each three minutes. */
const PER_SECOND = 1 / 180
/** Of one user, from sources that never logged in: guesses from many addresses. */
const TRIES_OF_USER = 20
const MOST_SOURCES = 5_000
/** As many as there are users at most. */
const MOST_USERS = 1_000
const MOST_KNOWN = 1_000
/** Of 128 bits, in characters. */
const HASH_LENGTH = 22
/** Tries of this time are written together: shorter than an answer takes, and seldom enough under a flood. */
const TOGETHER = milliseconds(400)

type Spent = readonly (readonly [key: string, left: number])[]

/** In millionths of a token: the file has whole numbers. */
const PARTS = 1_000_000
const hash = printableAscii({ max: 64 })
const spentList = (most: number): Reader<Spent> =>
  list(
    mapped(
      record({ of: hash, left: integer({ min: 0, max: TRIES_OF_USER * PARTS }) }, {}),
      ({ of, left }) => [of, left / PARTS] as const,
    ),
    { min: 0, max: most },
  )
const readFile = record(
  {
    salt: hash,
    /** Milliseconds since 1970. */
    at: integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
    sources: spentList(MOST_SOURCES),
    users: spentList(MOST_USERS),
    known: list(hash, { min: 0, max: MOST_KNOWN }),
  },
  {},
)

export class LoginTries {
  readonly #state: StateFolder
  readonly #wall: () => number
  readonly #ofSource = new RateLimit(TRIES_OF_SOURCE, PER_SECOND, MOST_SOURCES)
  readonly #ofUser = new RateLimit(TRIES_OF_USER, PER_SECOND, MOST_USERS)
  /** Sources from which a user logged in, the latest last: others cannot lock the user out there. */
  readonly #known = new Set<string>()
  #salt = randomBytes(16).toString('base64url')
  #saving: Promise<void> | undefined

  private constructor(state: StateFolder, wall: () => number) {
    this.#state = state
    this.#wall = wall
  }

  /** @param wall milliseconds since 1970. @returns what an earlier process left; a failure if the file is damaged. */
  static open(state: StateFolder, wall: () => number = Date.now): Result<LoginTries, StateFailure> {
    const tries = new LoginTries(state, wall)
    const text = state.read(FILE)
    if (!text.ok) return text
    if (text.value === undefined) return ok(tries)
    const kept = parsed(text.value)
    if (kept === undefined) return refuse('CONFIG_UNREADABLE', `${state.path}/${FILE} is damaged: remove it`)
    tries.#salt = kept.salt
    // A clock that was set back gives no tries.
    const ago = milliseconds(Math.max(0, wall() - kept.at))
    tries.#ofSource.restore(kept.sources, ago, monotonic())
    tries.#ofUser.restore(kept.users, ago, monotonic())
    for (const one of kept.known) tries.#known.add(one)
    return ok(tries)
  }

  /**
   * Counts a try.
   * @param user undefined: there is none of that name. Names that anybody could make up are not counted: they would
   * push out those of real users.
   * @returns whether it may be judged.
   */
  take(source: string, user: string | undefined, now: Milliseconds = monotonic()): boolean {
    const isOfSource = this.#ofSource.take(this.#hash(source), now)
    const isKnown = user !== undefined && this.#known.has(this.#hash(`${source} ${user}`))
    const isOfUser = user === undefined || isKnown || this.#ofUser.take(this.#hash(user), now)
    this.#saving ??= this.#save()
    return isOfSource && isOfUser
  }

  succeeded(source: string, user: string): void {
    const key = this.#hash(`${source} ${user}`)
    this.#known.delete(key)
    this.#known.add(key)
    for (const oldest of this.#known) {
      if (this.#known.size <= MOST_KNOWN) break
      this.#known.delete(oldest)
    }
    this.#saving ??= this.#save()
  }

  /** Ends when all that was counted is on disk. If it cannot be written, nobody logs in: a code is written too. */
  async saved(): Promise<void> {
    while (this.#saving !== undefined) await this.#saving
  }

  #hash(text: string): string {
    return createHash('sha256').update(`${this.#salt} ${text}`).digest('base64url').slice(0, HASH_LENGTH)
  }

  async #save(): Promise<void> {
    await delay(TOGETHER)
    this.#saving = undefined
    const now = monotonic()
    const parts = (spent: Spent) => spent.map(([of, left]) => ({ of, left: Math.max(0, Math.round(left * PARTS)) }))
    this.#state.write(
      FILE,
      `${jsonLine({
        salt: this.#salt,
        at: Math.floor(this.#wall()),
        sources: parts(this.#ofSource.spent(now)),
        users: parts(this.#ofUser.spent(now)),
        known: [...this.#known],
      })}\n`,
    )
  }
}

function parsed(text: string) {
  try {
    return readFile(JSON.parse(text))
  } catch {
    return undefined
  }
}
