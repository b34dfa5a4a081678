/** Compares the kernel's elements with the book: elements that are missing, too many, or that end at another time. */

import { milliseconds } from '../../units.ts'
import type { Book, Instant } from '../book.ts'
import type { FoundElement } from './dump.ts'
import { type Element, elementsOf, GUARD_OUTLIVES } from './elements.ts'
import { ledgerElements } from './ledger.ts'
import { type Move, SHORTEST_SPAN } from './transaction.ts'

/** For an element that never ends. */
const LONG = milliseconds(86_400_000)

/**
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
  const wanted = new Map<string, Map<string, { readonly element: Element; readonly until: number }>>()
  const want = (element: Element, until: number): void => {
    if (until - now < SHORTEST_SPAN) return
    const keys = wanted.get(element.set) ?? new Map()
    if (keys.size === 0) wanted.set(element.set, keys)
    keys.set(element.key, { element, until: until + (element.outlives ?? 0) })
  }
  for (const { door, until } of book.open(now)) for (const element of elementsOf(door)) want(element, until)
  for (const { number, grant, until } of book.live(now))
    for (const element of ledgerElements(number, grant, until)) want(element, until)

  const moves: Move[] = []
  for (const element of found) {
    const match = wanted.get(element.set)?.get(element.key)
    // Guards a way that has ended, for the last packet on it.
    if (match === undefined && element.set.startsWith('fwd') && element.from - now <= GUARD_OUTLIVES) continue
    const from = Math.min(element.to, now + LONG) as Instant
    if (match === undefined || match.element.value !== element.value || match.element.comment !== element.comment) {
      moves.push({ element: asElement(element), from })
      continue
    }
    wanted.get(element.set)?.delete(element.key)
    if (element.from - tolerance > match.until || match.until > element.to + tolerance)
      moves.push({ element: match.element, from, to: (match.until - (match.element.outlives ?? 0)) as Instant })
  }
  for (const keys of wanted.values())
    for (const { element, until } of keys.values())
      moves.push({ element, to: (until - (element.outlives ?? 0)) as Instant })
  return moves
}

/** Without its comment: deleting an element does not need it, and another program may have written it. */
function asElement({ set, key, value }: FoundElement): Element {
  return { set, key, ...(value !== undefined && { value }) }
}
