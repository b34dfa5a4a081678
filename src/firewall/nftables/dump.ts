/**
 * Reads our table from the kernel over netlink (the dumps of linux/netfilter/nf_tables.h). libnftables prints the same
 * as text, ten times slower, which matters when a server starts with a full table.
 */
import { constants } from 'node:os'
import type { TableName } from '../../config/server/firewall-settings.ts'
import { addressFromBytes } from '../../packet/address.ts'
import { PROTOCOL_NUMBERS } from '../../packet/protocol-port.ts'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import { describeErrno } from '../../system/errno.ts'
import {
  ATTRIBUTE_TYPE,
  align,
  encodeAttribute,
  encodeMessage,
  errnoOf,
  NLM_F_DUMP,
  NLM_F_DUMP_INTR,
  NLM_F_REQUEST,
  NLMSG_DONE,
  NLMSG_ERROR,
  readAttributes,
  readMessages,
} from '../../system/netlink.ts'
import { range } from './elements.ts'
import {
  ATTR_ELEMENTS,
  ATTR_SET,
  ATTR_TABLE,
  COMMENT,
  ELEMENT_DATA,
  ELEMENT_EXPIRATION,
  ELEMENT_KEY,
  ELEMENT_KEY_END,
  ELEMENT_USERDATA,
  NetfilterSocket,
  NFGENMSG_LENGTH,
  NFPROTO_INET,
  nftablesType,
} from './netlink.ts'
import { type AnySetName, type Field, shapeOf } from './sets.ts'

/** An element as {@link Element} writes it, with its end by the caller's clock: not before `from`, not after `to`. */
export interface FoundElement {
  readonly set: AnySetName
  readonly key: string
  readonly value?: string
  readonly comment?: string
  readonly from: number
  readonly to: number
}

type DumpFailure = Failure<'FIREWALL_UNAVAILABLE'> & { readonly missing: boolean }

const GET_TABLE = nftablesType(1)
const GET_CHAINS = nftablesType(4)
const GET_RULES = nftablesType(7)
const GET_SETS = nftablesType(10)
const GET_SET_ELEMENTS = nftablesType(13)
const { ENOENT } = constants.errno
const ATTR_CHAIN_NAME = 3
/** The flags of a table. */
const ATTR_TABLE_FLAGS = 2
/** The chain of a rule. */
const ATTR_RULE_CHAIN = 2
const TRIES = 5

/** @param clock in milliseconds, as the kernel's timeouts run. @returns `missing` where there is no such set. */
export function dumpSet(table: TableName, set: AnySetName, clock: () => number): Result<FoundElement[], DumpFailure> {
  for (let left = TRIES; left > 0; left--) {
    const elements: FoundElement[] = []
    // A datagram is parsed before the next one is fetched.
    let [madeAfter, madeBefore] = [clock(), clock()]
    const told = ask(GET_SET_ELEMENTS, [stringAttribute(ATTR_TABLE, table), stringAttribute(ATTR_SET, set)], {
      onFetch: () => {
        madeAfter = madeBefore
        madeBefore = clock()
      },
      onMessage: (body) => readElements(set, body, madeAfter, madeBefore, elements),
    })
    if (!told.ok) return told
    if (told.value === 'whole') return ok(elements)
  }
  return failure(`${set} changes faster than it can be read`)
}

/**
 * @returns the chains and the sets of a table, as `chain NAME` and `set NAME`, where maps count as sets; empty if there
 * is no such table.
 */
export function dumpNames(table: TableName): Result<ReadonlySet<string>, DumpFailure> {
  const names = new Set<string>()
  for (const [kind, type, nameAttribute] of [
    ['chain', GET_CHAINS, ATTR_CHAIN_NAME],
    ['set', GET_SETS, ATTR_SET],
  ] as const) {
    const told = ask(type, [], {
      onFetch: () => {},
      onMessage: (body) => {
        const attributes = readAttributes(body.subarray(NFGENMSG_LENGTH))
        const name = stringIn(attributes.get(nameAttribute))
        // `__set0` is a list within a rule.
        if (stringIn(attributes.get(ATTR_TABLE)) === table && !name.startsWith('__')) names.add(`${kind} ${name}`)
      },
    })
    if (!told.ok) return told
  }
  return ok(names)
}

