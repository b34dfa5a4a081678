/** Who is logged in: in memory only. A session ends by logout, after a pause, after its time, and with the process. */
import { randomBytes } from 'node:crypto'
import { type Milliseconds, milliseconds } from '../units.ts'
import { type Account, hashSecret, type Role } from './account.ts'

/** Without a request. An open stream is none: it goes on by itself. */
export const LONGEST_PAUSE = milliseconds(30 * 60_000)
export const LONGEST_SESSION = milliseconds(12 * 3_600_000)
/** How long a second factor counts for keys and invitations. */
export const STEP_UP_TIME = milliseconds(5 * 60_000)
/** After a login by link: how long a first second factor may be added. */
export const ENROL_TIME = milliseconds(10 * 60_000)
const MOST_SESSIONS = 500
const MOST_OF_ACCOUNT = 20

/** How somebody logged in. */
export type LoginWay = 'link' | 'factor'

export class Session {
  readonly name: string
  readonly role: Role
  /** Of the account when it began: another one ends it. */
  readonly accountId: string
  readonly revision: number
  readonly began: Milliseconds
  readonly #ended = new AbortController()
  used: Milliseconds
  /** Until when a second factor counts. */
  stepUpUntil: Milliseconds | undefined

  constructor({ name, role, id, revision }: Account, way: LoginWay, now: Milliseconds) {
    this.name = name
    this.role = role
    this.accountId = id
    this.revision = revision
    this.began = now
    this.used = now
    if (way === 'factor') this.steppedUp(now)
  }

  /** Ends with it. */
  get signal(): AbortSignal {
    return this.#ended.signal
  }

  steppedUp(now: Milliseconds): void {
    this.stepUpUntil = milliseconds(now + STEP_UP_TIME)
  }

  isSteppedUp(now: Milliseconds): boolean {
    return this.stepUpUntil !== undefined && now < this.stepUpUntil
  }

  /** On the same clock, if nothing more is asked. */
  get endsAt(): Milliseconds {
    return milliseconds(Math.min(this.began + LONGEST_SESSION, this.used + LONGEST_PAUSE))
  }

  end(): void {
    this.#ended.abort()
  }
}

export class Sessions {
  /** By the hash of the token: what is in memory opens nothing. In the order of their beginning. */
  readonly #sessions = new Map<string, Session>()

  get size(): number {
    return this.#sessions.size
  }

  /** @returns the token: 256 random bits in base64url. */
  begin(account: Account, way: LoginWay, now: Milliseconds): { readonly token: string; readonly session: Session } {
    this.sweep(now)
    const own = [...this.#sessions].filter(([, { accountId }]) => accountId === account.id)
    if (own.length >= MOST_OF_ACCOUNT) this.#remove(own[0]?.[0])
    if (this.#sessions.size >= MOST_SESSIONS) this.#remove(this.#sessions.keys().next().value)
    const token = randomBytes(32).toString('base64url')
    const session = new Session(account, way, now)
    this.#sessions.set(hashSecret(token), session)
    return { token, session }
  }

  /** @param current the account as it is now. @returns the session of the token, if it is still good. */
  of(
    token: string,
    now: Milliseconds,
    current: (name: string) => Account | undefined,
  ): { readonly session: Session; readonly account: Account } | undefined {
    const key = hashSecret(token)
    const session = this.#sessions.get(key)
    if (session === undefined) return undefined
    const account = this.accountOf(session, now, current)
    if (account === undefined) {
      this.#remove(key)
      return undefined
    }
    session.used = now
    return { session, account }
  }

  /** @returns undefined where the session has ended by itself, or its account is another one. */
  accountOf(session: Session, now: Milliseconds, current: (name: string) => Account | undefined): Account | undefined {
    const account = current(session.name)
    const isSame = account?.id === session.accountId && account.revision === session.revision
    return isSame && now < session.endsAt && !session.signal.aborted ? account : undefined
  }

  end(token: string): void {
    this.#remove(hashSecret(token))
  }

  /** The other sessions of an account: a factor of theirs was taken away. @param token of the one that goes on. */
  endOthers(account: Account, token: string): void {
    const kept = hashSecret(token)
    for (const [key, { accountId }] of this.#sessions) if (accountId === account.id && key !== kept) this.#remove(key)
  }

  /** Forgets those that have ended by themselves. */
  sweep(now: Milliseconds): void {
    for (const [key, session] of this.#sessions) if (now >= session.endsAt) this.#remove(key)
  }

  #remove(key: string | undefined): void {
    if (key === undefined) return
    this.#sessions.get(key)?.end()
    this.#sessions.delete(key)
  }
}
