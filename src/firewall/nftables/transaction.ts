/** Changes of the book as commands for nftables. Each text is one transaction, carried out completely or not at all. */

import type { TableShape } from '../../config/server/firewall-settings.ts'
import { milliseconds } from '../../units.ts'
import type { Change, Entry, Instant } from '../book.ts'
import type { Door } from '../doors.ts'
import { type Element, elementsOf } from './elements.ts'
import { ledgerElements } from './ledger.ts'
import { renderTable } from './ruleset.ts'

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

/** The commands for `changes`, in order. Empty text: nothing to do. */
export function renderChanges(shape: TableShape, changes: readonly Change[], now: Instant, care: Care): string {
  return renderMoves(shape, mergedMoves(changes), now, care)
}

/** The commands that move these elements. */
export function renderMoves(shape: TableShape, moves: readonly Move[], now: Instant, care: Care): string {
  const script = new Script(shape)
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
  return script.text()
}

/**
 * The commands that leave our table with exactly these doors open, regardless of its contents. No grant is recorded
 * then.
 */
export function renderDoors(
  shape: TableShape,
  doors: readonly { readonly door: Door; readonly until: Instant }[],
  now: Instant,
): string {
  const script = new Script(shape)
  for (const { door, until } of doors) {
    if (until - now < SHORTEST_SPAN) continue
    for (const element of elementsOf(door)) script.put('last', element, until, now)
  }
  return renderTable(shape) + script.text()
}

/** The commands that put these elements into our table, all with the same end. */
export function renderElements(shape: TableShape, elements: readonly Element[], until: Instant, now: Instant): string {
  const script = new Script(shape)
  if (until - now >= SHORTEST_SPAN) for (const element of elements) script.put('last', element, until, now)
  return script.text()
}

/** The commands that record these grants, after {@link renderDoors}. */
export function renderRecords(shape: TableShape, entries: readonly Entry[], now: Instant): string {
  const script = new Script(shape)
  for (const { number, grant, until } of entries) {
    if (until - now < SHORTEST_SPAN) continue
    for (const element of ledgerElements(number, grant, until)) script.put('last', element, until, now)
  }
  return script.text()
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
  readonly #shape: TableShape
  readonly #commands = {
    first: new Map<string, string[]>(),
    delete: new Map<string, string[]>(),
    last: new Map<string, string[]>(),
  }

  constructor(shape: TableShape) {
    this.#shape = shape
  }

  put(
    when: 'first' | 'last',
    { set, key, value, comment, outlives = milliseconds(0) }: Element,
    until: Instant,
    now: Instant,
  ): void {
    const remark = comment === undefined ? '' : ` comment "${comment}"`
    const answer = value === undefined ? '' : ` : ${value}`
    this.#note(
      when,
      set,
      `${key} timeout ${renderSpan(Math.max(SHORTEST_SPAN, until - now) + outlives)}${remark}${answer}`,
    )
  }

  delete({ set, key, value }: Element): void {
    this.#note('delete', set, value === undefined ? key : `${key} : ${value}`)
  }

  text(): string {
    const { table } = this.#shape
    const lines = (verb: string, sets: Map<string, string[]>): string[] =>
      [...sets].map(([set, elements]) => `${verb} element inet ${table} ${set} { ${elements.join(', ')} }\n`)
    const { first, delete: deleted, last } = this.#commands
    return [...lines('add', first), ...lines('delete', deleted), ...lines('add', last)].join('')
  }

  #note(list: 'first' | 'delete' | 'last', set: string, text: string): void {
    const elements = this.#commands[list].get(set)
    if (elements === undefined) this.#commands[list].set(set, [text])
    else elements.push(text)
  }
}

/** A time span as nftables reads it, rounded down, so that nothing stays open past its end. */
function renderSpan(milliseconds: number): string {
  const whole = Math.floor(milliseconds)
  const [days, rest] = [Math.floor(whole / 86_400_000), whole % 86_400_000]
  const [s, ms] = [Math.floor(rest / 1000), rest % 1000]
  const [h, m] = [Math.floor(s / 3600), Math.floor(s / 60) % 60]
  return `${days}d${h}h${m}m${s % 60}s${ms}ms`
}
