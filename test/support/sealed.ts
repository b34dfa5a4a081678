/** Packets made with the test keys (`daemon.ts`), for those who send them themselves. */
import { encodeText } from '../../src/bytes/text.ts'
import { parseAddress } from '../../src/packet/address.ts'
import { EncryptionKey, HmacKey } from '../../src/packet/key.ts'
import type { OutgoingMessage } from '../../src/packet/message-fields.ts'
import { sealPacket } from '../../src/packet/seal.ts'
import { parseUsername } from '../../src/packet/username.ts'
import { port, unixSeconds } from '../../src/units.ts'
import { keys } from './daemon.ts'
import { must } from './results.ts'

let sealed = 0

/** {@link keys}, as packets are sealed with them. */
export const packetKeys = {
  encryption: { key: must(EncryptionKey.fromBytes(encodeText(keys.key))), mode: 'CBC' },
  hmac: { key: must(HmacKey.fromBytes(encodeText(keys.hmac))), type: 'sha256' },
} as const

/**
 * The text of a packet that asks for tcp/22 for its source. Each is another one.
 * @param age in seconds.
 * @param asked another address, or another port.
 */
export function sealedPacket(
  age = 0,
  asked: { readonly source?: string; readonly tcp?: number } = {},
  using: Parameters<typeof sealPacket>[1] = packetKeys,
): string {
  const message = {
    ...{ kind: 'access', random: String(++sealed).padStart(16, '0'), username: must(parseUsername('ada')) },
    ...{
      timestamp: unixSeconds(Math.floor(Date.now() / 1000) - age),
      source: asked.source === undefined ? 'packet-source' : must(parseAddress(asked.source)),
    },
    ports: [{ protocol: 'tcp', port: port(asked.tcp ?? 22) }],
  } as const satisfies OutgoingMessage
  const salt = crypto.getRandomValues(new Uint8Array(8))
  return must(sealPacket(message, using, { digestType: 'sha256', salt }))
}

/** The request that carries a packet. */
export function requestWith(packet: string, headers = 'User-Agent: Fwknop/2.6.10\r\n'): string {
  return `GET /${packet.replaceAll('+', '-').replaceAll('/', '_')} HTTP/1.1\r\nHost: www.example.net\r\n${headers}\r\n`
}
