/**
 * Things that wait for their turn, in groups, and in each group by share. The groups take turns, and the shares of a
 * group take turns. Each share, each group and all of it have a limit: nobody can take all places alone. A group or a
 * share never holds more places than it leaves free, so those that are full of work leave room for others.
 */

/** Places. */
export interface RowLimits {
  readonly inAll: number
  readonly ofGroup: number
  readonly ofShare: number
}

/** A Map keeps the order of turns. */
interface Group<T> {
  readonly shares: Map<string, T[]>
  count: number
}

export class FairRows<T> {
  readonly #limits: RowLimits
  readonly #groups = new Map<string, Group<T>>()
  #count = 0

  constructor(limits: RowLimits) {
    this.#limits = limits
  }

  /** Which limit leaves no place for one more. */
  fullFor(group: string, share: string): 'all' | 'group' | 'share' | undefined {
    const { inAll, ofGroup, ofShare } = this.#limits
    const free = inAll - this.#count
    if (free <= 0) return 'all'
    const of = this.#groups.get(group)
    if (of === undefined) return undefined
    // Where one group may have all places, its shares leave room for each other.
    if (of.count >= (ofGroup < inAll ? Math.min(ofGroup, free) : ofGroup)) return 'group'
    return (of.shares.get(share)?.length ?? 0) >= Math.min(ofShare, free) ? 'share' : undefined
  }

  /** To be called if there is a place. */
  add(group: string, share: string, item: T): void {
    const of: Group<T> = this.#groups.get(group) ?? { shares: new Map(), count: 0 }
    this.#groups.set(group, of)
    const items = of.shares.get(share)
    if (items === undefined) of.shares.set(share, [item])
    else items.push(item)
    of.count++
    this.#count++
  }

  /** @returns what has the next turn. */
  take(): T | undefined {
    const [first] = this.#groups
    if (first === undefined) return undefined
    const [name, group] = first
    const [next] = group.shares
    // Their turn is over: what is left of them goes to the end.
    this.#groups.delete(name)
    if (next === undefined) return undefined
    const [share, items] = next
    const item = items.shift()
    group.shares.delete(share)
    if (items.length > 0) group.shares.set(share, items)
    group.count--
    this.#count--
    if (group.count > 0) this.#groups.set(name, group)
    return item
  }

  /** Forgets all. @returns what waited. */
  clear(): readonly T[] {
    const all = [...this.#groups.values()].flatMap(({ shares }) => [...shares.values()].flat())
    this.#groups.clear()
    this.#count = 0
    return all
  }
}
