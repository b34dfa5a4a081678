/**
 * A node that opens what others have granted (FROM_CLUSTER). Each grant is taken once, by a note in a file. The note is
 * written before the grant opens, and is on the disk soon after. What is revoked is never taken. The note of that is on
 * the disk at once. Each answer is written back, for the node that granted it.
 */
import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises'
import type { Grant } from '../../../access/grant.ts'
import type { Policy } from '../../../access/policy.ts'
import type { Clock } from '../../../clock.ts'
import {
  type GrantRecord,
  type OpenedRecord,
  openedId,
  type RevocationRecord,
  readGrantRecord,
  readRevocationRecord,
  whomFor,
} from '../../../cluster-record/gate-records.ts'
import type { RecordId } from '../../../cluster-record/record-name.ts'
import { fitsPattern } from '../../../config/reading/name-pattern.ts'
import type { NodeName } from '../../../config/server/cluster-settings.ts'
import type { Firewall, Opened } from '../../../firewall/firewall.ts'
import { encodeRecord, parseRecord } from '../../../firewall/record.ts'
import type { Log } from '../../../log.ts'
import type { IpAddress } from '../../../packet/address.ts'
import { type Failure, type Result, refuse } from '../../../result.ts'
import { milliseconds, type UnixSeconds, unixSeconds } from '../../../units.ts'
import type { Records } from '../cluster-process/records.ts'
import { grantFields, type Journal } from '../journal.ts'
import { type IsConcerned, UnderWay } from '../under-way.ts'
import { endHere, judgeRecord, latestEnd, stanzaFor } from './judge-record.ts'
import type { Outbox } from './outbox.ts'
import type { Taken, TakenFile } from './taken-file.ts'

/** What this node does by itself. */
export interface OwnHands {
  readonly policy: () => Policy
  readonly ownAddresses: () => ReadonlySet<IpAddress>
  /** Why stanzas of the cluster grant nothing now. Absent: this node has none (CLUSTER_USERS). */
  readonly clusterCopyOld?: (() => string | undefined) | undefined
  readonly open: Firewall['open']
  /** Ends grants here that ended at another node. @returns why they may still be open. */
  readonly end: (grants: readonly Grant[], how: RevocationRecord['how'], node: string) => Promise<string | undefined>
  readonly journal: Pick<Journal, 'openedFor' | 'refusedFor'>
}

export interface GateParts extends OwnHands {
  readonly own: NodeName
  readonly records: Records
  readonly outbox: Outbox
  readonly taken: TakenFile
  readonly clock: Clock
  readonly log: Log
}

/** Seconds that what a node says of a grant stays after its end. */
const SPARE = 60
/** Until a gate tells that it has opened. Others open meanwhile, and what all tell at once would keep them from it. */
const TELLING_AFTER = milliseconds(150)
/** When a door that could not be closed is closed again, and a grant that waits for users is judged again. */
const AGAIN_AFTER = milliseconds(2000)
/** What the users of the cluster decide. */
const MAY_CHANGE: ReadonlySet<string> = new Set(['ACCESS_NO_STANZA', 'CLUSTER_USERS_OUTDATED'])
/** Nothing has come for so long: a stream of records makes a pause. It is looked at so often at most. */
const [PAUSE_OF_STREAM, MOST_LOOKS] = [milliseconds(30), 4] as const
/** While others end, what has ended is not told for so long. What is told then would keep the others from their end. */
const TOLD_WITHIN = milliseconds(500)
/** Words that are sealed in one turn: some 10 ms. */
const TOLD_AT_ONCE = 100
/** Records that wait. One transaction of the firewall opens many. */
const MOST_WAITING = 20_000

interface GrantItem {
  readonly id: RecordId
  readonly grant: GrantRecord
  /** It waited for the users of the cluster. */
  readonly isAgain?: true
  /** It is open, or does not open. */
  readonly onDone: () => void
}

type Item = GrantItem | { readonly id: RecordId; readonly revocation: RevocationRecord }

/** A grant that is to end here. */
interface Ending {
  readonly id: RecordId
  /** What the file says of it. */
  readonly before: Taken
  readonly grant: Grant
  readonly revocation: RevocationRecord
}

/** A grant that other nodes know of. */
export interface Shared {
  readonly id: RecordId
  readonly grant: Grant
  readonly end: UnixSeconds
}

