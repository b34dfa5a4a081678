/** Used packets in memory alone: for tests, for `--dry-run`, and where replays are refused until a restart only. */
import type { ReplayDigest } from '../packet/replay-digest.ts'
import { ok } from '../result.ts'
import type { Seconds, UnixSeconds } from '../units.ts'
import { ForgottenTimes } from './forgotten-times.ts'
import type { ReplayStore } from './replay-store.ts'
import { oldestAdmissible } from './window.ts'

/**
 * @param options.maxAge the age window of the policy. `'unlimited'` remembers for ever.
 * @returns a store that starts empty. Its claims never fail.
 */
export function memoryReplayStore(options: { readonly maxAge: Seconds | 'unlimited' }): ReplayStore {
  const claimed = new Set<ReplayDigest>()
  const bySecond = new Map<UnixSeconds, ReplayDigest[]>()
  let forgotten = ForgottenTimes.none
  let sweptFor: number | undefined

  /** Windows span minutes, so there are few seconds to look at, and each second of the clock looks once. */
  const forget = (now: UnixSeconds): void => {
    const oldest = oldestAdmissible(now, options.maxAge)
    if (oldest === undefined || oldest === sweptFor) return
    sweptFor = oldest
    for (const [second, digests] of bySecond) {
      if (second >= oldest) continue
      for (const digest of digests) claimed.delete(digest)
      bySecond.delete(second)
      forgotten = forgotten.with({ first: second, last: second })
    }
  }

  return {
    async claim(claims, now) {
      const answers = claims.map(({ digest, timestamp }) => {
        if (forgotten.has(timestamp) || claimed.has(digest)) return 'replayed' as const
        claimed.add(digest)
        const digests = bySecond.get(timestamp)
        if (digests === undefined) bySecond.set(timestamp, [digest])
        else digests.push(digest)
        return 'first' as const
      })
      forget(now)
      return ok(answers)
    },
    size: () => claimed.size,
    async close() {
      claimed.clear()
      bySecond.clear()
    },
  }
}
