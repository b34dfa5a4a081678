/** Time since the machine started. No change of the wall clock moves it. */
import { libc } from './libc.ts'

const CLOCK_MONOTONIC = 1
const CLOCK_BOOTTIME = 7

/** struct timespec: seconds and nanoseconds, 64 bits each. */
const time = new Uint8Array(new ArrayBuffer(16))
const view = new DataView(time.buffer)

/**
 * @param suspended whether the time counts in which the machine was suspended.
 * @returns milliseconds, with fractions.
 * @throws Error where there is no C library that can be asked (`libc.ts`).
 */
export function sinceBoot(suspended: 'counted' | 'not counted'): number {
  libc().clockGettime(suspended === 'counted' ? CLOCK_BOOTTIME : CLOCK_MONOTONIC, time)
  return Number(view.getBigInt64(0, true)) * 1_000 + Number(view.getBigInt64(8, true)) / 1e6
}
