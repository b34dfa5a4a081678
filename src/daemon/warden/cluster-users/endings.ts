/**
 * Ends what users of the cluster have open who were removed or disabled. Those of one change end together. The next
 * change does not wait for it: a gate that is silent costs seconds. What may still be open is told, and ended again.
 */
import type { StanzaName } from '../../../access/stanza-name.ts'
import type { Log } from '../../../log.ts'
import { type Milliseconds, milliseconds } from '../../../units.ts'

/** What became of it. */
export interface Ended {
  /** Why some of it may be open still. */
  readonly problem?: string
  /** Whether another try can help. */
  readonly again?: true
}

/** @param node that changed the users. Never rejects. */
export type EndUsers = (node: string, users: readonly StanzaName[]) => Promise<Ended>

export interface EndingsParts {
  readonly end: EndUsers
  /** Called when all have ended. */
  readonly onNone: () => void
  readonly log: Log
  /** Until what may be open still is ended again. */
  readonly again?: Milliseconds
}

/** At first; then twice as long each time, up to the second. */
const [AGAIN_AFTER, MOST_PAUSE] = [milliseconds(10_000), milliseconds(600_000)] as const

/** The change that ended a user. */
interface Change {
  readonly node: string
}

export class Endings {
  readonly #parts: EndingsParts
  /** Who has not ended yet, by the latest change that ended him. */
  readonly #left = new Map<StanzaName, Change>()
  /** What is under way. */
  #all: Promise<void> = Promise.resolve()
  readonly #timers = new Set<NodeJS.Timeout>()
  #told: string | undefined

  constructor(parts: EndingsParts) {
    this.#parts = parts
  }

  /** Those who may have something open. */
  get left(): readonly StanzaName[] {
    return [...this.#left.keys()]
  }

  /** Begins at once. @returns when it was tried for these, and for all of before. */
  end(node: string, users: readonly StanzaName[]): Promise<void> {
    const before = this.#all
    const ended = users.length === 0 ? before : this.#end({ node }, users).then(() => before)
    this.#all = ended
    return ended
  }

  close(): void {
    for (const timer of this.#timers) clearTimeout(timer)
    this.#timers.clear()
  }

  async #end(
    change: Change,
    users: readonly StanzaName[],
    pause: Milliseconds = this.#parts.again ?? AGAIN_AFTER,
  ): Promise<void> {
    const { end, onNone } = this.#parts
    for (const name of users) this.#left.set(name, change)
    const { problem, again } = await end(change.node, users)
    if (problem === undefined) this.#told = undefined
    else this.#tell(`what ${someOf(users)} had open may be open still: ${problem}`, again === true)
    if (again) this.#endLater(change, users, pause)
    else for (const name of this.#of(change, users)) this.#left.delete(name)
    if (this.#left.size === 0) onNone()
  }

  /** Those that no later change has ended anew. */
  #of(change: Change, users: readonly StanzaName[]): readonly StanzaName[] {
    return users.filter((name) => this.#left.get(name) === change)
  }

  #endLater(change: Change, users: readonly StanzaName[], pause: Milliseconds): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      const still = this.#of(change, users)
      if (still.length > 0) void this.#end(change, still, milliseconds(Math.min(pause * 2, MOST_PAUSE)))
    }, pause).unref()
    this.#timers.add(timer)
  }

  /** Each problem once, however often it is tried again. */
  #tell(problem: string, again: boolean): void {
    if (problem === this.#told) return
    this.#told = problem
    const cure = again ? 'it is tried again' : '“ghostport status” shows what is open, “ghostport revoke NAME” ends it'
    this.#parts.log.write('error', 'cluster users', { detail: `${problem}; ${cure}` })
  }
}

const MOST_NAMED = 3

function someOf(users: readonly StanzaName[]): string {
  const named = users.slice(0, MOST_NAMED).join(', ')
  return users.length > MOST_NAMED ? `${named} and ${users.length - MOST_NAMED} others` : named
}
