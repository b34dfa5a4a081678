/**
 * Packets of the real clients, sealed again from the opened message with the same keys and salt: the text must be the
 * same, to the last character.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { latin1Text } from '../../src/bytes/text.ts'
import { parseEnvelope } from '../../src/packet/envelope.ts'
import { openPacket } from '../../src/packet/open.ts'
import { sealPacket } from '../../src/packet/seal.ts'
import { fwknopVectors } from './fwknop-vectors.ts'
import { packetVectors } from './packet-vectors.ts'

/** `tcp/00022`: the only spelling of a real client that a parsed message does not keep. */
const ZEROS_BEFORE_PORT = /\/0/

const vectors = packetVectors(fwknopVectors).filter(
  ({ category, expect, fields, http }) =>
    expect === 'accept' &&
    http === 'off' &&
    ['client', 'legacy', 'size'].includes(category) &&
    !ZEROS_BEFORE_PORT.test(String(fields?.message)),
)
let sealed = 0
for (const vector of vectors) {
  test(`${vector.name} is sealed again as it was`, () => {
    const envelope = parseEnvelope(vector.payload, vector)
    assert.ok(envelope.ok)
    for (const keys of vector.stanzas) {
      const opened = openPacket(envelope.value, keys, vector)
      if (!opened.ok) continue
      const { version: protocol, ...message } = opened.value.message
      const { digestType } = opened.value.fields
      const again = sealPacket(message, keys, { digestType, salt: saltOf(vector.payload), protocol })
      assert.ok(again.ok, JSON.stringify(again))
      assert.equal(again.value, latin1Text(vector.payload).replace(/=+$/, ''))
      sealed++
    }
  })
}
test('that was most of them', () => assert.ok(sealed > 100, `${sealed}`))

/** Bytes 8 to 15 of the ciphertext. */
function saltOf(payload: Uint8Array): Uint8Array {
  return new Uint8Array(Buffer.from(`U2FsdGVkX1${latin1Text(payload)}`, 'base64').subarray(8, 16))
}
