/**
 * Troubles that strangers can bring about as often as they like (a decoy that is down, no descriptors left) are told at
 * once, and then at most every ten seconds, with how often they came in between.
 */
export interface Trouble {
  /** `decoy`, `service`: it cannot be reached. `accept`: the system handed no connection over. `full`: no room for one. */
  readonly kind: 'decoy' | 'service' | 'accept' | 'full'
  readonly detail: string
  /** How many since this kind was last told, this one included. */
  readonly count: number
}

const QUIET = 10_000

/** @param monotonic in milliseconds. */
export function tellSparingly(
  tell: (trouble: Trouble) => void,
  monotonic: () => number,
): (kind: Trouble['kind'], detail: string) => void {
  const told = new Map<Trouble['kind'], { at: number; since: number }>()
  return (kind, detail) => {
    const now = monotonic()
    const last = told.get(kind) ?? { at: Number.NEGATIVE_INFINITY, since: 0 }
    last.since++
    told.set(kind, last)
    if (now - last.at < QUIET) return
    tell({ kind, detail, count: last.since })
    last.at = now
    last.since = 0
  }
}
