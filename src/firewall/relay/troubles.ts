/**
 * Strangers can cause some troubles as often as they like (a decoy that is down, no place left). Each kind is reported
 * at once, and then at most every ten seconds, with the number in between.
 */
import { milliseconds } from '../../units.ts'

export interface Trouble {
  /**
   * `decoy`, `service`: cannot be reached. `accept`: the system did not hand over a connection. `strangers full`,
   * `grants full`: no place for a connection without a grant, or with one.
   */
  readonly kind: 'decoy' | 'service' | 'accept' | 'strangers full' | 'grants full'
  /** The latest one. */
  readonly detail: string
  /** How many since this kind was last reported, including this one. */
  readonly count: number
}

/** Between two lines about troubles of one kind. */
const QUIET = milliseconds(10_000)

/** What came since a kind was last reported. */
interface Told {
  at: number
  since: number
  detail: string
  timer?: NodeJS.Timeout | undefined
}

/** @param monotonic in milliseconds. */
export function tellSparingly(
  tell: (trouble: Trouble) => void,
  monotonic: () => number,
): (kind: Trouble['kind'], detail: string) => void {
  const told = new Map<Trouble['kind'], Told>()
  const tellNow = (kind: Trouble['kind'], last: Told): void => {
    clearTimeout(last.timer)
    last.timer = undefined
    if (last.since === 0) return
    tell({ kind, detail: last.detail, count: last.since })
    last.at = monotonic()
    last.since = 0
  }
  return (kind, detail) => {
    const last = told.get(kind) ?? { at: Number.NEGATIVE_INFINITY, since: 0, detail }
    told.set(kind, last)
    last.since++
    last.detail = detail
    const quiet = last.at + QUIET - monotonic()
    if (quiet <= 0) tellNow(kind, last)
    // The last of a burst is reported too.
    else last.timer ??= setTimeout(() => tellNow(kind, last), quiet).unref()
  }
}
