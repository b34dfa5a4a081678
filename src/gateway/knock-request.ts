/**
 * What visitors send: the text of a sealed packet, and the id of its target. The gateway has no keys. It can only see
 * that some texts are no packet: by their length, their characters, and how a packet begins.
 */
import { latin1Bytes } from '../bytes/text.ts'
import type { TargetId } from '../config/gateway/gateway-config.ts'
import { mapped, printableAscii, type Reader, record } from '../json-reader.ts'
import { parseEnvelope } from '../packet/envelope.ts'
import { MAX_WIRE_LENGTH } from '../packet/wire-limits.ts'
import type { Ticket } from './tickets.ts'

/** The body of a knock: the longest packet, an id, and the names of the fields. */
export const MAX_KNOCK_BODY = MAX_WIRE_LENGTH + 200
export const MAX_RECEIPT_BODY = 200

export interface KnockRequest {
  readonly target: TargetId
  /** What goes into the datagram: ASCII. */
  readonly packet: string
}

/** `{"target":"ID","packet":"TEXT"}`. */
export const readKnock: Reader<KnockRequest> = record(
  {
    target: mapped(printableAscii({ max: 32 }), (id) => (/^[a-z0-9-]{1,32}$/.test(id) ? (id as TargetId) : undefined)),
    packet: mapped(printableAscii({ max: MAX_WIRE_LENGTH }), (text) => (mayBePacket(text) ? text : undefined)),
  },
  {},
)

/** `{"ticket":"…"}`. */
export const readTicket: Reader<{ readonly ticket: Ticket }> = record(
  {
    ticket: mapped(printableAscii({ max: 22 }), (text) =>
      /^[A-Za-z0-9_-]{22}$/.test(text) ? (text as Ticket) : undefined,
    ),
  },
  {},
)

/** Whether any server could open it, for all that shows from outside. */
export function mayBePacket(text: string): boolean {
  const bytes = latin1Bytes(text)
  return bytes !== undefined && parseEnvelope(bytes, { http: 'off' }).ok
}
