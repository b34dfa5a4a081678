/**
 * What each node says of itself in etcd, three times a minute, for `ghostport cluster status` and `check`. Nobody
 * decides about a packet by it. It is under a lease of its own: a node that is gone is forgotten after some minutes.
 *
 * Two versions of ghostport run at once while a cluster is upgraded. So a reader passes over fields that it does not
 * know, and a writer never gives a field another meaning.
 */
import { decodeText, jsonLine } from '../bytes/text.ts'
import { type NodeName, nodeName } from '../config/server/cluster-settings.ts'
import { integer, literal, printableAscii, type Reader, record } from '../json-reader.ts'
import { decodeBase64Padded } from '../system/base64.ts'
import { type Milliseconds, milliseconds, type Seconds, seconds } from '../units.ts'
import { encoded } from './claim-txn.ts'
import type { Etcd } from './etcd.ts'
import { number64, readPast } from './header.ts'
import { type LeaseClocks, Leases } from './lease.ts'
import { picked } from './picked.ts'

export interface Presence {
  readonly node: NodeName
  /** Of ghostport. */
  readonly version: string
  /** How long this node keeps a claim: two times its MAX_SPA_PACKET_AGE, and ten minutes. */
  readonly life: Seconds
  /** Its own clock when it wrote this: seconds since 1970. */
  readonly at: number
  /** Another one for each start. */
  readonly instance: string
  /** Another server writes under the same name. */
  readonly twin: boolean
}

/** How often a node writes. */
export const PRESENCE_INTERVAL = milliseconds(20_000)
/** How long etcd keeps it, at least. */
const KEPT = seconds(60)
const LIMIT = milliseconds(3000)
/** For so many of its own lines, a node says that it has a twin. */
const TWIN_LINES = 6

export function presencePrefix(cluster: string): string {
  return `ghostport/${cluster}/nodes/`
}

const fields = record(
  {
    version: printableAscii({ max: 60 }),
    life: integer({ min: 1, max: 1_000_000_000 }),
    at: integer({ min: 0, max: 100_000_000_000 }),
    instance: printableAscii({ max: 60 }),
  },
  { twin: literal('yes') },
)

/** @param key without {@link presencePrefix}. @returns undefined for what no node has written. */
export function parsePresence(key: string, text: string): Presence | undefined {
  const node = nodeName(key)
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  const read = fields(picked(value, ['version', 'life', 'at', 'instance', 'twin']))
  if (read === undefined || !node.ok) return undefined
  return { ...read, node: node.value, life: seconds(read.life), twin: read.twin === 'yes' }
}

export interface AnnouncerParts {
  readonly etcd: Etcd
  readonly cluster: string
  readonly node: NodeName
  readonly version: string
  readonly life: Seconds
  readonly instance: string
  readonly clocks: LeaseClocks
  /**
   * Called when etcd shows an earlier line than the one of this node that it has confirmed. A backup was restored,
   * perhaps with a later revision than before (`--bump-revision`), which nothing else notices.
   */
  readonly onForgotten: () => void
}

/** Writes the presence of this node. */
export class Announcer {
  readonly #parts: AnnouncerParts
  readonly #leases: Leases
  #hasWritten = false
  /** The change with which etcd took the last line that it has confirmed. */
  #confirmed: bigint | undefined
  #twinLines = 0

  constructor(parts: AnnouncerParts) {
    this.#parts = parts
    this.#leases = new Leases(parts.etcd, KEPT, parts.clocks)
  }

  /** Never rejects. An etcd that does not answer is noticed elsewhere. */
  async announce(limit: Milliseconds = LIMIT): Promise<void> {
    const { etcd, cluster, node, version, life, instance, clocks, onForgotten } = this.#parts
    const lease = await this.#leases.current(limit)
    if (!lease.ok) return
    const isTwin = this.#twinLines > 0
    const value = { version, life, at: Math.floor(clocks.wall() / 1000), instance, ...(isTwin && { twin: 'yes' }) }
    const put = { key: encoded(`${presencePrefix(cluster)}${node}`), value: encoded(jsonLine(value)) }
    const answer = await etcd.ask('KV/Put', { ...put, lease: lease.value.id, prev_kv: true }, limit)
    if (answer.kind === 'refused') await this.#leases.next(limit)
    if (answer.kind !== 'answer') return
    const before = readPrevious(answer.value)
    const other = before === undefined ? undefined : parsePresence(node, before.text)
    // A line that was asked for earlier, and made late, has a later change. So has that of a twin.
    if (before !== undefined && this.#confirmed !== undefined && before.change < this.#confirmed) onForgotten()
    this.#confirmed = readPast(answer.value)?.revision
    // Before its first line, this was its own earlier start.
    if (this.#hasWritten && other !== undefined && other.instance !== instance) this.#twinLines = TWIN_LINES
    else this.#twinLines = Math.max(0, this.#twinLines - 1)
    this.#hasWritten = true
  }
}

/** What was there before: its text, and the number of the change that made it. */
const readPrevious: Reader<{ readonly text: string; readonly change: bigint }> = (value) => {
  const { prev_kv: previous } = picked(value, ['prev_kv'])
  const { value: line, mod_revision } = picked(previous, ['value', 'mod_revision'])
  const bytes = typeof line === 'string' && line.length < 4000 ? decodeBase64Padded(line) : undefined
  const text = bytes === undefined ? undefined : decodeText(bytes)
  const change = number64(mod_revision)
  return text === undefined || change === undefined ? undefined : { text, change }
}