/** A table that outlives its owner (NFT_TABLE_F_PERSIST, linux/netfilter/nf_tables.h). */
export const TABLE_PERSISTS = 4

/** @returns the flags of a table; 0 if there is no such table. */
export function tableFlags(table: TableName): Result<number, DumpFailure> {
  let flags = 0
  const told = ask(GET_TABLE, [], {
    onFetch: () => {},
    onMessage: (body) => {
      const attributes = readAttributes(body.subarray(NFGENMSG_LENGTH))
      if (stringIn(attributes.get(ATTR_TABLE)) !== table) return
      const value = attributes.get(ATTR_TABLE_FLAGS)
      if (value?.length === 4) flags = new DataView(value.buffer, value.byteOffset).getUint32(0)
    },
  })
  return told.ok ? ok(flags) : told
}

/** @returns the chains of a table that have a rule; none if there is no such table. */
export function chainsWithRules(table: TableName): Result<ReadonlySet<string>, DumpFailure> {
  const chains = new Set<string>()
  const told = ask(GET_RULES, [stringAttribute(ATTR_TABLE, table)], {
    onFetch: () => {},
    onMessage: (body) => {
      const attributes = readAttributes(body.subarray(NFGENMSG_LENGTH))
      // An old kernel tells of all tables.
      if (stringIn(attributes.get(ATTR_TABLE)) === table) chains.add(stringIn(attributes.get(ATTR_RULE_CHAIN)))
    },
  })
  return told.ok ? ok(chains) : told
}

interface Listener {
  /** Before each datagram is fetched. */
  onFetch(): void
  onMessage(body: Uint8Array): void
}

/** @returns whether the answer is complete, or something changed during the answer. */
function ask(
  type: number,
  attributes: readonly Uint8Array[],
  listener: Listener,
): Result<'whole' | 'interrupted', DumpFailure> {
  const opened = NetfilterSocket.open()
  if (!opened.ok) return failure(opened.failure)
  const socket = opened.value
  try {
    const sent = socket.send(question(type, attributes))
    if (!sent.ok) return failure(sent.failure)
    let interrupted = false
    for (;;) {
      listener.onFetch()
      const received = socket.receive()
      if (!received.ok) return failure(received.failure)
      if (received.value === 'empty' || received.value === 'lost')
        return failure(`the kernel’s answer is ${received.value}`)
      for (const message of readMessages(received.value)) {
        if (message === undefined) break
        if ((message.flags & NLM_F_DUMP_INTR) !== 0) interrupted = true
        if (message.type === NLMSG_DONE) return ok(interrupted ? 'interrupted' : 'whole')
        if (message.type === NLMSG_ERROR) {
          const errno = errnoOf(message)
          return failure(`nftables does not tell what it has: ${describeErrno(errno)}`, errno === ENOENT)
        }
        listener.onMessage(message.body)
      }
    }
  } finally {
    socket.close()
  }
}

function failure(detail: string, missing = false): { readonly ok: false; readonly failure: DumpFailure } {
  return { ok: false, failure: { ...refuse('FIREWALL_UNAVAILABLE', detail).failure, missing } }
}

function question(type: number, attributes: readonly Uint8Array[]): Uint8Array {
  const family = new Uint8Array(NFGENMSG_LENGTH)
  family[0] = NFPROTO_INET
  return encodeMessage({ type, flags: NLM_F_REQUEST | NLM_F_DUMP }, family, attributes)
}

/** A C string. */
function stringIn(bytes: Uint8Array | undefined): string {
  return Buffer.from(bytes ?? [])
    .toString('latin1')
    .replace(/\0.*$/s, '')
}

function stringAttribute(type: number, text: string): Uint8Array {
  return encodeAttribute(type, Buffer.from(`${text}\0`, 'latin1'))
}

