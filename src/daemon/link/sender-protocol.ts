/** The messages between executor and sender. The sender gets what is signed already: it has no key. */

import type { SignedMessage } from '../../commands/webhook.ts'
import { either, integer, type Reader, record, text } from '../../json-reader.ts'
import { LONGEST_AUTHORITIES } from '../../system/trusted-file.ts'

/** The sender’s end of the socket pair to the executor. */
export const SENDER_CHANNEL = 3

export type ToSender = Post | Trust

/** A message to deliver. */
export interface Post {
  /** The stanza that it is about, by name or number: no stanza keeps the messages of another waiting. */
  readonly share: string
  readonly url: string
  readonly message: SignedMessage
}

/** Whose certificates count from now on, as PEM. Without it: the list of Node.js. */
export interface Trust {
  readonly authorities: string
}

/** Bytes of the longest line to the sender. A line of certificates has two more for each of theirs, at most. */
export const LONGEST_TO_SENDER = 2 * LONGEST_AUTHORITIES

/** Since it started. */
export interface SenderCounts {
  readonly delivered: number
  /** Given up: each try failed, or the answer was final. */
  readonly failed: number
  /** No place in the queue. */
  readonly dropped: number
  /** Why the last one failed. Not yet printable. */
  readonly why?: string
}

const count = integer({ min: 0, max: Number.MAX_SAFE_INTEGER })
export const senderCounts: Reader<SenderCounts> = record(
  { delivered: count, failed: count, dropped: count },
  { why: text({ max: 300 }) },
)

export function sumOfCounts(one: SenderCounts, other: SenderCounts): SenderCounts {
  const why = other.why ?? one.why
  return {
    delivered: one.delivered + other.delivered,
    failed: one.failed + other.failed,
    dropped: one.dropped + other.dropped,
    ...(why !== undefined && { why }),
  }
}

const headers: Reader<Readonly<Record<string, string>>> = (value) =>
  typeof value === 'object' &&
  value !== null &&
  !Array.isArray(value) &&
  Object.values(value).every((it) => typeof it === 'string')
    ? (value as Record<string, string>)
    : undefined
export const toSender: Reader<ToSender> = either(
  record(
    {
      share: text({ max: 64 }),
      url: text({ max: 4096 }),
      message: record({ headers, body: text({ max: 64 * 1024 }) }, {}),
    },
    {},
  ),
  record({ authorities: text({ max: LONGEST_AUTHORITIES }) }, {}),
)
