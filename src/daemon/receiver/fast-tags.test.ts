import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { parseAddress } from '../../packet/address.ts'
import { authenticate } from '../../packet/authenticate.ts'
import { DIGEST_TYPES } from '../../packet/digest-type.ts'
import { type Envelope, parseEnvelope } from '../../packet/envelope.ts'
import { EncryptionKey, HmacKey } from '../../packet/key.ts'
import { sealPacket } from '../../packet/seal.ts'
import { parseUsername } from '../../packet/username.ts'
import { port, unixSeconds } from '../../units.ts'
import { checkTagsFast } from './fast-tags.ts'

test('with it, a packet is authentic under its key and its digest, and under no other', () => {
  assert.equal(checkTagsFast(), true)
  for (const length of [1, 64, 65, 128, 136]) {
    const [key, other] = [hmacKey(length), hmacKey(length)]
    for (const type of DIGEST_TYPES) {
      const envelope = packet({ key, type })
      for (const tried of DIGEST_TYPES) {
        assert.equal(authenticate(envelope, { key, type: tried }).ok, tried === type, `${type} as ${tried}`)
        assert.equal(authenticate(envelope, { key: other, type: tried }).ok, false)
      }
    }
  }
})

function hmacKey(length: number): HmacKey {
  return must(HmacKey.fromBytes(randomBytes(length)))
}

function packet(hmac: { readonly key: HmacKey; readonly type: (typeof DIGEST_TYPES)[number] }): Envelope {
  const message = {
    kind: 'access' as const,
    random: '1234567890123456',
    username: must(parseUsername('alice')),
    timestamp: unixSeconds(1_700_000_000),
    source: must(parseAddress('192.0.2.1')),
    ports: [{ protocol: 'tcp' as const, port: port(22) }],
  }
  const encryption = { key: must(EncryptionKey.fromBytes(randomBytes(32))), mode: 'CBC' } as const
  const text = must(sealPacket(message, { encryption, hmac }, { digestType: 'sha256', salt: randomBytes(8) }))
  return must(parseEnvelope(Buffer.from(text, 'latin1'), { http: 'off' }))
}

function must<T>(result: { ok: true; value: T } | { ok: false; failure: unknown }): T {
  assert.ok(result.ok, JSON.stringify(result))
  return result.value
}
