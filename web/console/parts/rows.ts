/** Which rows of a long list are drawn, and in which order. Pure. */

export interface Sorting {
  readonly by: string
  readonly isDown: boolean
}

/**
 * @param key what is sorted by.
 * @param id what no two rows have in common. It decides among equals: so rows keep their places.
 */
export function sortedBy<Row>(
  rows: readonly Row[],
  key: (row: Row) => string | number,
  id: (row: Row) => string,
  isDown: boolean,
): readonly Row[] {
  const keyed = rows.map((row) => ({ row, key: key(row) }))
  keyed.sort((one, other) => compare(one.key, other.key) || compare(id(one.row), id(other.row)))
  const sorted = keyed.map(({ row }) => row)
  return isDown ? sorted.reverse() : sorted
}

function compare(one: string | number, other: string | number): number {
  return one < other ? -1 : one > other ? 1 : 0
}

export interface Window {
  /** The first that is drawn, and the one after the last. */
  readonly from: number
  readonly to: number
}

/** So few are all drawn: the browser’s own search finds them. */
const ALL = 120

/** Rows that are drawn above and below what is seen: the Tab key reaches them. */
const BESIDE = 8

/**
 * @param top of the list, in pixels below the upper edge of the window; negative when it is scrolled.
 * @param height of a row, and `screen` of the window, in pixels.
 */
export function windowOf(count: number, top: number, height: number, screen: number): Window {
  if (count <= ALL) return { from: 0, to: count }
  const first = Math.floor(-top / height)
  const last = Math.ceil((screen - top) / height)
  const from = Math.min(Math.max(0, first - BESIDE), Math.max(0, count - 1))
  return { from, to: Math.min(count, Math.max(from, last + BESIDE)) }
}
