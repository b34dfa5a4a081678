/**
 * Whether a packet's time is near enough to this host's (MAX_SPA_PACKET_AGE). A difference in either direction fails,
 * as in fwknop.
 */
import { type Failure, ok, type Result, refuse } from '../result.ts'
import { type Seconds, type UnixSeconds, unixSeconds } from '../units.ts'

export function isTimely(timestamp: UnixSeconds, maxAge: Seconds | 'unlimited', now: UnixSeconds): boolean {
  return maxAge === 'unlimited' || Math.abs(now - timestamp) <= maxAge
}

export function checkAge(
  timestamp: UnixSeconds,
  maxAge: Seconds | 'unlimited',
  now: UnixSeconds,
): Result<void, Failure<'SPA_STALE' | 'SPA_FROM_FUTURE'>> {
  if (isTimely(timestamp, maxAge, now)) return ok(undefined)
  const age = now - timestamp
  const clocks = `the packet says ${showTime(timestamp)}, this host ${showTime(now)}; they may differ by at most ${maxAge} s`
  return age > 0
    ? refuse('SPA_STALE', `made ${age} s ago: ${clocks}`)
    : refuse('SPA_FROM_FUTURE', `dated ${-age} s ahead: ${clocks}`)
}

/** RFC 3339 in UTC, so that a time zone does not look like a wrong clock. */
export function showTime(time: UnixSeconds): string {
  const date = new Date(time * 1000)
  return Number.isNaN(date.getTime()) ? `second ${time}` : date.toISOString().replace('.000Z', 'Z')
}

/** Later than every end that anybody means. */
const NO_END = 9_000_000_000

/** The same, of an end that may be no end: a cluster that somebody closed. @param until seconds since 1970. */
export function showUntil(until: number): string {
  return until > NO_END ? 'further notice' : showTime(unixSeconds(until))
}
