/**
 * What the receiver remembers of the packets that it has reported to the warden, so that copies of them stay here. A
 * packet is under way from when it is reported until the warden has answered, which with a slow disk is time enough for
 * thousands of copies; then it is claimed, or unknown again where it could not be recorded. The warden decides who is
 * first; this only remembers what it was asked.
 *
 * Each key has a share of what is under way. A key holder can send faster than the warden judges; without a share, his
 * packets would take all the places, and packets of other keys would find none.
 */
import type { KeyringName } from '../../access/keyring.ts'
import type { ReplayDigest } from '../../packet/replay-digest.ts'

export interface ReportedPacketsLimits {
  /** The oldest claimed ones beyond this are forgotten: the warden knows them still. */
  readonly claimed: number
  /** None under way is ever forgotten: beyond this, nothing more is reported. */
  readonly underWay: number
  /** Of one key. */
  readonly underWayPerKey: number
}

export class ReportedPackets {
  readonly #limits: ReportedPacketsLimits
  readonly #claimed = new Set<ReplayDigest>()
  readonly #underWay = new Map<ReplayDigest, KeyringName>()
  readonly #ofKey = new Map<KeyringName, number>()

  constructor(limits: ReportedPacketsLimits) {
    this.#limits = limits
  }

  get underWay(): number {
    return this.#underWay.size
  }

  /** Whether one more may be reported. */
  get isFull(): boolean {
    return this.#underWay.size >= this.#limits.underWay
  }

  /** Whether one more of this key may be reported. */
  hasRoomFor(key: KeyringName): boolean {
    return (this.#ofKey.get(key) ?? 0) < this.#limits.underWayPerKey
  }

  has(digest: ReplayDigest): boolean {
    return this.#underWay.has(digest) || this.#claimed.has(digest)
  }

  /** It is being reported to the warden now. */
  add(digest: ReplayDigest, key: KeyringName): void {
    this.#underWay.set(digest, key)
    this.#ofKey.set(key, (this.#ofKey.get(key) ?? 0) + 1)
  }

  /** The warden has recorded it: a copy is not reported. */
  claimed(digest: ReplayDigest): void {
    this.#answered(digest)
    this.#claimed.add(digest)
    if (this.#claimed.size <= this.#limits.claimed) return
    const [oldest] = this.#claimed
    if (oldest !== undefined) this.#claimed.delete(oldest)
  }

  /** It was not recorded: if it comes again, it may be reported again. */
  unclaimed(digest: ReplayDigest): void {
    this.#answered(digest)
  }

  #answered(digest: ReplayDigest): void {
    const key = this.#underWay.get(digest)
    if (key === undefined) return
    this.#underWay.delete(digest)
    const left = (this.#ofKey.get(key) ?? 0) - 1
    if (left > 0) this.#ofKey.set(key, left)
    else this.#ofKey.delete(key)
  }
}
