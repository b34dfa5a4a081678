/** Requests that are made in groups: what comes at once goes together, and a few groups are under way at a time. */

/** Groups that wait for etcd at the same time. */
const MOST_GROUPS = 4

export class Groups<Item> {
  readonly #waiting: Item[] = []
  readonly #take: (waiting: Item[]) => readonly Item[]
  readonly #work: (group: readonly Item[]) => Promise<void>
  #underWay = 0

  /**
   * @param take removes the next group from those that wait. An empty one: none can go before another has ended.
   * @param work never rejects.
   */
  constructor(take: (waiting: Item[]) => readonly Item[], work: (group: readonly Item[]) => Promise<void>) {
    this.#take = take
    this.#work = work
  }

  /** How many wait for a group. */
  get waiting(): number {
    return this.#waiting.length
  }

  add(item: Item): void {
    this.#waiting.push(item)
    // Those of one message go together, and none waits for a turn of the event loop.
    if (this.#waiting.length === 1) queueMicrotask(() => this.#next())
  }

  #next(): void {
    while (this.#underWay < MOST_GROUPS && this.#waiting.length > 0) {
      const group = this.#take(this.#waiting)
      if (group.length === 0) return
      this.#underWay++
      void this.#work(group).finally(() => {
        this.#underWay--
        this.#next()
      })
    }
  }
}
