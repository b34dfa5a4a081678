/**
 * A heap of items by their end, the soonest on top. Items are not removed from its middle: those that no longer count
 * are skipped on top.
 */
export class Soonest<Item extends { readonly until: number }> {
  readonly #counts: (item: Item) => boolean
  #heap: Item[] = []
  /** How many items may exist before those that no longer count are removed. */
  #limit = 64

  /** @param counts whether an item still counts. Once it does not, it never does again, unless it is added again. */
  constructor(counts: (item: Item) => boolean) {
    this.#counts = counts
  }

  push(item: Item): void {
    if (this.#heap.length >= this.#limit) this.#compact()
    this.#heap.push(item)
    this.#rise(this.#heap.length - 1)
  }

  /** Of the items that count, the one that ends soonest. It stays. */
  peek(): Item | undefined {
    for (;;) {
      const top = this.#heap[0]
      if (top === undefined || this.#counts(top)) return top
      const last = this.#heap.pop()
      if (last === undefined || this.#heap.length === 0) continue
      this.#heap[0] = last
      this.#sink(0)
    }
  }

  /** Without this, an item whose end moves often would leave a copy for each move. */
  #compact(): void {
    this.#heap = this.#heap.filter(this.#counts)
    for (let at = (this.#heap.length >> 1) - 1; at >= 0; at--) this.#sink(at)
    this.#limit = 64 + 2 * this.#heap.length
  }

  #rise(at: number): void {
    for (let child = at; child > 0; ) {
      const parent = (child - 1) >> 1
      if (!this.#swapped(parent, child)) return
      child = parent
    }
  }

  #sink(at: number): void {
    for (let parent = at; ; ) {
      const left = 2 * parent + 1
      const child = this.#isSooner(left + 1, left) ? left + 1 : left
      if (!this.#swapped(parent, child)) return
      parent = child
    }
  }

  #isSooner(one: number, other: number): boolean {
    const [a, b] = [this.#heap[one], this.#heap[other]]
    return a !== undefined && b !== undefined && a.until < b.until
  }

  /** Puts the two in order. @returns whether they were swapped. */
  #swapped(parent: number, child: number): boolean {
    const [a, b] = [this.#heap[parent], this.#heap[child]]
    if (a === undefined || b === undefined || a.until <= b.until) return false
    this.#heap[parent] = b
    this.#heap[child] = a
    return true
  }
}
