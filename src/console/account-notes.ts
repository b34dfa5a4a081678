/**
 * What somebody does at the console itself, for the audit log of the server: logins, and second factors. The server
 * writes it. While it is away there is no line, and the log of the console says so.
 */
import { monotonic } from '../clock.ts'
import type { AccountDeed } from '../daemon/link/console-protocol.ts'
import type { IpAddress } from '../packet/address.ts'
import type { Failure } from '../result.ts'
import { TokenBucket } from '../token-bucket.ts'
import type { AccountNameText } from './account.ts'
import type { ServerLine } from './server-line.ts'

/** What was refused, told to the server one by one: strangers must not use up what the server answers. */
const REFUSALS = { perSecond: 1 / 60, burst: 20 } as const

/** @param name undefined where it is not known whose login it would have been. */
export type NoteDeed = (did: AccountDeed, name: AccountNameText | undefined, from: IpAddress | undefined) => void

export class AccountNotes {
  readonly #line: ServerLine
  readonly #onUnrecorded: (did: AccountDeed, why: Failure) => void
  readonly #refusals = new TokenBucket(REFUSALS, monotonic())
  #missing = 0

  constructor(line: ServerLine, onUnrecorded: (did: AccountDeed, why: Failure) => void) {
    this.#line = line
    this.#onUnrecorded = onUnrecorded
  }

  readonly note: NoteDeed = (did, name, from) => {
    if (did.endsWith('refused') && !this.#refusals.take(1, monotonic())) {
      this.#missing++
      return
    }
    const missing = this.#missing
    this.#missing = 0
    void this.#line
      .ask({
        ...{ ask: 'account', did },
        ...(name !== undefined && { name }),
        ...(from !== undefined && { from }),
        ...(missing > 0 && { missing }),
      })
      .then((answer) => {
        if (answer.ok) return
        this.#missing += missing
        this.#onUnrecorded(did, answer.failure)
      })
  }
}
