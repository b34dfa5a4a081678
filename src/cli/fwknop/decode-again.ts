/** `--test`: opens the packets again, as a server would with the same keys. */
import { encodeText } from '../../bytes/text.ts'
import type { SealedKnock } from '../../client/knock.ts'
import type { OpenedByGnupg } from '../../client/open-by-gnupg.ts'
import { type Envelope, parseEnvelope } from '../../packet/envelope.ts'
import { type OpenedPacket, openPacket } from '../../packet/open.ts'
import type { Failure, Result } from '../../result.ts'
import type { Outcome } from '../command.ts'
import type { Terminal } from '../terminal/terminal.ts'
import { dump, type Making } from './dump.ts'

export async function decodeAgain(
  packets: readonly SealedKnock[],
  making: Making,
  verbose: boolean,
  terminal: Terminal,
): Promise<Outcome> {
  const { encryption } = making.keys
  for (const packet of packets) {
    const envelope = parseEnvelope(encodeText(packet.text), { http: 'off' })
    if (!envelope.ok) return envelope
    const opened = await open(packet, envelope.value, making)
    if (!opened.ok) {
      if (encryption.kind !== 'gnupg' || opened.failure.code !== 'SPA_DECRYPT_FAILED') return opened
      // As a rule, only the server has that key.
      terminal.note([
        'GPG ERR: No access to recipient private key?',
        `The packet is not decrypted again: ${encryption.home} has no usable secret key of ${encryption.recipient}.`,
      ])
    } else if (verbose)
      terminal.print(['', 'Dump of the Decoded Data', ...dump(opened.value.fields, packet.text, making, opened.value)])
  }
  return 0
}

async function open(
  { message }: SealedKnock,
  envelope: Envelope,
  { keys: { encryption, hmac } }: Making,
): Promise<Result<OpenedPacket & Partial<OpenedByGnupg>, Failure>> {
  if (encryption.kind === 'symmetric')
    return openPacket(envelope, { encryption, ...(hmac && { hmac }) }, { commands: message.kind === 'command' })
  const { openByGnupg } = await import('../../client/open-by-gnupg.ts')
  return openByGnupg(envelope, encryption, hmac)
}
