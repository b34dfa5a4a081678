/** Compares the kernel's elements with the book: elements that are missing, too many, or that end at another time. */

import { milliseconds } from '../../units.ts'
import type { Book, Instant } from '../book.ts'
import type { FoundElement } from './dump.ts'
import { type Element, elementsOf, GUARD_OUTLIVES } from './elements.ts'
import { ledgerElements } from './ledger.ts'
import { type Move, SHORTEST_SPAN } from './transaction.ts'

/** For an element that never ends. */
const LONG = milliseconds(86_400_000)

interface Wanted {
  readonly element: Element
  readonly until: number
  /** Whether the kernel told of this key. */
  isFound: boolean
  /** Whether it told of this very element. */
  isThere: boolean
}

/**
 * @param found may have an element twice: the kernel tells so while it enlarges a set, for some milliseconds after many
 * changes.
 * @param tolerance ends that are no further apart than this (milliseconds) are the same. The kernel counts in ticks of
 * up to 10 ms.
 * @returns how the elements have to be moved so that they are as the book says.
 */
export function differences(
  book: Book,
  found: readonly FoundElement[],
  now: Instant,
  tolerance: number,
): readonly Move[] {
  // By set and key: a name for each, made of both, would cost more than all the rest.
  const wanted = new Map<string, Map<string, Wanted>>()
  const want = (element: Element, until: number): void => {
    if (until - now < SHORTEST_SPAN) return
    const keys = wanted.get(element.set) ?? new Map<string, Wanted>()
    if (keys.size === 0) wanted.set(element.set, keys)
    keys.set(element.key, { element, until: until + (element.outlives ?? 0), isFound: false, isThere: false })
  }
  for (const { door, until } of book.open(now)) for (const element of elementsOf(door)) want(element, until)
  for (const { number, grant, until } of book.live(now))
    for (const element of ledgerElements(number, grant, until)) want(element, until)

  const moves: Move[] = []
  const strangers = new Set<string>()
  for (const element of found) {
    const match = wanted.get(element.set)?.get(element.key)
    if (match?.isFound) continue
    // Guards a way that has ended, for the last packet on it.
    if (match === undefined && element.set.startsWith('fwd') && element.from - now <= GUARD_OUTLIVES) continue
    const from = Math.min(element.to, now + LONG) as Instant
    if (match === undefined) {
      const name = `${element.set} ${element.key}`
      if (!strangers.has(name)) moves.push({ element: asElement(element), from })
      strangers.add(name)
      continue
    }
    match.isFound = true
    if (match.element.value !== element.value || match.element.comment !== element.comment) {
      moves.push({ element: asElement(element), from })
      continue
    }
    match.isThere = true
    if (element.from - tolerance > match.until || match.until > element.to + tolerance)
      moves.push({ element: match.element, from, to: (match.until - (match.element.outlives ?? 0)) as Instant })
  }
  for (const keys of wanted.values())
    for (const { element, until, isThere } of keys.values())
      if (!isThere) moves.push({ element, to: (until - (element.outlives ?? 0)) as Instant })
  return moves
}

/** Without its comment: deleting an element does not need it, and another program may have written it. */
function asElement({ set, key, value }: FoundElement): Element {
  return { set, key, ...(value !== undefined && { value }) }
}
