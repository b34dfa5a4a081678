/**
 * The times of packets that a store has forgotten, as ranges. A packet with a time inside of a range counts as used.
 *
 * There are ranges, and not one high-water mark, because a clock may jump. It may go a year ahead and come back. Then
 * packets of that year are forgotten. With one mark, everybody would be locked out until that year is over. A holder of
 * a key could even prepare such a jump with a packet dated ahead. Here each such visit is a range of its own, and the
 * present is in none.
 *
 * Every time that was ever forgotten lies in a range, also after jumps of the clock: used packets do not become new.
 * Other times lie in a range only if they are between two forgotten ones. That happens if the two are near to each
 * other, or if there would be too many ranges.
 */

/** In Unix seconds, both inclusive. */
export interface TimeRange {
  readonly first: number
  readonly last: number
}

/** Ranges nearer to each other than this, in seconds, are one. */
const NEAR = 60
/** Beyond this, those with the smallest gap between them become one. To look at them all takes some microseconds. */
export const MOST_RANGES = 1000

/** Immutable: a transaction that fails keeps the old one. */
export class ForgottenTimes {
  static readonly none = new ForgottenTimes([])

  /** In order, apart from each other. */
  readonly ranges: readonly TimeRange[]

  private constructor(ranges: readonly TimeRange[]) {
    this.ranges = ranges
  }

  /** @param ranges in any order. */
  static of(ranges: Iterable<TimeRange>): ForgottenTimes {
    let all = ForgottenTimes.none
    for (const range of ranges) all = all.with(range)
    return all
  }

  has(time: number): boolean {
    return this.#covers({ first: time, last: time })
  }

  /** These, and a range more. */
  with(range: TimeRange): ForgottenTimes {
    if (this.#covers(range)) return this
    const before = this.ranges.filter(({ last }) => last < range.first - NEAR)
    const after = this.ranges.filter(({ first }) => first > range.last + NEAR)
    const near = this.ranges.slice(before.length, this.ranges.length - after.length)
    const joined = {
      first: Math.min(range.first, near[0]?.first ?? range.first),
      last: Math.max(range.last, near.at(-1)?.last ?? range.last),
    }
    return new ForgottenTimes(fewer([...before, joined, ...after]))
  }

  /** Binary search: called once per claim. */
  #covers({ first, last }: TimeRange): boolean {
    let [low, high] = [0, this.ranges.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.ranges[middle]?.last ?? 0) < last) low = middle + 1
      else high = middle
    }
    const range = this.ranges[low]
    return range !== undefined && range.first <= first
  }
}

/** At most one more than allowed comes in. */
function fewer(ranges: readonly TimeRange[]): readonly TimeRange[] {
  if (ranges.length <= MOST_RANGES) return ranges
  let nearest = 1
  for (let i = 2; i < ranges.length; i++) if (gapBefore(ranges, i) < gapBefore(ranges, nearest)) nearest = i
  const [one, other] = [ranges[nearest - 1], ranges[nearest]]
  if (one === undefined || other === undefined) return ranges
  return [...ranges.slice(0, nearest - 1), { first: one.first, last: other.last }, ...ranges.slice(nearest + 1)]
}

function gapBefore(ranges: readonly TimeRange[], i: number): number {
  return (ranges[i]?.first ?? 0) - (ranges[i - 1]?.last ?? 0)
}
