/**
 * The step of admission that uses packets up. The replay store records each packet durably before anything opens for
 * it. This also applies to requests that policy will deny, except GnuPG packets whose signer no stanza accepts.
 */
import type { KeyringName } from '../../../access/keyring.ts'
import type { Policy } from '../../../access/policy.ts'
import type { Answer, Claim, OnDecided, ReplayFailure, ReplayStore } from '../../../replay/replay-store.ts'
import { ok, type Result } from '../../../result.ts'
import type { UnixSeconds } from '../../../units.ts'
import type { Knock } from '../../link/knock.ts'

/** @param keyring the keys that opened the packet: the entry counts towards their share. */
export function claimOf({ digest, fwknopDigest, message: { timestamp } }: Knock, keyring: KeyringName): Claim {
  return { digest, fwknopDigest, timestamp, keyring }
}

/**
 * @param onDecided as {@link ReplayStore.claim} says.
 * @returns one answer for each claim, in order. If replays are allowed, all are `first`, and nothing is recorded.
 */
export async function claim(
  claims: readonly Claim[],
  { policy, replays }: { readonly policy: Pick<Policy, 'refuseReplays'>; readonly replays: Pick<ReplayStore, 'claim'> },
  now: UnixSeconds,
  onDecided?: OnDecided,
): Promise<Result<readonly Answer[], ReplayFailure>> {
  if (!policy.refuseReplays || claims.length === 0) return ok(claims.map(() => 'first'))
  return await replays.claim(claims, now, onDecided)
}
