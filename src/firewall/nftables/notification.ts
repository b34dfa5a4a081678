/**
 * The kernel's multicasts about nf_tables (linux/netfilter/nf_tables.h). After each transaction there is a message for
 * each changed object, and one, NEWGEN, that names the process. Of other tables, it is only noted that their rules
 * changed.
 */
import { asAscii } from '../../bytes/text.ts'
import type { TableName } from '../../config/server/firewall-settings.ts'
import { readAttributes, readMessages } from '../../system/netlink.ts'
import type { ForeignChange } from '../firewall.ts'
import { ATTR_TABLE, NFGENMSG_LENGTH, NFNL_SUBSYS_NFTABLES, NFPROTO_INET } from './netlink.ts'

const NEWGEN = 15
/**
 * Message type → what it is about. Each kind has three types in a row: one adds, one (GET) is never sent, one removes.
 */
const KINDS: Readonly<Record<number, Pick<ForeignChange, 'what' | 'how'>>> = {
  0: { what: 'table', how: 'added' },
  2: { what: 'table', how: 'removed' },
  3: { what: 'chain', how: 'added' },
  5: { what: 'chain', how: 'removed' },
  6: { what: 'rule', how: 'added' },
  8: { what: 'rule', how: 'removed' },
  9: { what: 'set', how: 'added' },
  11: { what: 'set', how: 'removed' },
  12: { what: 'element', how: 'added' },
  14: { what: 'element', how: 'removed' },
  18: { what: 'object', how: 'added' },
  20: { what: 'object', how: 'removed' },
  22: { what: 'object', how: 'added' }, // flowtables
  24: { what: 'object', how: 'removed' },
}
/**
 * From the smallest to the largest. When a table is deleted, the kernel first reports each rule, element, set and chain
 * in it, and the table last.
 */
const SIZES: readonly ForeignChange['what'][] = ['unknown', 'element', 'rule', 'object', 'set', 'chain', 'table']
const ATTR_ELEMENT_SET = 2
const ATTR_GEN_PID = 2
const ATTR_GEN_NAME = 3

/** Collects the changes from one or more datagrams of one transaction. */
export class NotificationReader {
  readonly #table: TableName
  #foremost: Omit<ForeignChange, 'by'> | undefined
  /** Who made the most important change. */
  #by: ForeignChange['by']
  #midway = false
  #others = false

  constructor(table: TableName) {
    this.#table = table
  }

  /** Invalid bytes end the reading of a datagram. They count as a change, because the rest is unknown. */
  read(datagram: Uint8Array): void {
    for (const message of readMessages(datagram)) {
      if (message === undefined) this.lost()
      else this.#readMessage(message.type, message.body)
    }
  }

  /** The kernel had to drop messages. */
  lost(): void {
    this.#note({ what: 'unknown', how: 'lost track' })
    this.#midway = false
    this.#others = true
  }

  /** Whether the end of the latest transaction has not been received yet. */
  get isMidway(): boolean {
    return this.#midway
  }

  /**
   * The most important change to our table, and who made it: removals before additions, larger objects before smaller
   * ones, earlier before later. `undefined` if nothing concerned us.
   */
  take(): ForeignChange | undefined {
    const change = this.#foremost && { ...this.#foremost, ...(this.#by && { by: this.#by }) }
    this.#foremost = undefined
    this.#by = undefined
    return change
  }

  /** Whether tables, chains or rules of others changed since the last call. */
  takeOthers(): boolean {
    const changed = this.#others
    this.#others = false
    return changed
  }

  #note(change: Omit<ForeignChange, 'by'>): void {
    if (this.#foremost !== undefined && weight(change) <= weight(this.#foremost)) return
    this.#foremost = change
    this.#by = undefined // until its own transaction is closed
  }

  #readMessage(type: number, body: Uint8Array): void {
    if (type >> 8 !== NFNL_SUBSYS_NFTABLES || body.length < NFGENMSG_LENGTH) return
    const attributes = readAttributes(body.subarray(NFGENMSG_LENGTH))
    const kind = type & 0xff
    if (kind === NEWGEN) {
      // It closes its transaction: the named process made the changes before it.
      this.#midway = false
      if (this.#foremost === undefined || this.#by !== undefined) return
      const pid = attributes.get(ATTR_GEN_PID)
      const name = attributes.get(ATTR_GEN_NAME)
      if (pid?.length !== 4 || name === undefined) return
      this.#by = { pid: new DataView(pid.buffer, pid.byteOffset, 4).getUint32(0, false), program: textOf(name) }
      return
    }
    const meaning = KINDS[kind]
    const table = attributes.get(ATTR_TABLE)
    if (meaning === undefined || table === undefined) return
    if (body[0] !== NFPROTO_INET || textOf(table) !== this.#table) {
      if (meaning.what === 'table' || meaning.what === 'chain' || meaning.what === 'rule') this.#others = true
      return
    }
    const set = meaning.what === 'element' ? attributes.get(ATTR_ELEMENT_SET) : undefined
    this.#midway = true
    this.#note({ ...meaning, ...(set && { set: textOf(set) }) })
  }
}

function weight({ what, how }: Omit<ForeignChange, 'by'>): number {
  return SIZES.indexOf(what) + (how === 'removed' ? SIZES.length : 0)
}

/** A C string. A process may put control characters into its name; they are made harmless for the log. */
function textOf(bytes: Uint8Array): string {
  const end = bytes.indexOf(0)
  return asAscii(Buffer.from(end < 0 ? bytes : bytes.subarray(0, end)).toString('latin1'))
}
