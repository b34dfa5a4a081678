/**
 * Follows all keys below a prefix: lists them, then watches from the revision of the list, at one member after the
 * other. Nothing is missed: each watch begins where the one before ended. All is listed again only where etcd does not
 * know that revision any more (compaction), has forgotten something (a restored backup), or tells too much at once.
 */
import { decodeText } from '../bytes/text.ts'
import { either, list, literal, mapped, type Reader, record, text } from '../json-reader.ts'
import { decodeBase64Padded } from '../system/base64.ts'
import { type Milliseconds, milliseconds } from '../units.ts'
import { encoded } from './claim-txn.ts'
import type { Etcd } from './etcd.ts'
import { TOO_LONG } from './grpc.ts'
import { type EtcdPast, goesOn, number64, readPast } from './header.ts'
import { prefixFields } from './prefix.ts'

/** A key that was written, or removed (`value` absent). */
export interface KeyChange {
  /** After the prefix. */
  readonly key: string
  /** As base64, as etcd writes it: canonical, with its `=`. */
  readonly value?: string
}

export interface WatchEvents {
  /** A list begins: keys that it does not have are not there any more. */
  onListing(): void
  onChanges(changes: readonly KeyChange[]): void
  /** The list has ended. @param short sections of which only the first keys were told. */
  onListed(short: readonly string[]): void
  /** Each change is told as it happens. Of those before, the newest of the landmarks was told. */
  onFollowing(): void
  /** Changes are not told for some time. */
  onCut(why: string): void
}

/** Keys that go on alike after the prefix. */
export interface WatchSection {
  readonly name: string
  /** More keys of it are not listed. */
  readonly most: number
  /** Without all of its keys there is no list. Else the first ones are told. */
  readonly isWhole?: true
  /** Where this section is short, nothing of this one is told: its keys mean nothing alone. */
  readonly unlessShort?: string
}

export interface WatchParts {
  readonly etcd: Etcd
  readonly prefix: string
  /** In the order in which they are listed. */
  readonly sections: readonly WatchSection[]
  /** What a few keys go on with. A watch that begins late follows once it has told the newest of them. */
  readonly landmarks: string
  readonly events: WatchEvents
}

/** Keys of one answer. The longest value has 11 KB as base64. */
const PAGE = 200
const LIST_LIMIT = milliseconds(5000)
/** Until a member says that the watch has begun. */
const BEGIN_LIMIT = milliseconds(5000)
/** Before the next try, after one, two … in a row that brought nothing. */
const PAUSES: readonly Milliseconds[] = [0, 100, 500, 2000].map(milliseconds)
/** A watch that ends earlier brought nothing: one that ends at once would begin again without a pause, for ever. */
const FRUITFUL = milliseconds(1000)
const COMPACTED = 'compacted'
const FORGOTTEN = 'etcd has forgotten something'

const anything: Reader<unknown> = (value) => value ?? null
const keyText = mapped(text({ max: 1024 }), (read) => {
  const bytes = decodeBase64Padded(read)
  return bytes === undefined ? undefined : decodeText(bytes)
})
const keyValue = record(
  { key: keyText },
  {
    ...{ value: text({ max: 4 * 1024 * 1024 }), create_revision: number64, mod_revision: number64 },
    ...{ version: number64, lease: anything },
  },
)
const readPage = record(
  { header: anything },
  { kvs: list(keyValue, { min: 0, max: PAGE }), more: anything, count: number64 },
)
const event = record({ kv: keyValue }, { type: either(literal('DELETE'), literal('PUT')), prev_kv: anything })
const readWatched = record(
  { header: anything },
  {
    ...{ watch_id: anything, created: anything, canceled: anything, cancel_reason: anything, fragment: anything },
    ...{ compact_revision: number64, events: list(event, { min: 0, max: 100_000 }) },
  },
)

export class PrefixWatch {
  readonly #parts: WatchParts
  /** Of the last change that was told. Absent: all must be listed. */
  #past: EtcdPast | undefined
  /** etcd has begun the watch. */
  #begun = false
  /** The revision of the newest landmark when it began. Absent: not known yet. */
  #landmark: bigint | undefined
  #following = false
  #fruitless = 0

  constructor(parts: WatchParts) {
    this.#parts = parts
  }

  /** Goes on until the end of the signal. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const began = performance.now()
      const why = (await this.#list()) ?? (await this.#follow(signal))
      if (signal.aborted) return
      if (why !== COMPACTED) this.#parts.events.onCut(why)
      if (this.#following && performance.now() - began > FRUITFUL) this.#fruitless = 0
      const pause = PAUSES[Math.min(this.#fruitless++, PAUSES.length - 1)] ?? 0
      await new Promise((resolve) => setTimeout(resolve, pause))
    }
  }

  /** @returns why there is no list; undefined if there is one. */
  async #list(): Promise<string | undefined> {
    if (this.#past !== undefined) return undefined
    const { etcd, prefix, sections, events } = this.#parts
    events.onListing()
    let past: EtcdPast | undefined
    const short: string[] = []
    for (const { name, most, isWhole, unlessShort } of sections) {
      if (unlessShort !== undefined && short.includes(unlessShort)) {
        short.push(name)
        continue
      }
      const whole = prefixFields(`${prefix}${name}`)
      let from = whole.key
      let count = 0
      for (let isMore = true; isMore; ) {
        const revision = past === undefined ? {} : { revision: `${past.revision}` }
        const body = { ...whole, key: from, limit: `${PAGE}`, ...revision }
        const answer = await etcd.ask('KV/Range', body, LIST_LIMIT)
        if (answer.kind !== 'answer') return answer.why
        const page = readPage(answer.value)
        const header = readPast(answer.value)
        if (page === undefined || header === undefined) return 'a list that is not etcd’s'
        past ??= header
        const kvs = page.kvs ?? []
        const last = kvs.at(-1)
        isMore = page.more === true && last !== undefined
        count += kvs.length
        if (count > most || (count === most && isMore)) {
          if (isWhole) return `more than ${most} records ${name}`
          short.push(name)
          isMore = false
        }
        this.#tell(kvs.map(({ key, value = '' }) => ({ key, value })))
        // The next key.
        if (last !== undefined) from = encoded(`${last.key}\0`)
      }
    }
    this.#past = past
    events.onListed(short)
    return undefined
  }

