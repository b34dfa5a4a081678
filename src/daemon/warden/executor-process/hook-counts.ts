/** How many hooks ran, failed or were dropped, over all executors of this warden; and the lines of the log about it. */
import { printable } from '../../../bytes/text.ts'
import { monotonic } from '../../../clock.ts'
import type { Log } from '../../../log.ts'
import { type Milliseconds, milliseconds } from '../../../units.ts'
import { type SenderCounts, sumOfCounts } from '../../link/sender-protocol.ts'

const NONE: SenderCounts = { delivered: 0, failed: 0, dropped: 0 }
/** While events are dropped, there is one line in this time. */
const BETWEEN_LINES = milliseconds(60_000)

/** Programs: how many ran, how many of them failed, and events without one. */
export interface ProgramCounts {
  readonly run: number
  readonly failed: number
  readonly dropped: number
}

export type WebhookCounts = Pick<SenderCounts, 'delivered' | 'failed' | 'dropped'>

export class HookCounts {
  readonly #log: Log
  readonly #now: () => Milliseconds
  #run = 0
  #failed = 0
  /** Events that no executor got. */
  #undelivered = 0
  /** What the executor of this moment says; and the sum of those that have ended. */
  #dropped = 0
  #pastDropped = 0
  #webhook: SenderCounts | undefined
  #pastWebhook = NONE
  readonly #toldAt = new Map<'hook' | 'webhook', Milliseconds>()

  constructor(log: Log, now: () => Milliseconds = monotonic) {
    this.#log = log
    this.#now = now
  }

  get programs(): ProgramCounts {
    return { run: this.#run, failed: this.#failed, dropped: this.#pastDropped + this.#dropped + this.#undelivered }
  }

  /** @returns undefined until something was sent. */
  get webhook(): WebhookCounts | undefined {
    if (this.#webhook === undefined) return undefined
    const { delivered, failed, dropped } = this.#webhook
    return { delivered, failed, dropped }
  }

  /** Another executor counts from 0. */
  executorEnded(): void {
    this.#pastDropped += this.#dropped
    this.#dropped = 0
    this.#pastWebhook = this.#webhook ?? NONE
  }

  programEnded(good: boolean): void {
    this.#run++
    if (!good) this.#failed++
  }

  /** No executor takes the event. */
  undelivered(why: string): void {
    this.#undelivered++
    this.#tellDrop('hook', why, this.programs.dropped)
  }

  /** @param dropped by this executor since its start. */
  programsDropped(dropped: number): void {
    this.#dropped = dropped
    this.#tellDrop('hook', 'events are dropped: too many wait', this.programs.dropped)
  }

  /** @param counts of this executor’s senders. */
  webhookCounted(counts: SenderCounts): void {
    const before = this.#webhook ?? NONE
    const after = sumOfCounts(this.#pastWebhook, counts)
    this.#webhook = after
    if (after.failed > before.failed)
      this.#log.write('warning', 'webhook', { detail: printable(after.why ?? ''), failed: after.failed })
    if (after.dropped > before.dropped) this.#tellDrop('webhook', 'events are dropped: too many wait', after.dropped)
  }

  #tellDrop(event: 'hook' | 'webhook', detail: string, dropped: number): void {
    const now = this.#now()
    const told = this.#toldAt.get(event)
    if (told !== undefined && now - told < BETWEEN_LINES) return
    this.#toldAt.set(event, now)
    this.#log.write('warning', event, { detail, dropped })
  }
}
