/**
 * The ledger set: who opened what, kept in the kernel beside the doors. The key of an element is `number . part`. Its
 * timeout is the grant's own end, and its comment a piece of the grant's record (`record.ts`). If a record has no end
 * of its own, the timeout gives it.
 */
import type { Grant } from '../../access/grant.ts'
import { milliseconds } from '../../units.ts'
import { encodeRecord, parseRecord } from '../record.ts'
import type { Element } from './elements.ts'

/** nftables takes comments of up to 127 bytes. */
const PIECE = 120

/** @param number identifies this grant in the set. @param until its end, in milliseconds since the machine started. */
export function ledgerElements(number: number, grant: Grant, until: number): readonly Element[] {
  const record = encodeRecord(grant, until)
  const pieces = Math.ceil(record.length / PIECE)
  return Array.from({ length: pieces }, (_, part) => ({
    set: 'ledger',
    key: `${number} . ${part}`,
    comment: record.slice(part * PIECE, (part + 1) * PIECE),
  }))
}

/** What the ledger says of one grant. */
export interface LedgerRecord {
  readonly number: number
  readonly grant: Grant
  /** In milliseconds since the machine started. */
  readonly until: number
}

/**
 * An element of the ledger in the kernel. It ends between `from` and `to`, in milliseconds since the machine started.
 */
export interface LedgerElement {
  readonly key: string
  readonly comment?: string
  readonly from: number
  readonly to: number
}

/**
 * The kernel counts in ticks of up to 10 ms, and reading takes time. An end that is later than the kernel's by more
 * than this is not believed.
 */
const DOUBT = milliseconds(50)

/** @returns the grants that the ledger records, and the number of invalid records. */
export function parseLedger(elements: readonly LedgerElement[]): {
  readonly records: readonly LedgerRecord[]
  readonly unread: number
} {
  const pieces = new Map<string, { parts: string[]; from: number; to: number }>()
  for (const { key, comment = '', from, to } of elements) {
    const [number = '', part = ''] = key.split(' . ')
    const piece = pieces.get(number)
    if (piece === undefined) {
      const parts: string[] = []
      parts[Number(part)] = comment
      pieces.set(number, { parts, from, to })
      continue
    }
    piece.parts[Number(part)] = comment
    piece.from = Math.min(piece.from, from)
    piece.to = Math.min(piece.to, to)
  }
  const records: LedgerRecord[] = []
  for (const [number, { parts, from, to }] of pieces) {
    const record = parseRecord(parts.join(''))
    if (record === undefined) continue
    const { grant, end = from } = record
    records.push({ number: Number(number), grant, until: end <= to + DOUBT ? end : from })
  }
  return { records, unread: pieces.size - records.length }
}
