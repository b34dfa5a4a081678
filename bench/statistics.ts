/** The statistics of a list of measurements. */

export interface Summary {
  readonly count: number
  readonly min: number
  readonly median: number
  readonly p95: number
  readonly max: number
}

/** `NaN` of none. */
export function median(values: readonly number[]): number {
  return summarise(values)?.median ?? Number.NaN
}

/** Of at least one value; `undefined` of none. Percentiles are values that occurred (nearest rank). */
export function summarise(values: readonly number[]): Summary | undefined {
  const sorted = values.toSorted((a, b) => a - b)
  const [min, max] = [sorted[0], sorted.at(-1)]
  if (min === undefined || max === undefined) return undefined
  const rank = (share: number): number => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? max
  return { count: sorted.length, min, median: rank(0.5), p95: rank(0.95), max }
}
