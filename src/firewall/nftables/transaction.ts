/** Changes of the book as commands for nftables. Each list is one transaction, carried out completely or not at all. */

import { milliseconds } from '../../units.ts'
import type { Change, Entry, Instant } from '../book.ts'
import type { Door } from '../doors.ts'
import type { Command, TimedElement } from './commands.ts'
import { type Element, elementsOf } from './elements.ts'
import { ledgerElements } from './ledger.ts'

/**
 * How existing elements get a new timeout. Older kernels ignore an `add` of an existing element, so it must be deleted
 * first. The delete fails if the element has expired meanwhile.
 */
export type Care =
  /** `delete` what the book calls live, then `add`: right except for a race with the timeout itself. */
  | 'quick'
  /** `add`, `delete`, `add`: always right. */
  | 'careful'

/** An element that ends within this time may already be gone, by the kernel's clock. */
const DOUBT = milliseconds(100)
/** An element that would end sooner than this is not added (the kernel counts in ticks of up to 10 ms). */
export const SHORTEST_SPAN = milliseconds(10)

/** An element and its move: `from` is its former end, absent if it does not exist; `to` is its new end. */
export interface Move {
  readonly element: Element
  readonly from?: Instant
  readonly to?: Instant
}

/** The commands for `changes`, in order. None: nothing to do. */
export function commandsFor(changes: readonly Change[], now: Instant, care: Care): readonly Command[] {
  return commandsToMove(mergedMoves(changes), now, care)
}

/** The commands that move these elements. */
export function commandsToMove(moves: readonly Move[], now: Instant, care: Care): readonly Command[] {
  const script = new Script()
  for (const { element, from, to } of moves) {
    const { outlives = 0 } = element
    const there = from !== undefined && from + outlives > now - DOUBT
    if (outlives > 0 || (there && (care === 'careful' || from < now + DOUBT))) {
      // Makes sure that the delete finds the element.
      script.put('first', element, from ?? now, now)
      script.delete(element)
    } else if (there) script.delete(element)
    if (to !== undefined) script.put('last', element, to, now)
  }
  return script.commands()
}

/** The commands that open these doors in an empty table. */
export function commandsToOpen(
  doors: readonly { readonly door: Door; readonly until: Instant }[],
  now: Instant,
): readonly Command[] {
  const script = new Script()
  for (const { door, until } of doors) {
    if (until - now < SHORTEST_SPAN) continue
    for (const element of elementsOf(door)) script.put('last', element, until, now)
  }
  return script.commands()
}

/** The commands that put these elements into our table, all with the same end. */
export function commandsToAdd(elements: readonly Element[], until: Instant, now: Instant): readonly Command[] {
  const script = new Script()
  if (until - now >= SHORTEST_SPAN) for (const element of elements) script.put('last', element, until, now)
  return script.commands()
}

/** The commands that record these grants, after {@link commandsToOpen}. */
export function commandsToRecord(entries: readonly Entry[], now: Instant): readonly Command[] {
  const script = new Script()
  for (const { number, grant, until } of entries) {
    if (until - now < SHORTEST_SPAN) continue
    for (const element of ledgerElements(number, grant, until)) script.put('last', element, until, now)
  }
  return script.commands()
}

/**
 * The net effect. Several changes may move one element, and an element that ends up where it was does not move. Counted
 * by element: doors that lead one port to two places, one after the other, share an element.
 */
function mergedMoves(changes: readonly Change[]): Move[] {
  const elements = new Map<string, Move>()
  const records = new Map<string, { before?: Entry; after?: Entry }>()
  for (const { id, before, after, ousted = [], displaced = [], doors } of changes) {
    for (const entry of [...ousted, ...displaced]) {
      const known = records.get(entry.grant.id)
      const first = known === undefined ? entry : known.before
      records.set(entry.grant.id, first === undefined ? {} : { before: first })
    }
    const record = records.get(id)
    const first = record === undefined ? before : record.before
    records.set(id, { ...(first && { before: first }), ...(after && { after }) })
    for (const { door, from, to } of doors) {
      for (const element of elementsOf(door)) {
        const name = `${element.set} ${element.key} ${element.value}`
        const known = elements.get(name)
        const start = known === undefined ? from : known.from
        elements.set(name, { element, ...(start !== undefined && { from: start }), ...(to !== undefined && { to }) })
      }
    }
  }
  const moves = [...elements.values()].filter(({ from, to }) => from !== to)
  for (const { before, after } of records.values()) {
    if (before !== undefined) {
      for (const element of ledgerElements(before.number, before.grant, before.until))
        moves.push({ element, from: before.until })
    }
    if (after !== undefined) {
      for (const element of ledgerElements(after.number, after.grant, after.until))
        moves.push({ element, to: after.until })
    }
  }
  return moves
}

/** Elements collected into one command per set, in this order: first adds, deletes, last adds. */
class Script {
  readonly #first = new Map<Element['set'], TimedElement[]>()
  readonly #delete = new Map<Element['set'], TimedElement[]>()
  readonly #last = new Map<Element['set'], TimedElement[]>()

  /** The timeout is rounded down, so that nothing stays open past its end. */
  put(when: 'first' | 'last', element: Element, until: Instant, now: Instant): void {
    const timeout = Math.floor(Math.max(SHORTEST_SPAN, until - now) + (element.outlives ?? 0))
    note(when === 'first' ? this.#first : this.#last, { element, timeout })
  }

  delete(element: Element): void {
    note(this.#delete, { element, timeout: 0 })
  }

  commands(): readonly Command[] {
    const commands: Command[] = []
    for (const [set, elements] of this.#first) commands.push({ verb: 'add', set, elements })
    for (const [set, elements] of this.#delete) commands.push({ verb: 'delete', set, elements })
    for (const [set, elements] of this.#last) commands.push({ verb: 'add', set, elements })
    return commands
  }
}

function note(sets: Map<Element['set'], TimedElement[]>, one: TimedElement): void {
  const { set } = one.element
  const elements = sets.get(set)
  if (elements === undefined) sets.set(set, [one])
  else elements.push(one)
}
