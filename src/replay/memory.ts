/** Used packets in memory alone: for tests, and where replays are refused until a restart only. */
import type { ReplayDigest } from '../packet/replay-digest.ts'
import { ok } from '../result.ts'
import type { UnixSeconds } from '../units.ts'
import { ClaimGate, type GateOptions } from './claim-gate.ts'
import { ForgottenTimes } from './forgotten-times.ts'
import type { Answer, Claim, ReplayStore } from './replay-store.ts'
import { oldestAdmissible } from './window.ts'

/** @returns a store that starts empty. Its claims never fail. */
export function memoryReplayStore(options: GateOptions): ReplayStore {
  const gate = new ClaimGate(options)
  const claimed = new Set<ReplayDigest>()
  const bySecond = new Map<UnixSeconds, ReplayDigest[]>()
  let forgotten = ForgottenTimes.none
  let sweptFor: number | undefined

  /** Windows span minutes, so there are few seconds to look at, and each second of the clock looks once. */
  const forget = (now: UnixSeconds): void => {
    const oldest = oldestAdmissible(now, options.maxAge)
    if (oldest === sweptFor) return
    sweptFor = oldest
    for (const [second, digests] of bySecond) {
      if (second >= oldest) continue
      for (const digest of digests) claimed.delete(digest)
      bySecond.delete(second)
      forgotten = forgotten.with({ first: second, last: second })
    }
  }

  const answer = (claim: Claim, now: UnixSeconds): Answer => {
    const { digest, timestamp } = claim
    const looked = gate.look(claim, forgotten, now)
    if (looked !== undefined) return looked
    if (claimed.has(digest)) return 'replayed'
    claimed.add(digest)
    gate.recorded(claim, now)
    const digests = bySecond.get(timestamp)
    if (digests === undefined) bySecond.set(timestamp, [digest])
    else digests.push(digest)
    return 'first'
  }

  return {
    async claim(claims, now, onDecided) {
      const answers = claims.map((claim) => answer(claim, now))
      onDecided?.(answers)
      forget(now)
      return ok(answers)
    },
    size: async () => claimed.size,
    async close() {
      claimed.clear()
      bySecond.clear()
    },
  }
}