export class Gate {
  readonly #parts: GateParts
  readonly #waiting: Item[] = []
  #working = false
  /** Grants that wait to be judged again. */
  readonly #later = new Set<RecordId>()
  /** What is closed here, and was not told yet. */
  readonly #untold: { readonly id: RecordId; readonly end: UnixSeconds; readonly at: UnixSeconds }[] = []
  /** Monotonic. */
  #untoldSince = 0
  #telling = false
  /** Grants that wait, or are being opened. */
  readonly #underWay = new UnderWay<GrantRecord>()

  constructor(parts: GateParts) {
    this.#parts = parts
    parts.records.on('revocation', {
      onRecord: (id, value) => {
        const revocation = readRevocationRecord(value)
        // Also of this node: what it revoked is not open here any more, and another may have its name by mistake.
        if (revocation !== undefined && !this.#isOver(id, revocation)) this.#push({ id, revocation })
      },
    })
    parts.records.on('grant', {
      onRecord: (id, value) => {
        const grant = readGrantRecord(value)
        if (grant !== undefined && this.#isForUs(grant) && parts.taken.isNew(id, grant.end))
          this.#push({ id, grant, onDone: this.#underWay.begin(grant) })
      },
    })
  }

  /** A knock here opened it, and other nodes are to open it too: what ends there ends here. */
  async openedHere(id: RecordId, grant: Grant, end: UnixSeconds): Promise<void> {
    const { taken, clock, log } = this.#parts
    const { durable } = taken.note([{ id, end, grant: encodeRecord(grant, 0) }], clock.now())
    const unwritten = await durable
    if (unwritten !== undefined)
      log.write('error', 'gate', {
        detail: `after a restart, a revocation elsewhere does not end it here: ${unwritten}`,
      })
  }

  /** What was opened here and at other nodes, by the id of its record: also what has ended, as far as it is known. */
  opened(endAfter?: UnixSeconds): readonly Shared[] {
    return this.#parts.taken.all().flatMap(({ id, grant, end }) => {
      const isAsked = endAfter === undefined || end > endAfter
      const read = grant === undefined || !isAsked ? undefined : parseRecord(grant)?.grant
      return read === undefined ? [] : [{ id, grant: read, end }]
    })
  }

  /** It was revoked here, by hand. Durable when this resolves. */
  async ended(ended: readonly Shared[]): Promise<void> {
    // Without what it opened: so it ends once.
    await this.#parts.taken.add(this.#overEntries(ended), this.#parts.clock.now())
  }

