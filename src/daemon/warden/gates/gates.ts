/**
 * One knock, many gates (docs/CLUSTER.md): what this node grants for others (origin.ts), what it opens for others
 * (gate.ts), and revocations, which go to all of them from any of them.
 */
import type { Grant } from '../../../access/grant.ts'
import type { Stanza } from '../../../access/stanza.ts'
import type { RevocationRecord } from '../../../cluster-record/gate-records.ts'
import type { RecordId } from '../../../cluster-record/record-name.ts'
import { type Milliseconds, milliseconds, seconds, type UnixSeconds } from '../../../units.ts'
import type { Knock } from '../../link/knock.ts'
import { Gate, type GateParts } from './gate.ts'
import { type FanOutStatus, Origin } from './origin.ts'
import { Presence } from './presence.ts'

/** What became of a revocation at other nodes. */
export interface EndedElsewhere {
  /** Nodes that said that it is closed there. */
  readonly closed: readonly string[]
  /** Nodes that had it open, and have not said that it is closed. */
  readonly unreached: readonly string[]
  /** Why other nodes do not know of it yet. It is written as soon as it can be. */
  readonly unwritten?: string
}

/** How long a revocation waits for the answers of other nodes. */
const PATIENCE = milliseconds(1500)
/** Seconds that a revocation stays after the end of its grant. */
const SPARE = 600

export class Gates {
  readonly #parts: GateParts
  readonly #presence: Presence
  readonly #origin: Origin
  readonly #gate: Gate
  /** Revocations that are not written yet. */
  readonly #unwritten = new Map<RecordId, RevocationRecord>()

  constructor(parts: GateParts) {
    const { records, own, clock, log } = parts
    this.#parts = parts
    this.#presence = new Presence(records, own, clock)
    // It listens first: what was revoked is known before what was granted.
    this.#gate = new Gate(parts)
    this.#origin = new Origin({ ...{ records, own, clock, log }, presence: this.#presence })
    records.on('revocation', {
      onRecord: () => {},
      onFollowing: () => {
        for (const [id, record] of [...this.#unwritten]) void this.#write(id, record)
      },
    })
  }

  /** A knock was granted here. Where its stanza has GATES, other nodes hear of it. */
  granted(knock: Knock, grant: Grant, stanza: Stanza): void {
    const granted = this.#origin.granted(knock, grant, stanza)
    if (granted !== undefined) void this.#gate.openedHere(granted.id, grant, granted.record.end)
  }

  status(): readonly FanOutStatus[] {
    return this.#origin.status()
  }

  /**
   * These grants ended here, and end at all other nodes.
   * @returns undefined if no other node has anything to do with them.
   */
  async end(
    isMeant: (grant: Grant) => boolean,
    how: RevocationRecord['how'],
    patience: Milliseconds = PATIENCE,
  ): Promise<EndedElsewhere | undefined> {
    const { clock, own } = this.#parts
    const now = clock.now()
    const all = this.#gate.open(now).flatMap(({ id, end, grant }) => (isMeant(grant) ? [{ id, end }] : []))
    if (all.length === 0) return undefined
    const openAt = new Set(all.flatMap(({ id }) => this.#origin.openAt(id)))
    openAt.delete(own)
    await this.#gate.ended(all)
    const written = await Promise.all(all.map(({ id, end }) => this.#write(id, { v: 1, end, node: own, how })))
    const unwritten = written.find((why) => why !== undefined)
    if (unwritten === undefined) await this.#answers(all, patience)
    const still = new Set(all.flatMap(({ id }) => this.#origin.openAt(id)))
    still.delete(own)
    return {
      closed: [...openAt].filter((node) => !still.has(node)).sort(),
      unreached: [...still].sort(),
      ...(unwritten !== undefined && { unwritten }),
    }
  }

  async close(): Promise<void> {
    this.#presence.close()
    await this.#parts.taken.close()
  }

  /** Resolves when no other node has any of these open, or after this time. */
  #answers(all: readonly { readonly id: RecordId }[], patience: Milliseconds): Promise<void> {
    const isDone = (): boolean =>
      all.every(({ id }) => this.#origin.openAt(id).every((node) => node === this.#parts.own))
    if (isDone()) return Promise.resolve()
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer)
        stop()
        resolve()
      }
      const stop = this.#origin.onAnswer(() => {
        if (isDone()) end()
      })
      const timer = setTimeout(end, patience)
    })
  }

  async #write(id: RecordId, record: RevocationRecord): Promise<string | undefined> {
    const { records, clock } = this.#parts
    this.#unwritten.set(id, record)
    const life = seconds(Math.max(0, record.end - clock.now()) + SPARE)
    const why = await records.put({ kind: 'revocation', id }, record, life)
    if (why === undefined || isOver(record, clock.now())) this.#unwritten.delete(id)
    return why
  }
}

function isOver({ end }: RevocationRecord, now: UnixSeconds): boolean {
  return end <= now
}
