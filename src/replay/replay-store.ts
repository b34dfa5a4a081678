/**
 * The port to the memory of used packets. Contract: `test/contract/replay-store.ts`.
 *
 * What it promises: **a packet that was first once is never first again**. The clock, the age window and the setting of
 * aging may change afterwards. The argument, in four steps; W is the age window at the time of the step.
 *
 * 1. A packet opens a door only if the answer to its claim was `first`. A claim is first only if its time is within W
 *    of the clock, no entry has it, and its time is not among the forgotten times.
 * 2. The entry is on the disk before the answer is given. Two claims are never decided at once.
 * 3. An entry goes only when its time is more than W behind the clock. Its second is a forgotten time from then on, in
 *    the same transaction, for ever (forgotten-times.ts).
 * 4. So a first packet has an entry or a forgotten second at each later moment, and step 1 refuses it.
 *
 * Steps 1 and 3 bound the size too. An entry is dated W ahead of the clock at most, so that it can go 2 W after it
 * came. Each key has a share of the entries of that time (key-shares.ts).
 *
 * A packet whose time is too far from the clock leaves no entry. A key holder could otherwise date packets thousands of
 * years ahead, and none of them would ever go. Such a packet was refused: it opened nothing. It may become acceptable
 * later, when its time comes or a wrong clock is put right. Somebody who saw it on the wire could then send it, and it
 * would be first. To prevent that, the newest of these packets of each key are remembered in memory, until the process
 * ends (turned-away.ts). What remains is in docs/THREAT-MODEL.md § 6.
 */
import type { KeyringName } from '../access/keyring.ts'
import type { FwknopDigest, ReplayDigest } from '../packet/replay-digest.ts'
import type { Failure, Result } from '../result.ts'
import type { UnixSeconds } from '../units.ts'

export type ReplayFailure = Failure<'REPLAY_STORE_FAILED' | 'REPLAY_STORE_CORRUPT' | 'REPLAY_STORE_LOCKED'>

export interface Claim {
  /** Over the canonical ciphertext: one value for all spellings of a packet. */
  readonly digest: ReplayDigest
  /** What fwknopd would have filed the packet under: looked up among imported entries, never recorded. */
  readonly fwknopDigest: FwknopDigest
  /**
   * When the packet says it was made. It is part of the ciphertext: the same digest always comes with the same time.
   */
  readonly timestamp: UnixSeconds
  /** The keys that opened the packet: the entry counts towards their share. */
  readonly keyring: KeyringName
}

/**
 * - `first`: recorded now, never seen before.
 * - `replayed`: used before; or refused before, for its date.
 * - `misdated`: its time is not within the age window. Not recorded.
 * - `REPLAY_STORE_FULL`: its key has used up its share. Not recorded.
 * - `REPLAY_STORE_FAILED`: the disk has no room for it. Not recorded.
 */
export type Answer = 'first' | 'replayed' | 'misdated' | Failure<'REPLAY_STORE_FULL' | 'REPLAY_STORE_FAILED'>

/**
 * Told what a call of {@link ReplayStore.claim} will answer, as soon as that is decided, and before it is durable. It
 * holds only if the call then gives the same answers: until then nothing may open by it. What it does must not wait.
 */
export type OnDecided = (answers: readonly Answer[]) => void

export interface ReplayStore {
  /**
   * Records each claim and says whether it was new, in one step, so that two copies of a packet cannot both be first
   * (also within one call). Durable when the promise resolves: a power cut after it forgets nothing.
   * @param onDecided called once at most. Not at all where the disk is nearly full, or has just failed.
   * @returns one answer for each claim, in order. A failure where nothing could be decided; then none was first.
   */
  claim(
    claims: readonly Claim[],
    now: UnixSeconds,
    onDecided?: OnDecided,
  ): Promise<Result<readonly Answer[], ReplayFailure>>

  /** How many packets are remembered. Asynchronous, for stores that are not in this process. */
  size(): Promise<number>

  close(): Promise<void>
}
