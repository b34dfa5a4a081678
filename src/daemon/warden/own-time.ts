/**
 * Own time: the time in which this process could read messages. A process that is stopped, or held up by a disk or by
 * its own work, reads nothing. When it goes on, messages from meanwhile still wait to be read, and no deadline may pass
 * before they are.
 */
import { type Milliseconds, milliseconds } from '../../units.ts'

/** Between two looks. A look that is late by more than this was held up. */
const STEP = milliseconds(1000)

/**
 * @returns how much of the time since `before` this process was not held up, given that it meant to look again after
 * `step`.
 */
export function ownTime(before: number, now: number, step: number): number {
  return Math.min(now - before, 2 * step)
}

/**
 * Calls `then` once so much own time is over. Ended by `clearTimeout`.
 * @param clock any in milliseconds that never goes back.
 */
export function afterOwnTime(
  then: () => void,
  delay: Milliseconds,
  clock: () => number = () => performance.now(),
): NodeJS.Timeout {
  const step = Math.min(STEP, Math.max(1, delay / 10))
  let left: number = delay
  let before = clock()
  const timer = setInterval(() => {
    const now = clock()
    left -= ownTime(before, now, step)
    before = now
    if (left > 0) return
    clearTimeout(timer)
    then()
  }, step)
  return timer
}
