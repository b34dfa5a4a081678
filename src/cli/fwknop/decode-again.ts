/** `--test`: opens the packets again, as a server would with the same keys. Not those of GnuPG. */
import { encodeText } from '../../bytes/text.ts'
import type { SealedKnock } from '../../client/knock.ts'
import { parseEnvelope } from '../../packet/envelope.ts'
import { openPacket } from '../../packet/open.ts'
import type { Outcome } from '../command.ts'
import type { Terminal } from '../terminal/terminal.ts'
import { dump, type Making } from './dump.ts'

export function decodeAgain(
  packets: readonly SealedKnock[],
  making: Making,
  verbose: boolean,
  terminal: Terminal,
): Outcome {
  const { encryption, hmac } = making.keys
  // Only the server has the key that opens it.
  if (encryption.kind === 'gnupg') return 0
  const keys = { encryption, ...(hmac && { hmac }) }
  for (const { text, message } of packets) {
    const envelope = parseEnvelope(encodeText(text), { http: 'off' })
    if (!envelope.ok) return envelope
    const opened = openPacket(envelope.value, keys, { commands: message.kind === 'command' })
    if (!opened.ok) return opened
    if (verbose) terminal.print(['', 'Dump of the Decoded Data', ...dump(opened.value.fields, text, making, true)])
  }
  return 0
}