/** A table may have a hundred thousand elements: attributes are read in place, without an object for each. */
function readElements(
  set: AnySetName,
  body: Uint8Array,
  madeAfter: number,
  madeBefore: number,
  into: FoundElement[],
): void {
  const list = readAttributes(body.subarray(NFGENMSG_LENGTH)).get(ATTR_ELEMENTS)
  if (list === undefined) return
  const { key: keyFields, value: valueFields } = shapeOf(set)
  const bytes = Buffer.from(list.buffer, list.byteOffset, list.byteLength)
  const view = new DataView(list.buffer, list.byteOffset, list.byteLength)
  for (let at = 0; at + 4 <= list.length; ) {
    const end = at + view.getUint16(at, true)
    if (end < at + 4 || end > list.length) return
    let [key, value, comment] = ['', undefined as string | undefined, undefined as string | undefined]
    // Without a timeout, it never ends.
    let remaining = Number.POSITIVE_INFINITY
    for (let inner = at + 4; inner + 4 <= end; ) {
      const next = inner + view.getUint16(inner, true)
      if (next < inner + 4 || next > end) break
      switch (view.getUint16(inner + 2, true) & ATTRIBUTE_TYPE) {
        // Both hold one attribute, whose header is skipped.
        case ELEMENT_KEY:
          key = textOf(bytes, view, inner + 8, keyFields)
          break
        case ELEMENT_KEY_END:
          key = rangesOf(key, textOf(bytes, view, inner + 8, keyFields))
          break
        case ELEMENT_DATA:
          if (valueFields !== undefined) value = textOf(bytes, view, inner + 8, valueFields)
          break
        case ELEMENT_EXPIRATION:
          remaining = view.getUint32(inner + 4) * 2 ** 32 + view.getUint32(inner + 8)
          break
        case ELEMENT_USERDATA:
          comment = commentIn(bytes, inner + 4, next)
          break
      }
      inner = align(next)
    }
    at = align(end)
    const element = { set, key, from: madeAfter + remaining, to: madeBefore + remaining }
    into.push(
      value === undefined && comment === undefined
        ? element
        : { ...element, ...(value !== undefined && { value }), ...(comment !== undefined && { comment }) },
    )
  }
}

/** Both ends of a key, field by field. */
function rangesOf(from: string, to: string): string {
  const ends = to.split(' . ')
  return from
    .split(' . ')
    .map((field, i) => range(field, ends[i] ?? field))
    .join(' . ')
}

/** Fields of a concatenation are padded to four bytes each. */
function textOf(bytes: Uint8Array, view: DataView, from: number, fields: readonly Field[]): string {
  let text = ''
  let at = from
  for (const field of fields) {
    if (text !== '') text += ' . '
    switch (field) {
      case 'ipv4_addr':
        text += `${bytes[at]}.${bytes[at + 1]}.${bytes[at + 2]}.${bytes[at + 3]}`
        at += 4
        break
      case 'ipv6_addr':
        text += addressFromBytes(bytes.subarray(at, at + 16))
        at += 16
        break
      case 'inet_proto':
        text += bytes[at] === PROTOCOL_NUMBERS.tcp ? 'tcp' : bytes[at] === PROTOCOL_NUMBERS.udp ? 'udp' : bytes[at]
        at += 4
        break
      case 'inet_service':
        text += view.getUint16(at)
        at += 4
        break
      case 'mark':
        text += view.getUint32(at, true)
        at += 4
        break
      default:
        field satisfies never
    }
  }
  return text
}

/** Type and length, one byte each, then the value: nftables stores its comments like this, each with a final zero. */
function commentIn(bytes: Buffer, from: number, end: number): string | undefined {
  for (let at = from; at + 2 <= end; ) {
    const length = bytes[at + 1] ?? 0
    if (bytes[at] === COMMENT && at + 2 + length <= end) return bytes.toString('latin1', at + 2, at + 1 + length)
    at += 2 + length
  }
  return undefined
}
