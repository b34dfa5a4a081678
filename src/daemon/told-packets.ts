/**
 * What the receiver remembers of the packets that it has told the warden about, so that copies of them stay here. A packet is under
 * way from when it is sent until the warden has answered, which with a slow disk is time enough for thousands of copies; then it
 * is claimed, or unknown again where it could not be recorded. The warden decides who is first; this only remembers what it was asked.
 */
import type { ReplayDigest } from '../packet/replay-digest.ts'

export interface ToldPacketsLimits {
  /** The oldest claimed ones beyond this are forgotten: the warden knows them still. */
  readonly claimed: number
  /** None under way is ever forgotten: beyond this, nothing more is sent. */
  readonly underWay: number
}

export class ToldPackets {
  readonly #limits: ToldPacketsLimits
  readonly #claimed = new Set<ReplayDigest>()
  readonly #underWay = new Set<ReplayDigest>()

  constructor(limits: ToldPacketsLimits) {
    this.#limits = limits
  }

  /** Whether one more may be sent. */
  get isFull(): boolean {
    return this.#underWay.size >= this.#limits.underWay
  }

  has(digest: ReplayDigest): boolean {
    return this.#underWay.has(digest) || this.#claimed.has(digest)
  }

  /** It is being told to the warden now. */
  sent(digest: ReplayDigest): void {
    this.#underWay.add(digest)
  }

  /** The warden has recorded it: whoever sends it again need not ask. */
  claimed(digest: ReplayDigest): void {
    this.#underWay.delete(digest)
    this.#claimed.add(digest)
    if (this.#claimed.size <= this.#limits.claimed) return
    const [oldest] = this.#claimed
    if (oldest !== undefined) this.#claimed.delete(oldest)
  }

  /** It was not recorded, or never sent: whoever sends it again may ask again. */
  unclaimed(digest: ReplayDigest): void {
    this.#underWay.delete(digest)
  }
}
