import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { primitives } from '#primitives'
import { encodeBase64 } from '../bytes/base64.ts'
import { concatBytes } from '../bytes/bytes.ts'
import { encodeText } from '../bytes/text.ts'
import { type Encryption, encrypt } from './cipher.ts'
import { parseEnvelope } from './envelope.ts'
import { EncryptionKey, HmacKey } from './key.ts'
import { parseKeyText } from './key-text.ts'
import { type OpenOptions, openPacket, type PacketKeys } from './open.ts'

const SALT = encodeText('saltsalt')
const ENCRYPTION: Encryption = { mode: 'CBC', key: encryptionKey('sixteen byte key') }
const HMAC = { key: hmacKey('another'), type: 'sha256' } as const
const USER = 'YWxpY2U'
const ACCESS = 'MTAuMS4yLjMsdGNwLzIy'
const SOUND = digested(`1234567890123456:${USER}:1795410748:3.0.0:1:${ACCESS}`)
/** Seven blocks, so that its padding would be an eighth. */
const FILLS_ITS_BLOCKS = digested(`1234567890123456:dXV1dXV1dXU:1795410748:2.0.3:1:${ACCESS}`)

test('a sound packet is opened', () => {
  const opened = open(wire(SOUND), { encryption: ENCRYPTION })
  assert.ok(opened.ok)
  assert.equal(opened.value.fields.message, '10.1.2.3,tcp/22')
})

const refused: [what: string, packet: string, keys: PacketKeys, code: string, rule?: string][] = [
  ['another key', wire(SOUND), { encryption: { ...ENCRYPTION, key: encryptionKey('other') } }, 'SPA_DECRYPT_FAILED'],
  ['another mode', wire(SOUND), { encryption: { ...ENCRYPTION, mode: 'CTR' } }, 'SPA_DECRYPT_FAILED'],
  ['no HMAC where there should be one', wire(SOUND), { encryption: ENCRYPTION, hmac: HMAC }, 'SPA_HMAC_MISMATCH'],
  ['part of a block', `${wire(SOUND)}AAAA`, { encryption: ENCRYPTION }, 'SPA_DECRYPT_FAILED'],
  ['a lone character at the end', lone(wire(SOUND)), { encryption: ENCRYPTION }, 'SPA_MALFORMED', 'outer-base64'],
  ['letters where digits should be', wire(`x${SOUND.slice(1)}`), { encryption: ENCRYPTION }, 'SPA_DECRYPT_FAILED'],
  ['no colon after the digits', wire(SOUND.replace(':', ';')), { encryption: ENCRYPTION }, 'SPA_DECRYPT_FAILED'],
  ['another digest', wire(SOUND.replace(USER, 'YWxpY2V')), { encryption: ENCRYPTION }, 'SPA_DIGEST_MISMATCH'],
  [
    'a wrong field',
    wire(digested(SOUND.replace(ACCESS, 'YQ').slice(0, -44))),
    { encryption: ENCRYPTION },
    'SPA_FIELD_INVALID',
  ],
  [
    'no padding, with an HMAC',
    authenticated(unpadded()),
    { encryption: ENCRYPTION, hmac: HMAC },
    'SPA_DECRYPT_FAILED',
    'block-padding',
  ],
  [
    'no padding, in a stream mode',
    unpadded('ctr'),
    { encryption: { ...ENCRYPTION, mode: 'CTR' } },
    'SPA_DECRYPT_FAILED',
    'block-padding',
  ],
]
for (const [what, packet, keys, code, rule] of refused) {
  test(`${what}: ${code}`, () => {
    const opened = open(packet, keys)
    assert.ok(!opened.ok)
    assert.equal(opened.failure.code, code)
    assert.equal(opened.failure.rule, rule)
  })
}

test('what is long enough for GnuPG is opened for a stanza that runs commands alone', () => {
  const keys = { encryption: ENCRYPTION, hmac: HMAC }
  const command = Buffer.from(`10.1.2.3,echo ${'c'.repeat(120)}`)
    .toString('base64')
    .replaceAll('=', '')
  const packet = authenticated(wire(digested(`1234567890123456:${USER}:1795410748:3.0.0:0:${command}`)))
  assert.ok(packet.length >= 400)
  const opened = open(packet, keys)
  assert.ok(!opened.ok)
  assert.equal(opened.failure.code, 'SPA_LENGTH')
  assert.ok(open(packet, keys, { commands: true }).ok)
})

test('and there, too, it must begin as a ciphertext does', () => {
  // Long enough to begin with any letter, and short enough without the HMAC.
  const packet = authenticated(`A${'A'.repeat(364)}`)
  const opened = open(packet, { encryption: ENCRYPTION, hmac: HMAC }, { commands: true })
  assert.ok(!opened.ok)
  assert.equal(opened.failure.code, 'SPA_MALFORMED')
  assert.equal(opened.failure.rule, 'salted-head')
})

test('a message of 2.0.x that fills its blocks comes without padding', () => {
  const opened = open(unpadded(), { encryption: ENCRYPTION })
  assert.ok(opened.ok)
  assert.equal(opened.value.fields.message, '10.1.2.3,tcp/22')
})

test('a packet stays the same packet when its block of padding alone is cut off', () => {
  const whole = encodeBase64(encrypt(encodeText(FILLS_ITS_BLOCKS), ENCRYPTION, SALT)).slice(10)
  assert.notEqual(whole, unpadded())
  const digests = [whole, unpadded()].map((packet) => {
    const opened = open(packet, { encryption: ENCRYPTION })
    assert.ok(opened.ok)
    return opened.value.digest
  })
  assert.equal(digests[0], digests[1])
})

function open(packet: string, keys: PacketKeys, options?: OpenOptions) {
  const envelope = parseEnvelope(encodeText(packet), { http: 'off' })
  assert.ok(envelope.ok, JSON.stringify(envelope))
  return openPacket(envelope.value, keys, options)
}

function wire(plaintext: string): string {
  return encodeBase64(encrypt(encodeText(plaintext), ENCRYPTION, SALT)).slice(10)
}

function authenticated(packet: string): string {
  const tag = primitives.prepareHmac('sha256', encodeText('another'))(encodeText(`U2FsdGVkX1${packet}`))
  return packet + encodeBase64(tag)
}

/** A number of characters that base64 never has. */
function lone(packet: string): string {
  return packet + 'A'.repeat((((1 - packet.length - 10) % 4) + 4) % 4)
}

/** The valid message of seven blocks, encrypted without padding. fwknopd accepts it. */
function unpadded(chaining: 'cbc' | 'ctr' = 'cbc'): string {
  const md5 = (...parts: Uint8Array[]) => new Uint8Array(createHash('md5').update(Buffer.concat(parts)).digest())
  const passphrase = encodeText('sixteen byte key')
  const first = md5(passphrase, SALT)
  const second = md5(first, passphrase, SALT)
  const iv = md5(second, passphrase, SALT)
  const blocks = primitives.encrypt(chaining, concatBytes(first, second), iv, encodeText(FILLS_ITS_BLOCKS))
  return encodeBase64(concatBytes(encodeText('Salted__'), SALT, blocks)).slice(10)
}

function digested(text: string): string {
  return `${text}:${createHash('sha256').update(text).digest('base64').replace('=', '')}`
}

function encryptionKey(text: string): EncryptionKey {
  const key = parseKeyText(EncryptionKey, text)
  assert.ok(key.ok)
  return key.value
}

function hmacKey(text: string): HmacKey {
  const key = parseKeyText(HmacKey, text)
  assert.ok(key.ok)
  return key.value
}
