/**
 * The end of a kernel filter: accepts a packet whose port, in A, is in one of many ranges. By binary search down to a
 * few ranges, then one after the other. So a thousand ports cost a packet some ten comparisons more than one, and 1.25
 * instructions each. A range takes 2.25 instructions.
 */
import { JA, JEQ_K, JGE_K, JGT_K, RET_K } from '../../system/bpf.ts'
import type { PortRange } from '../../units.ts'
import type { Listing } from './listing.ts'

/** Ranges that are compared one after the other. */
const LEAF = 8
/** Ranges that share one return: a jump reaches 255 instructions, and these take at most 145. */
const CHUNK = 64

/**
 * @param ranges sorted, and apart from each other (`mergeRanges`).
 * @param accepted what the program returns for a port in one of them. Else it returns 0.
 */
export function addPortSearch(listing: Listing, ranges: readonly PortRange[], accepted: number): void {
  if (ranges.length <= CHUNK) {
    // Two searches of one program do not share a label.
    const accept = `ports from ${ranges[0]?.first ?? 'none'}`
    addChunk(listing, ranges, accept)
    listing.label(accept)
    listing.add(RET_K, accepted)
    return
  }
  const [low, high] = halves(ranges, CHUNK)
  const above = `ports above ${high[0]?.first}`
  listing.skip(JGE_K, high[0]?.first ?? 0, 0, 1)
  listing.branch(JA, 0, above, undefined)
  addPortSearch(listing, low, accepted)
  listing.label(above)
  addPortSearch(listing, high, accepted)
}

function addChunk(listing: Listing, ranges: readonly PortRange[], accept: string): void {
  if (ranges.length <= LEAF) {
    for (const { first, last } of ranges) {
      if (first === last) listing.branch(JEQ_K, first, accept, undefined)
      else {
        listing.skip(JGE_K, first, 0, 1)
        listing.branch(JGT_K, last, undefined, accept)
      }
    }
    listing.add(RET_K, 0)
    return
  }
  const [low, high] = halves(ranges, LEAF)
  const above = `${accept}, above ${high[0]?.first}`
  listing.branch(JGE_K, high[0]?.first ?? 0, above, undefined)
  addChunk(listing, low, accept)
  listing.label(above)
  addChunk(listing, high, accept)
}

/** Two parts of about the same length, the first a multiple of `unit`. */
function halves(ranges: readonly PortRange[], unit: number): readonly [readonly PortRange[], readonly PortRange[]] {
  const middle = Math.ceil(ranges.length / 2 / unit) * unit
  return [ranges.slice(0, middle), ranges.slice(middle)]
}
