/**
 * What this node has granted for other nodes as well (GATES): each grant is written for them, and what each of them
 * made of it is kept, until its end. The same is kept of what other nodes have granted: each node can revoke it.
 */
import type { Grant } from '../../../access/grant.ts'
import { describeOpening } from '../../../access/grant.ts'
import type { Stanza } from '../../../access/stanza.ts'
import type { Clock } from '../../../clock.ts'
import {
  type GrantRecord,
  grantRecordId,
  type OpenedRecord,
  readGrantRecord,
  readOpenedRecord,
  splitOpenedId,
  whomFor,
} from '../../../cluster-record/gate-records.ts'
import type { RecordId } from '../../../cluster-record/record-name.ts'
import type { NodeName } from '../../../config/server/cluster-settings.ts'
import type { Log } from '../../../log.ts'
import { type UnixSeconds, unixSeconds } from '../../../units.ts'
import type { Knock } from '../../link/knock.ts'
import type { Records } from '../cluster-process/records.ts'
import { grantTag } from '../revoke-target.ts'
import type { Shared } from './gate.ts'
import type { Outbox } from './outbox.ts'
import type { Presence } from './presence.ts'

/** A grant for other nodes, for `ghostport status`. */
export interface FanOutStatus {
  /** As that of the grant here. */
  readonly id: string
  readonly name: string
  readonly user: string
  readonly for: string
  readonly open: readonly string[]
  readonly secondsLeft: number
  readonly opened: readonly { readonly node: string; readonly secondsLeft: number }[]
  readonly refused: readonly { readonly node: string; readonly code: string }[]
  readonly closed: readonly string[]
  /** Those that have not said anything. `away`: they are not there, as far as is known. */
  readonly waiting: readonly { readonly node: string; readonly away?: true }[]
  /** Why it is not written yet. */
  readonly problem?: string
}

export interface OriginParts {
  readonly own: NodeName
  readonly records: Records
  readonly outbox: Outbox
  readonly presence: Presence
  readonly clock: Clock
  readonly log: Log
}

export interface Granted {
  readonly id: RecordId
  readonly record: GrantRecord
  /** Absent after a restart. */
  readonly grant?: Grant
}

interface Kept extends Granted {
  /** It was revoked or closed. */
  ended?: true
}

/** Seconds that a record stays after its end. */
const SPARE = 60
const MOST = 20_000
/** Of one stanza: a holder of its key does not fill etcd, and what other nodes read at their start. */
const MOST_OF_STANZA = 1000
/** The same for what nodes say of them. So 200 gates hear of 100 live grants of one stanza. */
const MOST_ANSWERS_OF_STANZA = 20_000
const MOST_ANSWERS = 200_000

export class Origin {
  readonly #parts: OriginParts
  readonly #granted = new Map<RecordId, Kept>()
  /** What other nodes have granted, and has not ended by itself. */
  readonly #foreign = new Map<RecordId, Pick<GrantRecord, 'node' | 'gates' | 'end'>>()
  /** What nodes say, by grant and node. Also of grants of other nodes: they may be listed before the grant is. */
  readonly #answers = new Map<RecordId, Map<string, OpenedRecord>>()
  #answerCount = 0
  #forgottenAt: UnixSeconds | undefined
  readonly #listeners = new Set<(grant: RecordId) => void>()

  constructor(parts: OriginParts) {
    this.#parts = parts
    parts.records.on('opened', {
      onRecord: (id, value) => this.#answered(id, value),
      onRemoved: (id) => {
        const of = splitOpenedId(id)
        const answers = of && this.#answers.get(of.grant)
        if (of === undefined || answers?.delete(of.node) !== true) return
        this.#answerCount--
        if (answers.size === 0) this.#answers.delete(of.grant)
      },
    })
    parts.records.on('grant', {
      onRecord: (id, value) => {
        const record = readGrantRecord(value)
        if (record === undefined || record.end <= parts.clock.now()) return
        const { node, gates, end } = record
        if (node !== parts.own) this.#keepIn(this.#foreign, id, { node, gates, end })
        // After a restart.
        else if (!this.#granted.has(id)) this.#keep({ id, record })
      },
    })
  }

  /** A knock was granted here. Other nodes are to open it too. */
  granted({ digest, message, packet }: Knock, grant: Grant, { name, gates }: Stanza): Granted | undefined {
    if (gates === undefined || name === undefined || message.kind !== 'access') return undefined
    const { own, clock, log } = this.#parts
    const made = clock.now()
    this.#forgetEnded()
    let its = 0
    for (const { record } of this.#granted.values()) if (record.name === name) its++
    const meant = this.#parts.presence.meant(gates).length
    const most = Math.min(MOST_OF_STANZA, Math.max(1, Math.floor(MOST_ANSWERS_OF_STANZA / Math.max(1, meant))))
    if (its >= most) {
      log.write('warning', 'gates', {
        detail: `other nodes are not told of a grant: ${its} of this stanza live, and the limit is ${most} for ${meant} gates`,
        name,
      })
      return undefined
    }
    const record: GrantRecord = {
      ...{ v: 1, name, user: message.username, source: message.source, ports: message.ports },
      from: grant.firstHand ? grant.source : packet.source,
      ...{ made, end: unixSeconds(made + grant.lifetime), gates, node: own },
    }
    const kept = this.#keep({ id: grantRecordId(digest), record, grant })
    void this.#write(kept)
    return kept
  }

  #live(): readonly Kept[] {
    this.#forgetEnded()
    return [...this.#granted.values()]
  }

  /** What was granted here and has not ended: also where it could not be noted on the disk. */
  own(): readonly Shared[] {
    return this.#live().flatMap(({ id, record, grant, ended }) =>
      grant === undefined || ended ? [] : [{ id, grant, end: record.end }],
    )
  }

  /** Whether it was granted here, as far as is known. */
  has(id: RecordId): boolean {
    return this.#granted.has(id)
  }

  /** It was revoked or closed: no node needs to hear of it. */
  ended(id: RecordId): void {
    this.#parts.outbox.drop({ kind: 'grant', id })
    const kept = this.#granted.get(id)
    if (kept !== undefined) kept.ended = true
  }

  /** Nodes that are there, and have not said what they made of it. */
  silent(id: RecordId): readonly string[] {
    const { presence, clock } = this.#parts
    const { gates, end } = this.#granted.get(id)?.record ?? this.#foreign.get(id) ?? { gates: [], end: 0 }
    return end <= clock.now() ? [] : this.#waiting(id, gates).filter((node) => presence.isThere(node))
  }

  #waiting(id: RecordId, gates: GrantRecord['gates']): readonly string[] {
    return this.#parts.presence.meant(gates).filter((node) => !this.#answers.get(id)?.has(node))
  }

