/**
 * Logging in by a link. Every failure looks the same and takes the same time: an unknown link, a used one, one that
 * ended, a wrong code, too many tries. The secret of a link has 128 bits, so that only codes could be guessed.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { type Clock, monotonic } from '../clock.ts'
import { RateLimit, sourceOf } from '../http-server/sources.ts'
import { checkTotp } from '../http-server/totp.ts'
import type { IpAddress } from '../packet/address.ts'
import { ok, refuse } from '../result.ts'
import { TokenBucket } from '../token-bucket.ts'
import { milliseconds } from '../units.ts'
import { type Account, type AccountNameText, hashSecret } from './account.ts'
import type { AccountBook } from './account-book.ts'
import type { LoginWay } from './sessions.ts'

/** From a try to its answer, good or bad. */
const ANSWER_AFTER = milliseconds(300)
const OF_SOURCE = { burst: 10, perSecond: 1 / 30 } as const
/** Codes of one account, right or wrong: by link, and for a step-up. */
const OF_ACCOUNT = { burst: 5, perSecond: 1 / 60 } as const
const IN_TOTAL = { burst: 60, perSecond: 1 } as const

export type LoginOutcome =
  | { readonly kind: 'in'; readonly account: Account; readonly way: LoginWay }
  | { readonly kind: 'code needed' }
  /** `name`: whose login it would have been, where that is known. For the logs alone. */
  | { readonly kind: 'refused'; readonly name?: AccountNameText }

export class Login {
  readonly #book: AccountBook
  readonly #clock: Clock
  readonly #ofSource = new RateLimit(OF_SOURCE.burst, OF_SOURCE.perSecond, 5_000)
  readonly #ofAccount = new RateLimit(OF_ACCOUNT.burst, OF_ACCOUNT.perSecond, 1_000)
  readonly #total = new TokenBucket(IN_TOTAL, monotonic())

  constructor(book: AccountBook, clock: Clock) {
    this.#book = book
    this.#clock = clock
  }

  /** @param code of six digits, if the account has an app for codes. */
  async byLink(secret: string, code: string | undefined, source: IpAddress | undefined): Promise<LoginOutcome> {
    return await this.inTime(source, () => this.#byLink(secret, code))
  }

  /** Any way to log in: within the limits, and answered after the same time. */
  async inTime(source: IpAddress | undefined, judge: () => Promise<LoginOutcome>): Promise<LoginOutcome> {
    const answered = delay(ANSWER_AFTER)
    const now = monotonic()
    const isWithin = this.#ofSource.take(sourceOf(source), now) && this.#total.take(1, now)
    const outcome = isWithin ? await judge() : ({ kind: 'refused' } as const)
    await answered
    return outcome
  }

  async #byLink(secret: string, code: string | undefined): Promise<LoginOutcome> {
    const found = this.#book.withLink(secret, this.#clock.now())
    if (found === undefined) return { kind: 'refused' }
    // The link stays good: who has no code at hand has not used it.
    if (found.totp !== undefined && code === undefined) return { kind: 'code needed' }
    const { name } = found
    if (found.totp !== undefined && !this.#ofAccount.take(found.id, monotonic())) return { kind: 'refused', name }
    const hash = hashSecret(secret)
    // Used up before it opens anything: else two at once could use one link.
    const used = await this.#book.changeOne(name, (account) => {
      const isStillThere = account.links.some((link) => link.hash === hash && link.until > this.#clock.now())
      const checked = account.totp === undefined ? account : this.#withCode(account, code)
      if (!isStillThere || checked === undefined) return refuse('VALUE_INVALID', 'not a link that is good')
      return ok({ ...checked, links: account.links.filter((link) => link.hash !== hash) })
    })
    if (!used.ok) return { kind: 'refused', name }
    return { kind: 'in', account: used.value, way: found.totp === undefined ? 'link' : 'factor' }
  }

  /** A code for a step-up. @returns whether it is right, and is used up now. */
  async byCode(name: string, code: string): Promise<boolean> {
    const answered = delay(ANSWER_AFTER)
    const account = this.#book.find(name)
    const isWithin = account !== undefined && this.#ofAccount.take(account.id, monotonic())
    const used =
      isWithin &&
      (await this.#book.changeOne(name, (one) => {
        const checked = this.#withCode(one, code)
        return checked === undefined ? refuse('VALUE_INVALID', 'not a code') : ok(checked)
      }))
    await answered
    return used !== false && used.ok
  }

  /** @returns the account with the code used up; undefined if it is none. */
  #withCode(account: Account, code = ''): Account | undefined {
    if (account.totp === undefined) return undefined
    const { secret, used } = account.totp
    const step = checkTotp(Buffer.from(secret, 'base64url'), code.replaceAll(/[\s-]/g, ''), this.#clock.now(), used)
    return step === undefined ? undefined : { ...account, totp: { secret, used: step } }
  }
}
