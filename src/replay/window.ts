/**
 * When a used packet is recorded, and when it may be forgotten. The age check of policy admits a packet whose time is
 * within `maxAge` of ours, either way. An older one is refused without a memory of it, for as long as clocks run
 * forwards. For clocks that are set back and windows that are widened, see forgotten-times.ts.
 */
import type { Seconds, UnixSeconds } from '../units.ts'
import type { TimeRange } from './forgotten-times.ts'

/** The oldest timestamp that the age check still lets through. May be negative; endless while aging is off. */
export function oldestAdmissible(now: UnixSeconds, maxAge: Seconds | 'unlimited'): number {
  return maxAge === 'unlimited' ? Number.NEGATIVE_INFINITY : now - maxAge
}

/**
 * fwknopd notes when it saw a packet, not what time the packet named, and files a packet before it judges its age. The
 * slack covers the clocks that go wrong in practice, by a time zone or two.
 */
const CLOCK_ERROR = 86_400

/** The range of packet timestamps that fwknopd could have accepted at time `seen`. */
export function timesAround(seen: number, maxAge: Seconds | 'unlimited'): TimeRange {
  const window = maxAge === 'unlimited' ? 0 : maxAge
  return { first: seen - window - CLOCK_ERROR, last: seen + window }
}

/** The oldest moment at which fwknopd may have seen a packet that our age check still lets through. */
export function oldestAdmissibleSighting(now: UnixSeconds, maxAge: Seconds | 'unlimited'): number {
  return maxAge === 'unlimited' ? Number.NEGATIVE_INFINITY : now - 2 * maxAge - CLOCK_ERROR
}
