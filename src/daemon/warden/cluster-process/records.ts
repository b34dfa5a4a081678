/**
 * The records that the nodes of a cluster share, for the parts of the warden (docs/WIRE.md § 20). This file seals and
 * opens them. The cluster process, and etcd, can keep a record back, show an old one again, or say that one was
 * removed. So a listener must not let the absence of a record open anything, and must take no record twice that it has
 * taken before.
 */
import { decodeText, encodeText, jsonLine } from '../../../bytes/text.ts'
import { monotonic } from '../../../clock.ts'
import type { RecordId, RecordKind, RecordName } from '../../../cluster-record/record-name.ts'
import type { RecordSealer } from '../../../cluster-record/seal.ts'
import type { Log } from '../../../log.ts'
import { TokenBucket } from '../../../token-bucket.ts'
import { type Milliseconds, milliseconds, type Seconds } from '../../../units.ts'
import type { FromCluster, RecordChange, ToCluster } from '../../link/cluster-protocol.ts'
import { StateLines } from '../state-lines.ts'
import { STATE_LINES, UNREADABLE } from './limits.ts'

export interface RecordListener {
  /** Each record when it is written, and all again at each list. @param value from JSON, in no known form. */
  onRecord(id: RecordId, value: unknown): void
  /** It is not there any more, as etcd says. */
  onRemoved?(id: RecordId): void
  /** All that is there was told: {@link onRecord} was called for each. */
  onListed?(): void
  /** From now on each change is told as it happens. What could not be written before may be written now. */
  onFollowing?(): void
}

/** For `ghostport status`. */
export interface RecordsStatus {
  /** Whether each change is told as it happens. */
  readonly following: boolean
  /** RFC 3339: since when. */
  readonly since: string
  /** Why not. */
  readonly why?: string
  /** How many records are known here. */
  readonly records: number
  /** Records that this node could not open, since the start. */
  readonly unreadable: number
  /** Kinds of which etcd has more records than a node lists. */
  readonly short?: readonly RecordKind[]
}

export interface RecordsParts {
  readonly sealer: RecordSealer
  readonly log: Log
  /** Until a write must be answered. */
  readonly limit: Milliseconds
}

type Message = Extract<FromCluster, { type: 'changes' | 'records' | 'written' }>
type Write = Extract<ToCluster, { type: 'put' | 'remove' }>

/** Names that are remembered, to tell what a list lacks. */
const MOST_KNOWN = 100_000
const MOST_CLOSED = 10_000
const MOST_WRITES = 20_000
/** For the way between the two processes. */
const GRACE = milliseconds(250)
const COMPLAINT_INTERVAL = milliseconds(60_000)

/** Whether changes are told. */
interface Told {
  readonly level: 'info' | 'warning'
  readonly detail: string
  readonly records?: number
}

export class Records {
  readonly #parts: RecordsParts
  readonly #listeners = new Map<RecordKind, RecordListener[]>()
  readonly #known = new Map<string, RecordName>()
  /** Those that are there, and cannot be opened. */
  readonly #closed = new Map<string, RecordName>()
  /** The names of the list that is under way. */
  #listed: Set<string> | undefined
  readonly #writes = new Map<number, (why: string | undefined) => void>()
  #lastNumber = 0
  #send: ((message: Write) => void) | undefined
  #short: readonly RecordKind[] = []
  #state: { readonly following: boolean; readonly since: Date; readonly why?: string }
  #unreadable = 0
  #allowed = new TokenBucket(UNREADABLE, monotonic())
  readonly #lines: StateLines<Told>
  #complainedAt: Milliseconds | undefined

