/** The packet library's results for the vectors, as values that can be compared: run in Node, and in a browser. */
import { decodeBase64 } from '../../src/bytes/base64.ts'
import { latin1Text } from '../../src/bytes/text.ts'
import { openPacket, parseEnvelope, sealPacket } from '../../src/packet.ts'
import { packetVectors, type RawVector } from '../vectors/packet-vectors.ts'

export interface Outcome {
  readonly name: string
  /** One for each stanza of the vector's server. */
  readonly opened: readonly unknown[]
  /** The text of the opened packet when it is sealed again. */
  readonly sealed: readonly unknown[]
}

export function tryVectors(raw: readonly RawVector[]): Outcome[] {
  return packetVectors(raw).map((vector) => {
    const { name, payload, stanzas } = vector
    const envelope = parseEnvelope(payload, vector)
    if (!envelope.ok) return { name, opened: [envelope.failure], sealed: [] }
    const opened = stanzas.map((keys) => openPacket(envelope.value, keys, vector))
    const sealed = opened.map((result, i) => {
      const keys = stanzas[i]
      if (!result.ok || keys === undefined) return null
      const { version: protocol, ...message } = result.value.message
      const { digestType } = result.value.fields
      return sealPacket(message, keys, { digestType, protocol, salt: saltOf(latin1Text(envelope.value.ascii)) })
    })
    return { name, opened, sealed }
  })
}

/** The second eight bytes of the ciphertext: within the first 22 characters of its base64. */
function saltOf(encoded: string): Uint8Array {
  const salt = decodeBase64(encoded.slice(0, 24))?.subarray(8, 16)
  if (salt?.length !== 8) throw new Error('a packet without a salt')
  return salt
}