  /** That these never open. It is kept as long as one of them could be opened, and not as long as others say. */
  #overEntries(ended: readonly Pick<Shared, 'id' | 'end'>[]): readonly Taken[] {
    const { policy, clock } = this.#parts
    const latest = latestEnd(policy(), clock.now())
    return ended.map(({ id, end }) => ({ id, end, ...(latest < end && { here: latest }) }))
  }

  /** Tells the other nodes what {@link ended} here. */
  sayEnded(ended: readonly Shared[]): void {
    for (const { id, end } of ended) this.#sayClosed(id, end)
  }

  /** Resolves when the grants of before are open here, or do not open. */
  settled(isConcerned: IsConcerned): Promise<void> {
    return this.#underWay.settled((record) => isConcerned({ stanzas: [record.name], sources: [whomFor(record)] }))
  }

  /** It is not open here, and never opens: it was revoked, or its end is past. */
  #isOver(id: RecordId, { end }: { readonly end: UnixSeconds }): boolean {
    const { taken } = this.#parts
    return taken.get(id)?.grant === undefined && !taken.isNew(id, end)
  }

  #isForUs({ gates, node }: GrantRecord): boolean {
    const { own } = this.#parts
    return node !== own && gates.some((pattern) => fitsPattern(pattern, own))
  }

  #push(item: Item): void {
    if (this.#waiting.length >= MOST_WAITING) {
      this.#parts.log.write('error', 'gate', { detail: 'too many grants of the cluster wait', dropped: item.id })
      if ('grant' in item) item.onDone()
      return
    }
    this.#waiting.push(item)
    if (this.#working) return
    this.#working = true
    // What comes at once is opened at once.
    setImmediate(() => void this.#work())
  }

  /** Revocations that come in a stream end in a few groups: each looks at all doors and connections of the host. */
  async #pauseOfStream(): Promise<void> {
    // A grant does not wait for it.
    const isStream = (): boolean => this.#waiting.every((item) => 'revocation' in item)
    for (let looks = 0, before = 0; looks < MOST_LOOKS && this.#waiting.length > before && isStream(); looks++) {
      before = this.#waiting.length
      await delay(PAUSE_OF_STREAM)
    }
  }

  async #work(): Promise<void> {
    for (let isFirst = true; this.#waiting.length > 0; isFirst = false) {
      if (!isFirst) await this.#pauseOfStream()
      const first = this.#waiting[0]
      const isRevocation = first !== undefined && 'revocation' in first
      const end = this.#waiting.findIndex((item) => 'revocation' in item !== isRevocation)
      const group = this.#waiting.splice(0, end < 0 ? this.#waiting.length : end)
      try {
        if (isRevocation) await this.#close(group.flatMap((item) => ('revocation' in item ? [item] : [])))
        else await this.#open(group.flatMap((item) => ('grant' in item ? [item] : [])))
      } catch (error) {
        const detail = error instanceof Error ? (error.stack ?? error.message) : 'unknown'
        this.#parts.log.write('error', 'fault', { detail })
      }
      if (performance.now() - this.#untoldSince > TOLD_WITHIN) void this.#tellClosed()
    }
    this.#working = false
    void this.#tellClosed()
  }

  async #open(group: readonly GrantItem[]): Promise<void> {
    const later = new Set<GrantItem>()
    try {
      await this.#openAll(group, later)
    } finally {
      for (const item of group) if (!later.has(item)) item.onDone()
    }
  }

  /** @param later gets those that are judged again. */
  async #openAll(group: readonly GrantItem[], later: Set<GrantItem>): Promise<void> {
    const { taken, policy, ownAddresses, clusterCopyOld, clock, open, log } = this.#parts
    const now = clock.now()
    const here = { policy: policy(), ownAddresses, clusterCopyOld: clusterCopyOld?.() }
    const all = [...new Map(group.map((item) => [item.id, item])).values()]
    // What it remembers goes by the end here.
    const ends = ({ grant }: GrantItem): UnixSeconds => {
      const stanza = stanzaFor(grant, here.policy)
      return stanza === undefined ? grant.end : endHere(grant, stanza)
    }
    const fresh = all.filter((item) => taken.isNew(item.id, ends(item)))
    // Revoked while it waited: it never opens, and who revoked it waits for this word.
    for (const { id, grant } of all) if (this.#isOver(id, grant)) this.#sayClosed(id, grant.end)
    const judged = fresh.map((item) => {
      const { id, grant: record } = item
      return { item, id, record, verdict: judgeRecord(record, here, now) }
    })
    // What was refused may be allowed after a reload, while it lives.
    const allowed = judged.flatMap(({ verdict, ...rest }) => (verdict.ok ? [{ ...rest, grant: verdict.value }] : []))
    for (const { item, id, record, verdict } of judged)
      if (!verdict.ok) {
        // A change of the users may be on its way here, or the list of them at the start.
        if (item.isAgain !== true && clusterCopyOld !== undefined && MAY_CHANGE.has(verdict.failure.code)) {
          later.add(item)
          this.#judgeLater(item)
        } else this.#refused(id, record, verdict.failure)
      }
    if (allowed.length === 0) return
    const entries = allowed.map(({ item, id, record, grant }) => {
      const latest = ends(item)
      return { id, end: record.end, grant: encodeRecord(grant, 0), ...(latest < record.end && { here: latest }) }
    })
    const noted = taken.note(entries, now)
    const unwritten = await noted.written
    if (unwritten === undefined)
      void noted.durable.then((why) => {
        if (why !== undefined)
          log.write('error', 'gate', { detail: `a power cut could make this host take a grant again: ${why}` })
      })
    // Meanwhile it may have been revoked here.
    const wanted = allowed.filter(({ id }) => unwritten !== undefined || taken.get(id)?.grant !== undefined)
    const opened: readonly Result<Opened>[] =
      unwritten === undefined
        ? await open(wanted.map(({ grant }) => grant))
        : wanted.map(() => refuse('REPLAY_STORE_FAILED', unwritten))
    for (const [i, { id, record, grant }] of wanted.entries()) {
      const result = opened[i] ?? refuse('FIREWALL_REFUSED', 'the firewall gave no answer')
      if (result.ok) this.#opened(id, record, grant, result.value, now)
      else this.#refused(id, record, result.failure)
    }
  }

  #judgeLater(item: GrantItem): void {
    const { id } = item
    this.#later.add(id)
    setTimeout(() => {
      this.#later.delete(id)
      this.#push({ ...item, isAgain: true })
    }, AGAIN_AFTER).unref()
  }

  #opened(id: RecordId, { node, end }: GrantRecord, grant: Grant, opened: Opened, now: UnixSeconds): void {
    this.#parts.journal.openedFor(node, grant, opened)
    const record: OpenedRecord = { v: 1, until: unixSeconds(now + grant.lifetime) }
    setTimeout(() => {
      // It may have been revoked meanwhile, and that was told.
      if (this.#parts.taken.get(id)?.grant !== undefined) void this.#say(id, record, end)
    }, TELLING_AFTER).unref()
  }

  #refused(id: RecordId, record: GrantRecord, failure: Failure): void {
    const { journal, policy } = this.#parts
    journal.refusedFor(record.node, record, failure, stanzaFor(record, policy())?.id)
    void this.#say(id, { v: 1, refused: failure.code }, record.end)
  }

  async #close(group: readonly { readonly id: RecordId; readonly revocation: RevocationRecord }[]): Promise<void> {
    const { taken, clock, log } = this.#parts
    const now = clock.now()
    const changed = group.filter(({ id, revocation }) => !this.#isOver(id, revocation))
    if (changed.length === 0) return
    for (const { id, revocation } of changed) if (this.#later.has(id)) this.#sayClosed(id, revocation.end)
    /** By who ended them, and how: all of these end at once. */
    const endings = new Map<string, Ending[]>()
    for (const { id, revocation } of changed) {
      const before = taken.get(id)
      const grant = before?.grant === undefined ? undefined : parseRecord(before.grant)?.grant
      if (before === undefined || grant === undefined) continue
      const ending = { id, before, grant, revocation }
      const key = `${revocation.how} ${revocation.node}`
      const others = endings.get(key)
      if (others === undefined) endings.set(key, [ending])
      else others.push(ending)
    }
    const closing = [...endings.values()].map((all) => this.#end(all))
    // Closed first; on the disk by then that it never opens again.
    const unwritten = await taken.add(
      this.#overEntries(changed.map(({ id, revocation: { end } }) => ({ id, end }))),
      now,
    )
    if (unwritten !== undefined)
      log.write('error', 'gate', { detail: `a restart could forget a revocation: ${unwritten}` })
    await Promise.all(closing)
  }

  /** @param all by one node, in one way. */
  async #end(all: readonly Ending[]): Promise<void> {
    const { taken, clock, log, end } = this.#parts
    const [first] = all
    if (first === undefined) return
    const { how, node } = first.revocation
    /** Many records can be about one door. */
    const doors = new Map(all.map(({ grant }) => [`${grant.id} ${grant.stanzaName}`, grant]))
    const problem = await end([...doors.values()], how, node)
    if (problem === undefined) {
      for (const { id, revocation } of all) this.#sayClosed(id, revocation.end)
      return
    }
    for (const grant of doors.values()) log.write('error', 'gate', { detail: problem, by: node, ...grantFields(grant) })
    await taken.add(
      all.map(({ before }) => before),
      clock.now(),
    )
    // Also where the record is not told again.
    const open = all.filter(({ revocation }) => revocation.end > clock.now())
    setTimeout(() => {
      for (const { id, revocation } of open) this.#push({ id, revocation })
    }, AGAIN_AFTER).unref()
  }

  #sayClosed(id: RecordId, end: UnixSeconds): void {
    if (this.#untold.length === 0) this.#untoldSince = performance.now()
    this.#untold.push({ id, end, at: this.#parts.clock.now() })
    if (!this.#working) void this.#tellClosed()
  }

  async #tellClosed(): Promise<void> {
    if (this.#telling) return
    this.#telling = true
    while (this.#untold.length > 0) {
      for (const { id, end, at } of this.#untold.splice(0, TOLD_AT_ONCE)) void this.#say(id, { v: 1, closed: at }, end)
      await nextTurn()
    }
    this.#telling = false
  }

  async #say(id: RecordId, record: OpenedRecord, end: UnixSeconds): Promise<void> {
    const { outbox, own } = this.#parts
    await outbox.put({ kind: 'opened', id: openedId(id, own) }, record, { end, spare: SPARE })
  }
}
