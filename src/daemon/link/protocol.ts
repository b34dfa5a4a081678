/**
 * The messages between warden and receiver. The warden parses each message as if a stranger had sent it, since one may have
 * taken over the receiver. The receiver trusts the warden.
 */

import type { StanzaId } from '../../access/stanza.ts'
import { printable } from '../../bytes/text.ts'
import type { ConfigPaths } from '../../config/load.ts'
import type { ConfigSnapshot } from '../../config/reading/config-files.ts'
import type { CaptureConfig } from '../../config/server/server-config.ts'
import { type FailureCode, failureKinds } from '../../failure-codes.ts'
import { either, integer, literal, mapped, parsed, type Reader, record, text } from '../../json-reader.ts'
import { type IpAddress, parseAddress } from '../../packet/address.ts'
import type { ReplayDigest } from '../../packet/replay-digest.ts'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import { type Knock, parseKnock } from './knock.ts'
import type { Suppressed } from './refusal-log.ts'

/** One way in which the receiver gets packets. */
export interface CaptureOrder {
  readonly config: CaptureConfig
  /** Descriptors that it inherited; or `own`: UDP sockets that it opens itself, as it does then for all orders. */
  readonly sockets: readonly number[] | 'own'
}

export type ToReceiver =
  | {
      readonly type: 'configure'
      readonly generation: number
      readonly paths: ConfigPaths
      readonly files: ConfigSnapshot
      /** At least one. Those of the first configuration count. */
      readonly captures: readonly CaptureOrder[]
    }
  /** Answered with `alive`: a receiver that does not is stopped or stuck. */
  | { readonly type: 'alive?' }
  /** Answered with `tally`, after all that was sent before. */
  | { readonly type: 'tally?' }
  /** These packets are used up, whatever became of them: no need to ask about them again. */
  | { readonly type: 'claimed'; readonly digests: readonly ReplayDigest[] }
  /** These could not be recorded, and nothing was opened for them: if one comes again, ask about it again. */
  | { readonly type: 'unclaimed'; readonly digests: readonly ReplayDigest[] }

/** A packet that no key opened, or that was no packet. */
export interface RefusalNote {
  readonly code: FailureCode
  readonly detail: string
  readonly source: IpAddress
  readonly sourcePort: number
  readonly destinationPort: number
  /** The stanza whose keys came closest, where any came closer than the others. The warden knows its name. */
  readonly stanza?: StanzaId
}

/** Numbers since the receiver started. */
export interface Tally {
  /** Packets looked at. */
  readonly looked: number
  /** Lost before they could be looked at, by the kernel's count. */
  readonly dropped: number
  /** Refused without asking the warden, by reason. */
  readonly refused: Suppressed
}

export type FromReceiver =
  /** It has no privilege any more, and nobody can look into it: the configuration, which holds keys, may be sent. */
  | { readonly type: 'started' }
  /** Packets are being received. `unconfined`: why its system calls could not be confined, where they could not. */
  | { readonly type: 'ready'; readonly unconfined?: string }
  | { readonly type: 'alive' }
  | { readonly type: 'configured'; readonly generation: number }
  | { readonly type: 'knock'; readonly knock: Knock }
  | { readonly type: 'refused'; readonly note: RefusalNote }
  | { readonly type: 'suppressed'; readonly counts: Suppressed }
  | { readonly type: 'tally'; readonly tally: Tally }
  /** Why it ends. Nothing follows. */
  | { readonly type: 'failed'; readonly code: FailureCode; readonly detail: string }

/** Longer than any of ours: what is longer only comes from a receiver that means harm. */
export const LONGEST_DETAIL = 500
const MAX_COUNT = Number.MAX_SAFE_INTEGER

const count = integer({ min: 0, max: MAX_COUNT })
const portNumber = integer({ min: 0, max: 65_535 })
const code = mapped(text({ max: 40 }), (name) =>
  Object.hasOwn(failureKinds, name) ? (name as FailureCode) : undefined,
)
/** An honest receiver quotes what a packet says, and a packet may say anything. */
const detail = mapped(text({ max: LONGEST_DETAIL }), printable)
const counts: Reader<Suppressed> = (value) => {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  const entries = Object.entries(value).map(([name, number]) => [code(name), count(number)] as const)
  return entries.every(([name, number]) => name !== undefined && number !== undefined)
    ? Object.fromEntries(entries)
    : undefined
}
const note = record(
  { code, detail, source: parsed(parseAddress), sourcePort: portNumber, destinationPort: portNumber },
  { stanza: mapped(integer({ min: 1, max: MAX_COUNT }), (id) => id as StanzaId) },
)
const tally = record({ looked: count, dropped: count, refused: counts }, {})

const otherMessage: Reader<Exclude<FromReceiver, { type: 'knock' }>> = either(
  record({ type: literal('started') }, {}),
  record({ type: literal('ready') }, { unconfined: detail }),
  record({ type: literal('alive') }, {}),
  record({ type: literal('configured'), generation: count }, {}),
  record({ type: literal('refused'), note }, {}),
  record({ type: literal('suppressed'), counts }, {}),
  record({ type: literal('tally'), tally }, {}),
  record({ type: literal('failed'), code, detail }, {}),
)
const knockMessage = record({ type: literal('knock'), knock: (value: unknown) => value ?? undefined }, {})

/** @returns the message; WARDEN_PROTOCOL for anything that no honest receiver sends. */
export function parseFromReceiver(value: unknown): Result<FromReceiver, Failure<'WARDEN_PROTOCOL'>> {
  const knocked = knockMessage(value)
  if (knocked !== undefined) {
    const knock = parseKnock(knocked.knock)
    return knock.ok ? ok({ type: 'knock', knock: knock.value }) : knock
  }
  const message = otherMessage(value)
  return message === undefined ? refuse('WARDEN_PROTOCOL', 'unknown message') : ok(message)
}
