/** Refusals over time, as bars of parts: one for each of the most frequent codes, and one for all others. Pure. */
import type { Refusals } from '../api.ts'

export interface Bar {
  /** Milliseconds since 1970. */
  readonly at: number
  readonly total: number
  /** In the order of {@link Chart.codes}. */
  readonly parts: readonly number[]
}

export interface Chart {
  /** The most frequent first; then “other”, if there are others. */
  readonly codes: readonly string[]
  readonly bars: readonly Bar[]
  /** The highest total. */
  readonly most: number
}

export const OTHER = 'other'
const MOST_CODES = 4

/** @param from in milliseconds, and `step` of a bar. Steps that the server left out are empty bars. */
export function chartOf({ steps, codes }: Refusals, from: number, to: number, step: number): Chart {
  const ranked = codes.toSorted((one, other) => other.count - one.count).map(({ code }) => code)
  const named = ranked.slice(0, MOST_CODES)
  const shown = ranked.length > MOST_CODES ? [...named, OTHER] : named
  const counts = new Map<number, Map<string, number>>()
  for (const { at, codes: found } of steps) {
    const bar = Math.floor((Date.parse(at) - from) / step)
    const sums = counts.get(bar) ?? new Map<string, number>()
    for (const [code, count] of Object.entries(found)) {
      const part = named.includes(code) ? code : OTHER
      sums.set(part, (sums.get(part) ?? 0) + count)
    }
    counts.set(bar, sums)
  }
  const bars: Bar[] = []
  for (let at = from, i = 0; at < to; at += step, i++) {
    const parts = shown.map((code) => counts.get(i)?.get(code) ?? 0)
    bars.push({ at, parts, total: parts.reduce((sum, part) => sum + part, 0) })
  }
  return { codes: shown, bars, most: Math.max(0, ...bars.map(({ total }) => total)) }
}

/** A round number that is not below: 1, 2, 5, 10, 20, 50 … */
export function roundUp(most: number): number {
  let size = 1
  for (;;) {
    for (const times of [1, 2, 5]) if (most <= times * size) return times * size
    size *= 10
  }
}
