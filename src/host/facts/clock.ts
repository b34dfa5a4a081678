/**
 * The clock of this host. A packet carries the time of its client, and is refused if that is too far from the server's.
 * The kernel knows whether a program keeps the clock right (adjtimex(2)), so no such program is asked.
 */
import { type Known, known, notKnown } from '../known.ts'
import type { Looker } from '../looker.ts'

export interface SystemClock {
  /** Whether a program keeps the clock right (NTP and the like). */
  readonly synchronised: boolean
  /** By how many seconds it may be wrong at most, as far as the kernel knows. */
  readonly largestError: number
}

export interface HardwareClock {
  /** The names of the clocks that run while the host is off: `rtc0`. */
  readonly clocks: readonly string[]
}

/** `struct timex` of 64-bit Linux, in bytes: the status (int) is at 40, the maximum error in µs (long) at 24. */
export const TIMEX_LENGTH = 208
const MAX_ERROR_AT = 24
const STATUS_AT = 40
// linux/timex.h
const STA_UNSYNC = 0x40
const TIME_ERROR = 5

export function lookAtClock(looker: Looker): Known<SystemClock> {
  const read = looker.clock()
  if (!read.known) return read
  return parseTimex(read.value.timex, read.value.state)
}

export function parseTimex(timex: Uint8Array, state: number): Known<SystemClock> {
  if (timex.length < TIMEX_LENGTH) return notKnown('adjtimex gave too few bytes')
  const view = new DataView(timex.buffer, timex.byteOffset, timex.byteLength)
  const unsynchronised = state === TIME_ERROR || (view.getInt32(STATUS_AT, true) & STA_UNSYNC) !== 0
  return known({
    synchronised: !unsynchronised,
    largestError: Number(view.getBigInt64(MAX_ERROR_AT, true)) / 1e6,
  })
}

export function lookAtHardwareClock(looker: Looker): Known<HardwareClock> {
  const names = looker.list('/sys/class/rtc')
  if (!names.known) return names
  const sys = looker.list('/sys/class')
  if (!sys.known) return sys
  if (sys.value === undefined || sys.value.length === 0) return notKnown('/sys is not mounted')
  return known({ clocks: (names.value ?? []).filter((name) => /^rtc\d+$/.test(name)).sort() })
}
