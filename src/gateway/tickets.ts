/**
 * Tickets of knocks: which receipt belongs to which visitor. A receipt is asked for once. Its answer comes at one fixed
 * time after the knock, with what the target sent or with random text of the same form, so that it says nothing to
 * anybody but the holder of the keys. That is as true for a ticket that never was.
 */
import { randomBytes } from 'node:crypto'
import { type Brand, type Milliseconds, milliseconds } from '../units.ts'

/** 22 characters of base64url: 128 random bits. */
export type Ticket = Brand<string, 'Ticket'>

interface Waiting {
  readonly dueAt: number
  receipt?: string
}

const TICKET_BYTES = 16

/** How long after its time an answer can still be asked for. */
const KEPT = milliseconds(10_000)

export class Tickets {
  readonly #wait: Milliseconds
  readonly #most: number
  /** In the order of their knocks. */
  readonly #waiting = new Map<Ticket, Waiting>()

  /** @param wait from a knock to the answer. @param most tickets: the oldest is forgotten for more. */
  constructor(wait: Milliseconds, most: number) {
    this.#wait = wait
    this.#most = most
  }

  get size(): number {
    return this.#waiting.size
  }

  /** @param random 16 random bytes. @param now on a clock that never goes back. */
  issue(random: Uint8Array, now: Milliseconds): Ticket {
    const ticket = Buffer.from(random).toString('base64url') as Ticket
    this.#waiting.set(ticket, { dueAt: now + this.#wait })
    this.#forget(now)
    return ticket
  }

  /** The first one counts. */
  arrived(ticket: Ticket, receipt: string): void {
    const waiting = this.#waiting.get(ticket)
    if (waiting !== undefined) waiting.receipt ??= receipt
  }

  /**
   * A visitor asks. The ticket is used up.
   * @returns when to answer, and with what: to be asked then. Undefined: with filler.
   */
  redeem(ticket: Ticket, now: Milliseconds): { readonly after: number; readonly receipt: () => string | undefined } {
    const waiting = this.#waiting.get(ticket)
    if (waiting === undefined || waiting.dueAt + KEPT < now) return { after: this.#wait, receipt: () => undefined }
    // What comes until then still counts: it is found by the entry, which stays until it is answered.
    return {
      after: Math.max(0, waiting.dueAt - now),
      receipt: () => {
        this.#waiting.delete(ticket)
        const { receipt } = waiting
        delete waiting.receipt
        return receipt
      },
    }
  }

  #forget(now: Milliseconds): void {
    for (const [ticket, { dueAt }] of this.#waiting) {
      if (dueAt + KEPT >= now && this.#waiting.size <= this.#most) return
      this.#waiting.delete(ticket)
    }
  }
}

/** Random bytes are drawn for many tickets at once: that costs a fourth. Each is used for one. */
export function bytesForTickets(): () => Uint8Array {
  let drawn = randomBytes(0)
  return () => {
    if (drawn.length < TICKET_BYTES) drawn = randomBytes(TICKET_BYTES * 64)
    const next = drawn.subarray(0, TICKET_BYTES)
    drawn = drawn.subarray(TICKET_BYTES)
    return next
  }
}
