/**
 * Counts what is in a log, in bounded memory: as many different things as there is room for, exactly. When room is
 * needed, the rare ones go, and what comes later has a bound for what may be missing (the algorithm of Misra and Gries,
 * “Finding repeated elements”, with a bound for each key).
 */
import { ownCopy } from './byte-text.ts'

/** What is known of a key. The true count is from `count` to `count + missing`. */
export interface Cell {
  count: number
  /** What the tally might have forgotten of this key before it came (again). 0: the count is exact. */
  readonly missing: number
}

export interface Counted<C extends Cell = Cell> {
  readonly key: string
  readonly cell: C
}

/** What an entry takes besides its key: its place in the map, its cell, the head of its text. */
const ENTRY_BYTES = 150
/** A longer key is cut: keys that begin alike for so long count as one. */
export const LONGEST_KEY = 1_000

export class Tally<C extends Cell = Cell> {
  readonly #most: number
  readonly #make: (missing: number) => C
  #cells = new Map<string, C>()
  #bytes = 0
  #missing = 0

  /**
   * @param most the room, in bytes.
   * @param make a new cell with a count of 0.
   */
  constructor(most: number, make: (missing: number) => C) {
    this.#most = most
    this.#make = make
  }

  /** How many different keys are kept. */
  get size(): number {
    return this.#cells.size
  }

  /** The room that the keys take. */
  get bytes(): number {
    return this.#bytes
  }

  /** How often a key that is not kept can have been there, at most. 0: nothing was ever forgotten. */
  get missing(): number {
    return this.#missing
  }

  /** Counts a key once. @returns its cell. */
  add(key: string): C {
    const known = this.#cells.get(key.length > LONGEST_KEY ? key.slice(0, LONGEST_KEY) : key)
    const cell = known ?? this.#insert(key)
    cell.count++
    return cell
  }

  get(key: string): C | undefined {
    return this.#cells.get(key)
  }

  [Symbol.iterator](): IterableIterator<[string, C]> {
    return this.#cells[Symbol.iterator]()
  }

  /** The most frequent first; equal ones by their key. */
  top(most: number, countOf: (cell: C) => number = ({ count }) => count): readonly Counted<C>[] {
    return [...this.#cells]
      .map(([key, cell]) => ({ key, cell }))
      .filter(({ cell }) => countOf(cell) > 0)
      .sort((one, other) => countOf(other.cell) - countOf(one.cell) || (one.key < other.key ? -1 : 1))
      .slice(0, most)
  }

  /** Forgets rare keys until the others take so little room. */
  shrink(bytes: number): void {
    if (this.#bytes <= bytes) return
    // Numbers alone: to sort the entries would take more memory than they do.
    const weights = Float64Array.from(this.#cells.values(), weight).sort()
    let at = Math.floor(weights.length * (1 - bytes / this.#bytes))
    while (this.#bytes > bytes) {
      // Each key loses as much as this one: those that have nothing left are gone.
      this.#missing = weights[Math.min(at, weights.length - 1)] ?? 0
      for (const [key, cell] of this.#cells) {
        if (weight(cell) > this.#missing) continue
        this.#cells.delete(key)
        this.#bytes -= bytesOf(key)
      }
      at += Math.ceil((weights.length - at) / 8)
    }
  }

  #insert(key: string): C {
    const own = ownCopy(key.slice(0, LONGEST_KEY))
    if (this.#bytes + bytesOf(own) > this.#most) this.shrink(this.#most / 2)
    const cell = this.#make(this.#missing)
    this.#cells.set(own, cell)
    this.#bytes += bytesOf(own)
    return cell
  }
}

/** What the count would be if nothing of the key had been lost. A tally’s losses are subtracted from all alike. */
function weight({ count, missing }: Cell): number {
  return count + missing
}

function bytesOf(key: string): number {
  return ENTRY_BYTES + key.length
}

export function newCell(missing: number): Cell {
  return { count: 0, missing }
}

/** A tally for each period of time, which share their room. 2 000 days are five years. */
export class Tallies {
  readonly #most: number
  readonly #mostPeriods: number
  readonly #each = new Map<string, Tally>()
  #bytes = 0
  /** What was not counted: there are too many periods. */
  uncounted = 0

  constructor(most: number, mostPeriods = 2_000) {
    this.#most = most
    this.#mostPeriods = mostPeriods
  }

  add(period: string, key: string): void {
    let tally = this.#each.get(period)
    if (tally === undefined) {
      if (this.#each.size >= this.#mostPeriods) {
        this.uncounted++
        return
      }
      tally = new Tally(this.#most, newCell)
      this.#each.set(ownCopy(period), tally)
    }
    const before = tally.bytes
    tally.add(key)
    this.#bytes += tally.bytes - before
    while (this.#bytes > this.#most) this.#shrinkLargest()
  }

  /** In the order of time. */
  periods(): readonly (readonly [period: string, tally: Tally])[] {
    return [...this.#each].sort(([one], [other]) => (one < other ? -1 : 1))
  }

  #shrinkLargest(): void {
    let largest: Tally | undefined
    for (const tally of this.#each.values()) if (largest === undefined || tally.bytes > largest.bytes) largest = tally
    if (largest === undefined) return
    this.#bytes -= largest.bytes
    largest.shrink(largest.bytes / 2)
    this.#bytes += largest.bytes
  }
}
