/** The port to the memory of used packets. Contract: `test/contract/replay-store.ts`. */
import type { FwknopDigest, ReplayDigest } from '../packet/replay-digest.ts'
import type { Failure, Result } from '../result.ts'
import type { UnixSeconds } from '../units.ts'

export type ReplayFailure = Failure<'REPLAY_STORE_FAILED' | 'REPLAY_STORE_CORRUPT' | 'REPLAY_STORE_LOCKED'>

export interface Claim {
  /** Over the canonical ciphertext: one value for all spellings of a packet. */
  readonly digest: ReplayDigest
  /** What fwknopd would have filed the packet under: looked up among imported entries, never recorded. */
  readonly fwknopDigest: FwknopDigest
  /** When the packet says it was made: entries are forgotten once no age check would admit them any more. */
  readonly timestamp: UnixSeconds
}

export interface ReplayStore {
  /**
   * Records each claim and says whether it was new, in one step, so that two copies of a packet cannot both be first
   * (also within one call). Durable when the promise resolves: a power cut after it forgets nothing.
   * A failure records none of the claims.
   * @returns one answer for each claim, in order.
   */
  claim(claims: readonly Claim[], now: UnixSeconds): Promise<Result<readonly ('first' | 'replayed')[], ReplayFailure>>

  /** How many packets are remembered. */
  size(): number

  close(): Promise<void>
}
