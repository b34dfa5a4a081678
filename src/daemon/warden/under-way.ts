/**
 * What is on its way to the firewall, and not judged yet: knocks that wait for the cluster or for a name, and grants of
 * other nodes. Who ends something waits for those of before that may open it again.
 */
import type { IpAddress } from '../../packet/address.ts'
import { within } from '../../system/within.ts'
import type { Milliseconds } from '../../units.ts'

/** Who may get a door, as far as it is known before the judgement. */
export interface Candidate {
  /** The stanzas that may grant it: each by its NAME, or by its number if it has none. */
  readonly stanzas: readonly string[]
  /** Addresses that the grant may be for. */
  readonly sources: readonly IpAddress[]
}

/** Which of them count. */
export type IsConcerned = (candidate: Candidate) => boolean

interface Way {
  readonly ended: Promise<void>
  readonly end: () => void
}

export class UnderWay<T> {
  readonly #all = new Map<T, Way>()

  /** @param one has an identity of its own. @returns what is called once it is open, or never opens. */
  begin(one: T): () => void {
    const way = newWay()
    this.#all.set(one, way)
    return () => {
      this.#all.delete(one)
      way.end()
    }
  }

  /** Resolves when those that are under way now, and count, have come to their end. */
  async settled(counts: (one: T) => boolean): Promise<void> {
    await Promise.all([...this.#all].flatMap(([one, { ended }]) => (counts(one) ? [ended] : [])))
  }
}

function newWay(): Way {
  let end = (): void => {}
  const ended = new Promise<void>((resolve) => {
    end = resolve
  })
  return { ended, end }
}

/** @returns whether it came to its end within this time. */
export async function settlesWithin(work: Promise<void>, patience: Milliseconds): Promise<boolean> {
  return (
    (await within(
      work.then(() => true),
      patience,
    )) ?? false
  )
}
