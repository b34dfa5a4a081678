/**
 * What is asked of a claim before the entries are: its date, the forgotten times, and the share of its key. Both stores
 * ask it, so that both have the same rules; replay-store.ts says why they suffice.
 */
import { isTimely } from '../access/age.ts'
import type { KeyringName } from '../access/keyring.ts'
import { refuse } from '../result.ts'
import type { Seconds, UnixSeconds } from '../units.ts'
import type { ForgottenTimes } from './forgotten-times.ts'
import { DEFAULT_SHARE, KeyShares } from './key-shares.ts'
import type { Answer, Claim } from './replay-store.ts'
import { TurnedAway } from './turned-away.ts'

export interface GateOptions {
  /** The age window of the policy. `'unlimited'`: packets of any date are recorded, and never forgotten. */
  readonly maxAge: Seconds | 'unlimited'
  /** MAX_PACKETS_PER_KEY: how many packets of one key are remembered at a time. With aging off, in a day. */
  readonly share?: number
}

type Asked = Pick<Claim, 'digest' | 'timestamp' | 'keyring'>

export class ClaimGate {
  readonly #maxAge: Seconds | 'unlimited'
  readonly #share: number
  readonly #shares: KeyShares
  readonly #turnedAway = new TurnedAway()

  constructor({ maxAge, share = DEFAULT_SHARE }: GateOptions) {
    this.#maxAge = maxAge
    this.#share = share
    this.#shares = new KeyShares(maxAge)
  }

  /** @returns the answer, or undefined where the entries decide. A claim that proves new is {@link recorded} then. */
  look({ digest, timestamp, keyring }: Asked, forgotten: ForgottenTimes, now: UnixSeconds): Answer | undefined {
    if (!isTimely(timestamp, this.#maxAge, now)) {
      // What has a forgotten second is refused by that already, and may not push out what has none.
      if (!forgotten.has(timestamp)) this.#turnedAway.add(keyring, digest)
      return 'misdated'
    }
    if (forgotten.has(timestamp) || this.#turnedAway.has(keyring, digest)) return 'replayed'
    return this.#shares.count(keyring, now) < this.#share ? undefined : this.#usedUp()
  }

  /** How many packets of a key are remembered, of those that came since the start. */
  count(keyring: KeyringName, now: UnixSeconds): number {
    return this.#shares.count(keyring, now)
  }

  recorded({ keyring, timestamp }: Asked, now: UnixSeconds): void {
    this.#shares.add(keyring, timestamp, now)
  }

  /** The entry was not kept after all. */
  unrecorded({ keyring, timestamp }: Asked, now: UnixSeconds): void {
    this.#shares.remove(keyring, timestamp, now)
  }

  #usedUp(): Answer {
    const until =
      this.#maxAge === 'unlimited'
        ? 'in 24 hours. Its next packets are taken when that time is over'
        : `at a time. Its next packets are taken when old ones are forgotten, after ${2 * this.#maxAge} s at most`
    return refuse(
      'REPLAY_STORE_FULL',
      `this key has used ${this.#share} packets, the most (MAX_PACKETS_PER_KEY) ${until}`,
    ).failure
  }
}