  /** The nodes that have it open, as far as they said; and the node that granted it, until it says otherwise. */
  openAt(id: RecordId): readonly string[] {
    const now = this.#parts.clock.now()
    const answers = this.#answers.get(id) ?? new Map<string, OpenedRecord>()
    const opened = [...answers].flatMap(([node, answer]) => ('until' in answer && answer.until > now ? [node] : []))
    const from = this.#foreign.get(id)
    return from !== undefined && from.end > now && !answers.has(from.node) ? [...opened, from.node] : opened
  }

  /** Called at each answer about a grant. @returns how to stop. */
  onAnswer(listener: (grant: RecordId) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  status(): readonly FanOutStatus[] {
    const now = this.#parts.clock.now()
    return this.#live().map((kept) => this.#describe(kept, now))
  }

  #describe(kept: Kept, now: UnixSeconds): FanOutStatus {
    const { id, record, grant, ended } = kept
    const problem = this.#parts.outbox.problem({ kind: 'grant', id })
    const answers = [...(this.#answers.get(id) ?? [])].filter(([node]) => node !== this.#parts.own)
    const waiting = ended ? [] : this.#waiting(id, record.gates)
    return {
      id: grant === undefined ? `${id.slice(0, 8)}…` : grantTag(grant.id),
      ...{ name: record.name, user: record.user, for: whomFor(record) },
      open: grant?.openings.map(describeOpening) ?? record.ports.map(({ protocol, port }) => `${protocol}/${port}`),
      secondsLeft: record.end - now,
      opened: answers.flatMap(([node, answer]) =>
        'until' in answer ? [{ node, secondsLeft: Math.max(0, answer.until - now) }] : [],
      ),
      refused: answers.flatMap(([node, answer]) => ('refused' in answer ? [{ node, code: answer.refused }] : [])),
      closed: answers.flatMap(([node, answer]) => ('closed' in answer ? [node] : [])),
      waiting: waiting.map((node) => ({
        node,
        ...(!this.#parts.presence.isThere(node) && { away: true as const }),
      })),
      ...(problem !== undefined && { problem }),
    }
  }

  #keep(granted: Granted): Kept {
    const kept: Kept = { ...granted }
    this.#keepIn(this.#granted, granted.id, kept)
    return kept
  }

  /** The oldest goes where there are too many. */
  #keepIn<T>(kept: Map<RecordId, T>, id: RecordId, value: T): void {
    this.#forgetEnded()
    const [oldest] = kept.keys()
    if (kept.size >= MOST && oldest !== undefined && !kept.has(id)) kept.delete(oldest)
    kept.set(id, value)
  }

  async #write(kept: Kept): Promise<void> {
    const { outbox, log } = this.#parts
    const { id, record } = kept
    const why = await outbox.put({ kind: 'grant', id }, record, { end: record.end, spare: SPARE })
    if (why !== undefined)
      log.write('warning', 'gates', { detail: `other nodes do not know of a grant yet: ${why}`, name: record.name })
  }

  #answered(id: RecordId, value: unknown): void {
    const of = splitOpenedId(id)
    const answer = readOpenedRecord(value)
    if (of === undefined || answer === undefined) return
    const answers = this.#answers.get(of.grant) ?? new Map<string, OpenedRecord>()
    if (!answers.has(of.node)) {
      if (this.#answerCount >= MOST_ANSWERS) return
      this.#answerCount++
    }
    this.#answers.set(of.grant, answers.set(of.node, answer))
    for (const listener of this.#listeners) listener(of.grant)
  }

  #forgetEnded(): void {
    const now = this.#parts.clock.now()
    // There may be thousands, and none ends within a second.
    if (now === this.#forgottenAt) return
    this.#forgottenAt = now
    for (const [id, { record }] of this.#granted) if (record.end <= now) this.#granted.delete(id)
    for (const [id, { end }] of this.#foreign) if (end <= now) this.#foreign.delete(id)
  }
}
