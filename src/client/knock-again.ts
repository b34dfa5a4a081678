/**
 * Knocks after the first, while the port stays shut: UDP loses packets, and a flood makes it lose more. Each packet is
 * sealed anew, so that no server takes it for a replay.
 */
import { type Milliseconds, milliseconds } from '../units.ts'
import type { SentKnock } from './knock.ts'

/** When knocks after the first leave, counted from the first. */
const FIRST_TIMES = [1_000, 2_000, 4_000]
/** How far apart all further knocks are. */
const DISTANCE = 4_000

/** Knocks that are sent while something else is waited for. */
export interface LaterKnocks {
  /**
   * Sends nothing more.
   * @returns the packets of all knocks after the first, in order. Rejects with what a knock threw.
   */
  end(): Promise<readonly SentKnock[]>
}

/**
 * @param again how many knocks after the first.
 * @param limit how long is waited, from the first knock on. At its end no knock can help any more.
 * @returns when each knock after the first leaves, counted from the first.
 */
export function laterKnockTimes(again: number, limit: Milliseconds): readonly Milliseconds[] {
  const last = FIRST_TIMES.at(-1) ?? 0
  const time = (i: number): number => FIRST_TIMES[i] ?? last + (i - FIRST_TIMES.length + 1) * DISTANCE
  return Array.from({ length: again }, (_, i) => milliseconds(time(i))).filter((it) => it < limit)
}

/**
 * @param times counted from now.
 * @param knock sends the knock with this number; the second is 2.
 */
export function knockLater(
  times: readonly Milliseconds[],
  knock: (number: number) => Promise<readonly SentKnock[]>,
): LaterKnocks {
  const sent: Promise<readonly SentKnock[]>[] = []
  const timers = times.map((time, i) =>
    setTimeout(() => {
      const knocked = knock(i + 2)
      // `end` tells of it.
      knocked.catch(() => {})
      sent.push(knocked)
    }, time),
  )
  return {
    async end() {
      for (const timer of timers) clearTimeout(timer)
      return (await Promise.all(sent)).flat()
    },
  }
}
