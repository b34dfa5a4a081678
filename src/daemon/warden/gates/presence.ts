/** Which nodes of the cluster are there: each writes again and again that it is. For people; nothing opens by it. */

import type { Clock } from '../../../clock.ts'
import { readNodeRecord } from '../../../cluster-record/gate-records.ts'
import { type RecordName, recordId } from '../../../cluster-record/record-name.ts'
import { fitsPattern, isPattern } from '../../../config/reading/name-pattern.ts'
import type { NodeName } from '../../../config/server/cluster-settings.ts'
import { milliseconds, seconds } from '../../../units.ts'
import type { Records } from '../cluster-process/records.ts'

const WRITTEN_EVERY = milliseconds(30_000)
const LIFE = seconds(90)
/** More than anybody has. */
const MOST_NODES = 10_000

export class Presence {
  readonly #records: Records
  readonly #own: NodeName
  readonly #clock: Clock
  readonly #nodes = new Set<string>()
  #timer: NodeJS.Timeout | undefined

  constructor(records: Records, own: NodeName, clock: Clock) {
    this.#records = records
    this.#own = own
    this.#clock = clock
    records.on('node', {
      onRecord: (id, value) => {
        if (readNodeRecord(value) !== undefined && this.#nodes.size < MOST_NODES) this.#nodes.add(id)
      },
      onRemoved: (id) => this.#nodes.delete(id),
      onFollowing: () => this.#write(),
    })
  }

  /** The other nodes that these names and patterns mean: those that are there, and those that are named. */
  meant(patterns: readonly string[]): readonly string[] {
    const named = patterns.filter((word) => !isPattern(word))
    const there = [...this.#nodes].filter((node) => patterns.some((pattern) => fitsPattern(pattern, node)))
    const known = new Set(there.map((node) => node.toLowerCase()))
    const all = [...there, ...named.filter((node) => !known.has(node.toLowerCase()))]
    return all.filter((node) => node.toLowerCase() !== this.#own.toLowerCase()).sort()
  }

  isThere(node: string): boolean {
    return this.#nodes.has(node)
  }

  close(): void {
    clearTimeout(this.#timer)
  }

  #write(): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#write(), WRITTEN_EVERY).unref()
    const id = recordId(this.#own)
    if (id === undefined) throw new Error('the name of a node is an id')
    const name: RecordName = { kind: 'node', id }
    void this.#records.put(name, { v: 1, seen: this.#clock.now() }, LIFE)
  }
}
