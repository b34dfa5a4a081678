/**
 * When a used packet may be forgotten. The age check of policy admits a packet whose time lies within `maxAge` of ours,
 * either way; one older than that is refused without a memory of it, for as long as clocks run forwards. Clocks are set
 * back, though, and windows widened. So a store also keeps the newest timestamp that it ever forgot, and whatever is
 * not newer than that counts as used. Of the timestamps forgotten, not of the clock: a clock that was a year fast for an
 * hour must not lock everyone out for a year once it is put right.
 */
import type { Seconds, UnixSeconds } from '../units.ts'

/** The oldest timestamp that the age check still lets through; nothing while aging is off. May be negative. */
export function oldestAdmissible(now: UnixSeconds, maxAge: Seconds | 'unlimited'): number | undefined {
  return maxAge === 'unlimited' ? undefined : now - maxAge
}

/**
 * fwknopd notes when it saw a packet, not what time the packet named, and files a packet before it judges its age. The
 * slack covers the clocks that go wrong in practice, by a time zone or two.
 */
const CLOCK_ERROR = 86_400

/** The oldest moment at which fwknopd may have seen a packet that our age check still lets through. */
export function oldestAdmissibleSighting(now: UnixSeconds, maxAge: Seconds | 'unlimited'): number | undefined {
  return maxAge === 'unlimited' ? undefined : now - 2 * maxAge - CLOCK_ERROR
}
