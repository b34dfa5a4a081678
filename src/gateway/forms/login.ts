/**
 * Logging in by a form: a password and a code. Every failure looks the same and takes the same time: an unknown user, a
 * wrong password, a wrong or used code, too many tries.
 */
import { randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { decodeBase64Padded } from '../../bytes/base64.ts'
import { wipe } from '../../bytes/bytes.ts'
import type { Clock } from '../../clock.ts'
import { sourceOf } from '../../http-server/sources.ts'
import { checkTotp, equalText } from '../../http-server/totp.ts'
import type { IpAddress } from '../../packet/address.ts'
import { ok, refuse } from '../../result.ts'
import { milliseconds } from '../../units.ts'
import {
  type FormSecret,
  type FormUser,
  hashCode,
  openSecret,
  openUser,
  passwordKey,
  SALT_LENGTH,
  sealSecret,
} from './form-user.ts'
import type { LoginTries } from './login-tries.ts'
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

export class FormLogin {
  readonly #users: FormUserFile
  readonly #tries: LoginTries
  readonly #clock: Clock
  readonly #waiting: (() => void)[] = []
  #running = 0

  constructor(users: FormUserFile, tries: LoginTries, clock: Clock) {
    this.#users = users
    this.#tries = tries
    this.#clock = clock
  }

  /** @returns undefined for every failure. */
  async try(login: Login, source: IpAddress | undefined): Promise<LoggedIn | undefined> {
    const answered = delay(ANSWER_AFTER)
    const outcome = await this.#judge(login, sourceOf(source))
    // Nobody learns what came of a try that a restart could forget.
    await this.#tries.saved()
    await answered
    return outcome
  }

  async #judge({ name, password, code }: Login, source: string): Promise<LoggedIn | undefined> {
    const user = this.#users.find(name)
    const isWithin = this.#tries.take(source, user?.name)
    if (!isWithin || this.#waiting.length >= MOST_WAITING) return undefined
    // An unknown user costs as much.
    const salt = user === undefined ? randomBytes(SALT_LENGTH) : decodeBase64Padded(user.salt)
    if (salt === undefined) return undefined
    const key = await this.#inTurn(() => passwordKey(password, salt))
    const opened = user === undefined ? undefined : openUser(user, key)
    wipe(key)
    if (user === undefined || opened === undefined) return undefined
    const left = await this.#useUp(user, opened.dataKey, code)
    wipe(opened.dataKey)
    if (left === undefined) return undefined
    this.#tries.succeeded(source, name)
    return { user, secret: left }
  }

  /** @returns the secret without the code, once that is written; undefined if the code is none, or was used. */
  async #useUp(user: FormUser, dataKey: Uint8Array, code: string): Promise<FormSecret | undefined> {
    let left: FormSecret | undefined
    const changed = await this.#users.change((users) => {
      // As it is now: another login may have used the code meanwhile, in this process or another one.
      const now = users.find(({ name, wrapped }) => name === user.name && wrapped === user.wrapped)
      const secret = now === undefined ? undefined : openSecret(now, dataKey)
      left = secret === undefined ? undefined : useCode(secret, code, this.#clock)
      if (now === undefined || left === undefined) return refuse('VALUE_INVALID', 'the code is not good')
      const sealed = sealSecret(user.name, dataKey, left, randomBytes(12))
      return ok(users.map((one) => (one === now ? { ...one, sealed } : one)))
    })
    return changed.ok ? left : undefined
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