  async #follow(signal: AbortSignal): Promise<string> {
    const { etcd, prefix } = this.#parts
    const since = this.#past
    this.#begun = false
    this.#landmark = undefined
    this.#following = false
    if (since === undefined) return COMPACTED
    const own = new AbortController()
    const onAbort = (): void => own.abort()
    signal.addEventListener('abort', onAbort)
    let wrong: string | undefined
    /** By an answer of the same kind: a change may be told before an answer that does not know it yet. */
    let seen = since
    const endFor = (why: string | undefined): void => {
      wrong ??= why
      if (wrong !== undefined) own.abort()
    }
    const onValue = (value: unknown): void => {
      const hadBegun = this.#begun
      endFor(wrong ?? this.#take(value, since))
      if (this.#begun && !hadBegun && wrong === undefined) void this.#findLandmark(own.signal).then(endFor)
    }
    // Such as one behind a proxy that holds answers back until they are complete.
    const timer = setTimeout(() => {
      if (!this.#begun) endFor(`no watch begins within ${BEGIN_LIMIT} ms`)
    }, BEGIN_LIMIT)
    const why = await etcd.follow(
      'Watch/Watch',
      {
        // In messages of some MiB, where much has happened meanwhile.
        create_request: { ...prefixFields(prefix), start_revision: `${since.revision + 1n}`, fragment: true },
      },
      {
        ...{ onValue, signal: own.signal, pulse: { key: encoded(prefix) } },
        onPulse: (value) => {
          const now = readPast(value)
          if (now === undefined) return 'an answer that is not etcd’s'
          const isOn = goesOn(seen, now)
          seen = now
          return isOn ? undefined : this.#listAgain(FORGOTTEN)
        },
      },
    )
    clearTimeout(timer)
    // What it has asked for is of no use to the next watch.
    own.abort()
    signal.removeEventListener('abort', onAbort)
    // The same changes would come again.
    return wrong ?? (why.startsWith(TOO_LONG) ? this.#listAgain(why) : why)
  }

  /**
   * Much may have happened before a watch begins, and comes after its beginning.
   * @returns why the watch must end.
   */
  async #findLandmark(signal: AbortSignal): Promise<string | undefined> {
    const { etcd, prefix, landmarks } = this.#parts
    const body = { ...prefixFields(`${prefix}${landmarks}`), keys_only: true, limit: `${PAGE}` }
    const answer = await etcd.ask('KV/Range', body, LIST_LIMIT)
    if (signal.aborted) return undefined
    if (answer.kind !== 'answer') return answer.why
    const page = readPage(answer.value)
    if (page === undefined) return 'a list that is not etcd’s'
    this.#landmark = (page.kvs ?? []).reduce(
      (most, { mod_revision = 0n }) => (mod_revision > most ? mod_revision : most),
      0n,
    )
    this.#followsIfTold()
    return undefined
  }

  #followsIfTold(): void {
    const told = this.#past?.revision
    if (this.#following || this.#landmark === undefined || told === undefined || told < this.#landmark) return
    this.#following = true
    this.#parts.events.onFollowing()
  }

  /** @param since of the last change before this watch. @returns why the watch must end. */
  #take(value: unknown, since: EtcdPast): string | undefined {
    const now = readPast(value)
    const result = readWatched(value)
    if ((result?.compact_revision ?? 0n) > 0n) return this.#listAgain(COMPACTED)
    if (result?.canceled === true) return reasonOf(result.cancel_reason)
    if (result === undefined || now === undefined) return 'a change that is not etcd’s'
    const isBack = now.cluster !== since.cluster || (result.created === true && now.revision < since.revision)
    if (isBack) return this.#listAgain(FORGOTTEN)
    if (result.created === true) this.#begun = true
    const changed = result.events ?? []
    this.#tell(changed.map(({ type, kv: { key, value = '' } }) => (type === 'DELETE' ? { key } : { key, value })))
    const last = changed.at(-1)?.kv.mod_revision
    // More changes of the last revision may be in the next fragment.
    if (last !== undefined) this.#past = { ...since, revision: result.fragment === true ? last - 1n : last }
    this.#followsIfTold()
    return undefined
  }

  #listAgain(why: string): string {
    this.#past = undefined
    return why
  }

  #tell(changes: readonly KeyChange[]): void {
    const { prefix, events } = this.#parts
    const ours = changes.filter(({ key }) => key.startsWith(prefix))
    if (ours.length > 0) events.onChanges(ours.map((change) => ({ ...change, key: change.key.slice(prefix.length) })))
  }
}

/** Why etcd has ended a watch, as far as it says. */
function reasonOf(reason: unknown): string {
  const said = text({ max: 1000 })(reason)
  return said === undefined ? 'etcd has ended the watch' : `etcd has ended the watch: ${said}`
}
