/** The only way to ask for the time. The pure folders take `now` as an argument instead. */
import { type Milliseconds, milliseconds, type UnixSeconds, unixSeconds } from './units.ts'

export interface Clock {
  now(): UnixSeconds
}

/** The host's wall clock. */
export const systemClock: Clock = { now: () => unixSeconds(Math.max(0, Math.floor(Date.now() / 1000))) }

/** A time that never goes back, also when the wall clock is set. Its zero is the start of the process. */
export function monotonic(): Milliseconds {
  return milliseconds(performance.now())
}

/** A clock that moves only when told: for tests, and to judge vectors at their own time. */
export class ManualClock implements Clock {
  #now: UnixSeconds
  constructor(start: UnixSeconds) {
    this.#now = start
  }
  now(): UnixSeconds {
    return this.#now
  }
  set(to: UnixSeconds): void {
    this.#now = to
  }
  advance(by: number): void {
    this.#now = unixSeconds(this.#now + by)
  }
}
