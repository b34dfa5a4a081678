/** What `fwknopd -v` shows of a packet that a key opened: its text, and its fields, by their names in fwknop. */
import type { LogField } from '../../log.ts'
import type { Message } from '../../packet/message.ts'
import { encodeMessage } from '../../packet/message-fields.ts'
import { fieldRows, row } from '../fwknop/dump.ts'

/**
 * @param fields `text`, the packet as it came, and `message`: only there where the server shows packets.
 * @returns the lines; none where the event has no packet.
 */
export function packetLines({
  text,
  message,
  source,
  stanza,
}: {
  readonly [name: string]: LogField
}): readonly string[] {
  if (typeof text !== 'string' || typeof message !== 'object') return []
  // The warden had read the message field by field.
  const decoded = message as unknown as Message
  const fields = encodeMessage(decoded, decoded.version)
  return [
    `SPA Packet: '${text}'`,
    `[${source}] (stanza #${stanza}) SPA Decode (res=0):`,
    // It may be a password.
    ...fieldRows(fields, decoded.serverAuth === undefined ? '<NULL>' : '<hidden>'),
    row('Final SPA Data', text),
  ]
}
