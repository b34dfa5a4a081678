/** Which rows of a long list are drawn, and in which order. Pure. */

export interface Sorting {
  readonly by: string
  readonly isDown: boolean
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
