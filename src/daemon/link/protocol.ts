/**
 * The messages between warden and receiver. The warden parses each message as untrusted input, because an attacker may
 * control the receiver. The receiver trusts the warden.
 */

import type { StanzaId } from '../../access/stanza.ts'
import { printable } from '../../bytes/text.ts'
import { type Elsewhere, WAYS, type Way } from '../../capture/capture.ts'
import type { ConfigSource } from '../../config/load.ts'
import type { ConfigSnapshot } from '../../config/reading/config-files.ts'
import type { CaptureConfig } from '../../config/server/server-config.ts'
import { type FailureCode, failureKinds } from '../../failure-codes.ts'
import { either, integer, list, literal, mapped, parsed, type Reader, record, text } from '../../json-reader.ts'
import { type IpAddress, parseAddress } from '../../packet/address.ts'
import type { ReplayDigest } from '../../packet/replay-digest.ts'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import { type Knock, MAX_INTERFACE_INDEX, parseKnock, way } from './knock.ts'
import type { Suppressed } from './refusal-log.ts'

/** One way in which the receiver gets packets. */
export interface CaptureOrder {
  readonly config: CaptureConfig
  /** Descriptors that it inherited; or `own`: UDP sockets that it opens itself. `own` then holds for all orders. */
  readonly sockets: readonly number[] | 'own'
}

export type ToReceiver =
  | {
      readonly type: 'configure'
      readonly generation: number
      readonly source: ConfigSource
      readonly files: ConfigSnapshot
      /** At least one. The orders of the first configuration count. */
      readonly captures: readonly CaptureOrder[]
      /** The descriptor of its sockets to the GnuPG process, if the configuration uses GnuPG. */
      readonly gnupg?: number
    }
  /** The receiver answers with `alive`. A receiver that does not answer is stopped or stuck. */
  | { readonly type: 'alive?' }
  /** The receiver answers with `tally`, after all that was sent before. */
  | { readonly type: 'tally?' }
  /** These packets are used up, no matter what became of them: do not report them again. */
  | { readonly type: 'claimed'; readonly digests: readonly ReplayDigest[] }
  /** These packets could not be recorded, and nothing was opened for them. If one arrives again, report it again. */
  | { readonly type: 'unclaimed'; readonly digests: readonly ReplayDigest[] }

/** A packet that no key opened, or that was not an SPA packet. */
export interface RefusalNote {
  readonly code: FailureCode
  readonly detail: string
  readonly source: IpAddress
  readonly sourcePort: number
  readonly destinationPort: number
  /** Absent for UDP by a packet socket. */
  readonly way?: Way
  /** The stanza whose keys came closest, if one came closer than the others. The warden knows its name. */
  readonly stanza?: StanzaId
  /** Each stanza for this source that did not take the packet, and why. Only where the policy wants them named. */
  readonly tried?: readonly TriedStanza[]
}

export interface TriedStanza {
  readonly stanza: StanzaId
  readonly code: FailureCode
}

/** How many stanzas a note names. */
export const MOST_TRIED = 8

/** Counts since the receiver started. */
export interface Tally {
  /** Packets examined. */
  readonly looked: number
  /** Lost before they could be examined, by the kernel's count. */
  readonly dropped: number
  /** Refused without asking the warden, by reason. */
  readonly refused: Suppressed
  /** Of those examined, how many came in each way but `udp`. Absent if none did. */
  readonly ways?: WayCounts
  /** Not examined, because they came in by an interface that PCAP_INTF does not name. Absent if none did. */
  readonly elsewhere?: Elsewhere
}

/** Packets by the way in which they came. */
export type WayCounts = { readonly [Name in Way]?: number }

export type FromReceiver =
  /**
   * It has no privilege left, and no other process can look into it. So it may get the configuration, which holds keys.
   */
  | { readonly type: 'started' }
  /** Packets are being received. `unconfined`: why its system calls could not be confined, if so. */
  | { readonly type: 'ready'; readonly unconfined?: string }
  | { readonly type: 'alive' }
  | { readonly type: 'configured'; readonly generation: number }
  | { readonly type: 'knock'; readonly knock: Knock }
  | { readonly type: 'refused'; readonly note: RefusalNote }
  | { readonly type: 'suppressed'; readonly counts: Suppressed }
  | { readonly type: 'tally'; readonly tally: Tally }
  /** It has looked at all packets that it should: at those of a file, or at PACKET_LIMIT. Or why not at all. */
  | { readonly type: 'finished'; readonly code?: FailureCode; readonly detail?: string }
  /** Why it ends. No message follows. */
  | { readonly type: 'failed'; readonly code: FailureCode; readonly detail: string }

/** Longer than any of ours: a longer text comes only from a hostile receiver. */
export const LONGEST_DETAIL = 500
const MAX_COUNT = Number.MAX_SAFE_INTEGER

const count = integer({ min: 0, max: MAX_COUNT })
const portNumber = integer({ min: 0, max: 65_535 })
const code = mapped(text({ max: 40 }), (name) =>
  Object.hasOwn(failureKinds, name) ? (name as FailureCode) : undefined,
)
/** An honest receiver quotes packets, and a packet may contain anything. */
const detail = mapped(text({ max: LONGEST_DETAIL }), printable)
const counts: Reader<Suppressed> = (value) => {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  const entries = Object.entries(value).map(([name, number]) => [code(name), count(number)] as const)
  return entries.every(([name, number]) => name !== undefined && number !== undefined)
    ? Object.fromEntries(entries)
    : undefined
}
const stanza = mapped(integer({ min: 1, max: MAX_COUNT }), (id) => id as StanzaId)
const note = record(
  { code, detail, source: parsed(parseAddress), sourcePort: portNumber, destinationPort: portNumber },
  { stanza, way, tried: list(record({ stanza, code }, {}), { min: 1, max: MOST_TRIED }) },
)
const wayCounts: Reader<WayCounts> = record({}, Object.fromEntries(WAYS.map((name) => [name, count])))
const elsewhere: Reader<Elsewhere> = record(
  { packets: count, interfaceIndex: integer({ min: 1, max: MAX_INTERFACE_INDEX }) },
  {},
)
const tally = record({ looked: count, dropped: count, refused: counts }, { ways: wayCounts, elsewhere })

const otherMessage: Reader<Exclude<FromReceiver, { type: 'knock' }>> = either(
  record({ type: literal('started') }, {}),
  record({ type: literal('ready') }, { unconfined: detail }),
  record({ type: literal('alive') }, {}),
  record({ type: literal('configured'), generation: count }, {}),
  record({ type: literal('refused'), note }, {}),
  record({ type: literal('suppressed'), counts }, {}),
  record({ type: literal('tally'), tally }, {}),
  record({ type: literal('finished') }, { code, detail }),
  record({ type: literal('failed'), code, detail }, {}),
)
const knockMessage = record({ type: literal('knock'), knock: (value: unknown) => value ?? undefined }, {})

/** @returns the message; WARDEN_PROTOCOL for anything that an honest receiver never sends. */
export function parseFromReceiver(value: unknown): Result<FromReceiver, Failure<'WARDEN_PROTOCOL'>> {
  const knocked = knockMessage(value)
  if (knocked !== undefined) {
    const knock = parseKnock(knocked.knock)
    return knock.ok ? ok({ type: 'knock', knock: knock.value }) : knock
  }
  const message = otherMessage(value)
  return message === undefined ? refuse('WARDEN_PROTOCOL', 'unknown message') : ok(message)
}
