/**
 * Messages on their way to a web server, and each again if it fails: after 1, 4, 16, 64 and 256 seconds. Those of one
 * stanza go one after the other. A message that the server does not take delays only those of the same stanza. The
 * queue is bounded: a server that is away for long costs the messages of that time, and no memory. Some stanzas
 * cannot fill it for the others.
 */
import { type Milliseconds, milliseconds } from '../units.ts'
import { Lanes } from './lanes.ts'

/** What became of one try. `final`: the server has refused it, and would again. */
export type Tried = { readonly how: 'delivered' } | { readonly how: 'failed' | 'final'; readonly why: string }

export interface DeliveryCounts {
  readonly delivered: number
  readonly failed: number
  readonly dropped: number
  readonly why?: string
}

const LIMITS = { running: 8, runningOfShare: 1, waiting: { most: 256, mostOfShare: 128 } }
const DELAYS: readonly Milliseconds[] = [1000, 4000, 16_000, 64_000, 256_000].map(milliseconds)

export class DeliveryQueue<Message> {
  readonly #send: (message: Message) => Promise<Tried>
  readonly #onChange: (counts: DeliveryCounts) => void
  readonly #delays: readonly Milliseconds[]
  readonly #lanes = new Lanes(LIMITS)
  #counts: DeliveryCounts = { delivered: 0, failed: 0, dropped: 0 }

  /** @param send must not reject. @param delays between the tries. */
  constructor(
    send: (message: Message) => Promise<Tried>,
    onChange: (counts: DeliveryCounts) => void,
    delays: readonly Milliseconds[] = DELAYS,
  ) {
    this.#send = send
    this.#onChange = onChange
    this.#delays = delays
  }

  /** @param share the stanza that the message is about. */
  push(share: string, message: Message): void {
    const work = async (): Promise<void> => {
      const tried = await this.#deliver(message)
      const { delivered, failed } = this.#counts
      if (tried.how === 'delivered') this.#count({ ...this.#counts, delivered: delivered + 1 })
      else this.#count({ ...this.#counts, failed: failed + 1, why: tried.why })
    }
    this.#lanes.add(share, work, () => this.#count({ ...this.#counts, dropped: this.#counts.dropped + 1 }))
  }

  async #deliver(message: Message): Promise<Tried> {
    let tried = await this.#send(message)
    for (const delay of this.#delays) {
      if (tried.how !== 'failed') break
      await new Promise((done) => setTimeout(done, delay))
      tried = await this.#send(message)
    }
    return tried
  }

  #count(counts: DeliveryCounts): void {
    this.#counts = counts
    this.#onChange(counts)
  }
}
