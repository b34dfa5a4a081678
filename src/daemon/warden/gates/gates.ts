/**
 * One knock, many gates (docs/CLUSTER.md): what this node grants for others (origin.ts), what it opens for others
 * (gate.ts), and revocations, which go to all of them from any of them.
 */
import { setImmediate } from 'node:timers/promises'
import type { Grant } from '../../../access/grant.ts'
import type { Stanza } from '../../../access/stanza.ts'
import { type RevocationRecord, readRevocationRecord } from '../../../cluster-record/gate-records.ts'
import type { RecordId } from '../../../cluster-record/record-name.ts'
import { type Milliseconds, milliseconds, unixSeconds } from '../../../units.ts'
import type { Knock } from '../../link/knock.ts'
import { type IsConcerned, settlesWithin } from '../under-way.ts'
import { Gate, type GateParts, type Shared } from './gate.ts'
import { type FanOutStatus, Origin } from './origin.ts'
import { Outbox } from './outbox.ts'
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

/** What ends at other nodes as well. `own`: what others granted ends here only. */
export type Whose = 'all' | 'own'

/** How long a revocation waits for the answers of other nodes, how much longer for each grant of many, and at most. */
const [PATIENCE, FOR_EACH, MOST_PATIENCE] = [milliseconds(1500), 2, 5000] as const
/** Revocations: 30 ms. */
const SEALED_AT_ONCE = 100
/** Seconds that a revocation stays after the end of its grant. */
const SPARE = 600

type Parts = Omit<GateParts, 'outbox'>

export class Gates {
  readonly #parts: Parts
  readonly #presence: Presence
  readonly #outbox: Outbox
  readonly #origin: Origin
  readonly #gate: Gate

  constructor(parts: Parts) {
    const { records, own, clock, log } = parts
    this.#parts = parts
    this.#presence = new Presence(records, own, clock)
    this.#outbox = new Outbox(records, clock)
    const shared = { outbox: this.#outbox, records, own, clock, log }
    // It listens first: what was revoked is known before what was granted.
    this.#gate = new Gate({ ...parts, ...shared })
    this.#origin = new Origin({ ...shared, presence: this.#presence })
    records.on('revocation', {
      onRecord: (id, value) => {
        if (readRevocationRecord(value) !== undefined) this.#origin.ended(id)
      },
      onFollowing: () => void this.#outbox.again(),
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
   * These grants ended here, and end at all other nodes. To revoke ends the connections of earlier grants there too.
   * @returns undefined if no other node has anything to do with them.
   */
  async end(
    isMeant: (grant: Grant) => boolean,
    how: RevocationRecord['how'],
    whose: Whose = 'all',
    patience: Milliseconds = PATIENCE,
  ): Promise<EndedElsewhere | undefined> {
    const here = this.#meant(isMeant, how)
    const all = whose === 'all' ? here : here.filter(({ id }) => this.#origin.has(id))
    if (here.length === 0) return undefined
    const openAt = new Set(all.flatMap(({ id }) => this.#openAt(id)))
    for (const { id } of all) this.#origin.ended(id)
    await this.#gate.ended(here)
    // First what closes doors, then what is said of it.
    const written = await this.#write(all, how)
    this.#gate.sayEnded(here)
    if (all.length === 0) return undefined
    const unwritten = written.find((why) => why !== undefined)
    if (unwritten === undefined)
      await this.#answers(all, milliseconds(Math.min(patience + all.length * FOR_EACH, MOST_PATIENCE)))
    const still = new Set(all.flatMap(({ id }) => this.#openAt(id)))
    return {
      closed: [...openAt].filter((node) => !still.has(node)).sort(),
      unreached: [...still].sort(),
      ...(unwritten !== undefined && { unwritten }),
    }
  }

  /** Resolves when what other nodes had granted by now is open here, or does not open; or after this time. */
  settled(patience: Milliseconds, isConcerned: IsConcerned): Promise<boolean> {
    return settlesWithin(this.#gate.settled(isConcerned), patience)
  }

  /** @returns why each is not written yet. */
  async #write(ended: readonly Shared[], how: RevocationRecord['how']): Promise<readonly (string | undefined)[]> {
    const { own, clock } = this.#parts
    const soon = clock.now() + SPARE
    const writing: Promise<string | undefined>[] = []
    for (const [i, { id, end }] of ended.entries()) {
      // The first leave while the others are sealed.
      if (i > 0 && i % SEALED_AT_ONCE === 0) await setImmediate()
      const record: RevocationRecord = { v: 1, end, node: own, how }
      const use = { end: unixSeconds(Math.max(end, soon)), spare: SPARE }
      writing.push(this.#outbox.put({ kind: 'revocation', id }, record, use))
    }
    return await Promise.all(writing)
  }

  /** All that live, and of what has ended one for each door, which its connections are known by. */
  #meant(isMeant: (grant: Grant) => boolean, how: RevocationRecord['how']): readonly Shared[] {
    const now = this.#parts.clock.now()
    const all = new Map(
      [...this.#origin.own(), ...this.#gate.opened(how === 'close' ? now : undefined)].map((one) => [one.id, one]),
    )
    const meant = [...all.values()].filter(({ grant }) => isMeant(grant))
    const live = meant.filter(({ end }) => end > now)
    if (how === 'close') return live
    const doors = new Set(live.map(doorOf))
    const ended = new Map(meant.filter((one) => !doors.has(doorOf(one))).map((one) => [doorOf(one), one]))
    return [...live, ...ended.values()]
  }

  /** Other nodes that have it open as far as is known, and those that are there and have not said. */
  #openAt(id: RecordId): readonly string[] {
    const nodes = [...this.#origin.openAt(id), ...this.#origin.silent(id)]
    return nodes.filter((node) => node !== this.#parts.own)
  }

  async close(): Promise<void> {
    this.#presence.close()
    this.#outbox.close()
    await this.#parts.taken.close()
  }

  /** Resolves when no other node has any of these open, or after this time. */
  #answers(all: readonly { readonly id: RecordId }[], patience: Milliseconds): Promise<void> {
    // Looked at once each, and then only where there is an answer: there may be thousands, each with many answers.
    const open = new Set(all.flatMap(({ id }) => (this.#openAt(id).length > 0 ? [id] : [])))
    if (open.size === 0) return Promise.resolve()
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer)
        stop()
        resolve()
      }
      const stop = this.#origin.onAnswer((id) => {
        if (open.has(id) && this.#openAt(id).length === 0) open.delete(id)
        if (open.size === 0) end()
      })
      const timer = setTimeout(end, patience)
    })
  }
}

function doorOf({ grant: { id, stanzaName } }: Shared): string {
  return `${id} ${stanzaName}`
}