  constructor(parts: RecordsParts) {
    this.#parts = parts
    this.#lines = new StateLines(STATE_LINES, ({ level, ...fields }, more) =>
      parts.log.write(level, 'cluster records', { ...fields, ...more }),
    )
    this.#state = { following: false, since: new Date(), why: 'they were not listed yet' }
  }

  /** @returns the ids of records of this kind that are there, and that this node cannot open. Not all, if many. */
  unreadable(kind: RecordKind): readonly RecordId[] {
    return [...this.#closed.values()].flatMap((name) => (name.kind === kind ? [name.id] : []))
  }

  /** Before the cluster process starts: what it tells is not told again. */
  on(kind: RecordKind, listener: RecordListener): void {
    this.#listeners.set(kind, [...(this.#listeners.get(kind) ?? []), listener])
  }

  /**
   * Never rejects. @param life the least time that etcd keeps it; absent: for ever.
   * @returns why it may not be written; undefined if it is.
   */
  put(name: RecordName, value: unknown, life?: Seconds): Promise<string | undefined> {
    const sealed = this.#parts.sealer.seal(name, encodeText(jsonLine(value)))
    return this.#write((number, limit) => ({
      type: 'put',
      ...{ number, limit, sealed },
      ...name,
      ...(life !== undefined && { life }),
    }))
  }

  /**
   * Never rejects. Writes a record that stays, and only if there is none of this name: of several nodes, one is first.
   * @returns why it may not be written. It may be all the same: what is listened to tells.
   */
  create(name: RecordName, value: unknown): Promise<string | undefined> {
    const sealed = this.#parts.sealer.seal(name, encodeText(jsonLine(value)))
    return this.#write((number, limit) => ({ type: 'put', number, limit, sealed, ...name, isNew: true }))
  }

  /** Never rejects. @returns why it may still be there. */
  remove(name: RecordName): Promise<string | undefined> {
    return this.#write((number, limit) => ({ type: 'remove', number, limit, ...name }))
  }

  status(): RecordsStatus {
    const { following, since, why } = this.#state
    return {
      ...{ following, since: since.toISOString() },
      ...(why !== undefined && { why }),
      ...{ records: this.#known.size, unreadable: this.#unreadable },
      ...(this.#short.length > 0 && { short: this.#short }),
    }
  }

  /** A cluster process has started. */
  connect(send: (message: Write) => void): void {
    this.#send = send
    this.#allowed = new TokenBucket(UNREADABLE, monotonic())
  }

  lost(why: string): void {
    this.#send = undefined
    for (const answer of this.#writes.values()) answer(why)
    this.#writes.clear()
    this.#cut(why)
  }

  /** @returns why the cluster process is not honest. */
  take(message: Message): string | undefined {
    switch (message.type) {
      case 'written':
        this.#writes.get(message.number)?.(message.why)
        this.#writes.delete(message.number)
        return undefined
      case 'changes':
        for (const change of message.changes) this.#change(change)
        return this.#allowed.left(monotonic()) < 1 ? 'it tells of too many records that cannot be opened' : undefined
      case 'records':
        this.#stateIs(message)
        return undefined
      default:
        return message satisfies never
    }
  }

  #stateIs(message: Extract<Message, { type: 'records' }>): void {
    switch (message.state) {
      case 'listing':
        this.#listed = new Set()
        this.#closed.clear()
        return
      case 'listed':
        this.#short = message.short ?? []
        if (this.#short.length > 0) this.#lines.tell({ level: 'warning', detail: tooMany(this.#short) })
        this.#endList()
        return
      case 'following':
        if (!this.#state.following) {
          this.#state = { following: true, since: new Date() }
          this.#lines.tell({ level: 'info', detail: 'each change is told', records: this.#known.size })
        }
        this.#each((listener) => listener.onFollowing?.())
        return
      case 'cut':
        this.#cut(message.why)
        return
      default:
        message satisfies never
    }
  }

  #endList(): void {
    const listed = this.#listed
    this.#listed = undefined
    if (listed === undefined) return
    for (const [key, name] of this.#known) if (!listed.has(key)) this.#removed(key, name)
    this.#each((listener) => listener.onListed?.())
  }

  #change(change: RecordChange): void {
    const name = { kind: change.kind, id: change.id }
    const key = `${name.kind}/${name.id}`
    this.#closed.delete(key)
    if (!('sealed' in change)) {
      this.#removed(key, name)
      return
    }
    const opened = this.#parts.sealer.open(name, change.sealed)
    const value = opened === undefined ? undefined : fromJson(opened)
    if (value === undefined) {
      if (this.#closed.size < MOST_CLOSED) this.#closed.set(key, name)
      this.#complain()
      return
    }
    this.#listed?.add(key)
    if (this.#known.size < MOST_KNOWN) this.#known.set(key, name)
    for (const listener of this.#listeners.get(name.kind) ?? []) listener.onRecord(name.id, value)
  }

  #removed(key: string, { kind, id }: RecordName): void {
    if (!this.#known.delete(key)) return
    for (const listener of this.#listeners.get(kind) ?? []) listener.onRemoved?.(id)
  }

  #each(tell: (listener: RecordListener) => void): void {
    for (const listener of new Set([...this.#listeners.values()].flat())) tell(listener)
  }

  #cut(why: string): void {
    const { following, since, why: before } = this.#state
    if (following) this.#lines.tell({ level: 'warning', detail: `changes are not told: ${why}` })
    if (following || before !== why) this.#state = { following: false, since: following ? new Date() : since, why }
  }

  #complain(): void {
    this.#unreadable++
    const now = monotonic()
    this.#allowed.take(1, now)
    if (this.#complainedAt !== undefined && now - this.#complainedAt < COMPLAINT_INTERVAL) return
    this.#complainedAt = now
    this.#parts.log.write('warning', 'cluster records', {
      detail: 'a record cannot be opened: it was changed, or a node has another CLUSTER_SECRET_FILE',
      unreadable: this.#unreadable,
    })
  }

  #write(make: (number: number, limit: Milliseconds) => Write): Promise<string | undefined> {
    const send = this.#send
    const { limit } = this.#parts
    if (send === undefined) return Promise.resolve('the cluster process does not run')
    if (this.#writes.size >= MOST_WRITES) return Promise.resolve('too many records wait for the cluster')
    const number = ++this.#lastNumber
    return new Promise((resolve) => {
      const answer = (why: string | undefined): void => {
        clearTimeout(timer)
        this.#writes.delete(number)
        resolve(why)
      }
      const timer = setTimeout(() => answer('no answer in time'), limit + GRACE)
      this.#writes.set(number, answer)
      send(make(number, limit))
    })
  }
}

function tooMany(kinds: readonly RecordKind[]): string {
  return `etcd has more records than a node lists when it begins: some were passed over (${kinds.join(', ')})`
}

function fromJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(decodeText(bytes) ?? '')
  } catch {
    return undefined
  }
}
