/**
 * Logging in by a form: a password and a code. Every failure looks the same and takes the same time: an unknown user, a
 * wrong password, a wrong or used code, too many tries.
 */
import { randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { decodeBase64Padded } from '../../bytes/base64.ts'
import { wipe } from '../../bytes/bytes.ts'
import { type Clock, monotonic } from '../../clock.ts'
import { RateLimit, sourceOf } from '../../http-server/sources.ts'
import { checkTotp, equalText } from '../../http-server/totp.ts'
import type { IpAddress } from '../../packet/address.ts'
import { milliseconds } from '../../units.ts'
import {
  type FormSecret,
  type FormUser,
  hashCode,
  openUser,
  passwordKey,
  SALT_LENGTH,
  sealSecret,
} from './form-user.ts'
import type { FormUserFile } from './user-file.ts'

export interface Login {
  readonly name: string
  readonly password: string
  readonly code: string
}

export interface LoggedIn {
  readonly user: FormUser
  readonly secret: FormSecret
}

/** Passwords that are tried at once, and that wait: each takes 32 MB and a thread. */
const AT_ONCE = 2
const MOST_WAITING = 20
/** From a try to its answer, good or bad: longer than the slowest of them takes on a small host. */
const ANSWER_AFTER = milliseconds(1_000)
const TRIES_OF_SOURCE = 5
/** One more each three minutes. */
const TRIES_OF_SOURCE_PER_SECOND = 1 / 180
/** Of one user, from sources that never logged in: guesses from many addresses. */
const TRIES_OF_USER = 20
const TRIES_OF_USER_PER_SECOND = 1 / 180
const MOST_KNOWN = 1_000

export class FormLogin {
  readonly #users: FormUserFile
  readonly #clock: Clock
  readonly #ofSource = new RateLimit(TRIES_OF_SOURCE, TRIES_OF_SOURCE_PER_SECOND)
  readonly #ofUser = new RateLimit(TRIES_OF_USER, TRIES_OF_USER_PER_SECOND, 5_000)
  /** Sources from which a user logged in: others cannot lock the user out there. */
  readonly #known = new Set<string>()
  readonly #waiting: (() => void)[] = []
  #running = 0

  constructor(users: FormUserFile, clock: Clock) {
    this.#users = users
    this.#clock = clock
  }

  /** @returns undefined for every failure. */
  async try(login: Login, source: IpAddress | undefined): Promise<LoggedIn | undefined> {
    const answered = delay(ANSWER_AFTER)
    const outcome = await this.#judge(login, sourceOf(source))
    await answered
    return outcome
  }

  async #judge({ name, password, code }: Login, source: string): Promise<LoggedIn | undefined> {
    const now = monotonic()
    const isKnown = this.#known.has(`${source} ${name}`)
    const within = [this.#ofSource.take(source, now), isKnown || this.#ofUser.take(name, now)]
    if (within.includes(false) || this.#waiting.length >= MOST_WAITING) return undefined
    const user = this.#users.find(name)
    // An unknown user costs as much.
    const salt = user === undefined ? randomBytes(SALT_LENGTH) : decodeBase64Padded(user.salt)
    if (salt === undefined) return undefined
    const key = await this.#inTurn(() => passwordKey(password, salt))
    const opened = user === undefined ? undefined : openUser(user, key)
    wipe(key)
    if (user === undefined || opened === undefined) return undefined
    const left = useCode(opened.secret, code, this.#clock)
    if (left !== undefined && this.#known.size < MOST_KNOWN) this.#known.add(`${source} ${name}`)
    const kept =
      left !== undefined &&
      // Used up before it opens anything: else two at once could use one code.
      this.#users.replace(user, { ...user, sealed: sealSecret(name, opened.dataKey, left, randomBytes(12)) })
    wipe(opened.dataKey)
    return left === undefined || !kept ? undefined : { user, secret: left }
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running >= AT_ONCE) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    this.#running++
    try {
      return await work()
    } finally {
      this.#running--
      this.#waiting.shift()?.()
    }
  }
}

/** @returns the secret without the code; undefined if the code is none. */
function useCode(secret: FormSecret, code: string, clock: Clock): FormSecret | undefined {
  const text = code.replaceAll(/[\s-]/g, '')
  const totp = decodeBase64Padded(secret.totp)
  const step = totp === undefined || totp.length === 0 ? undefined : checkTotp(totp, text, clock.now(), secret.totpUsed)
  if (step !== undefined) return { ...secret, totpUsed: step }
  const hash = hashCode(code)
  const found = secret.codes.filter((it) => equalText(it, hash))
  return found.length === 0 ? undefined : { ...secret, codes: secret.codes.filter((it) => it !== found[0]) }
}
