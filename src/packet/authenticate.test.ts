import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { test } from 'node:test'
import { encodeText } from '../bytes/text.ts'
import { authenticate } from './authenticate.ts'
import { DIGEST_TYPES, type DigestType, encodedDigestLength } from './digest-type.ts'
import { parseEnvelope } from './envelope.ts'
import { HmacKey } from './key.ts'
import { parseKeyText } from './key-text.ts'

/** The encrypted part; its contents do not matter here. */
const BODY = `8${'x'.repeat(170)}`
const KEY = keyOf('the HMAC key')

for (const type of DIGEST_TYPES) {
  test(`${type}: passes what was made with the key`, () => {
    assert.ok(check(BODY + hmac(type), type).ok)
  })
  test(`${type}: the HMAC is over the prefix too`, () => {
    assert.equal(check(BODY + hmac(type, BODY), type).ok, false)
  })
  test(`${type}: not with another key, nor as any other type`, () => {
    const packet = BODY + hmac(type)
    assert.equal(check(packet, type, keyOf('the HMAC kez')).ok, false)
    for (const other of DIGEST_TYPES) if (other !== type) assert.equal(check(packet, other).ok, false)
  })
}

const tag = hmac('sha256')
const refused: [what: string, packet: string][] = [
  ['no HMAC at all', BODY],
  ['the last character changed in bits that count', BODY + tag.slice(0, -1) + (tag.endsWith('A') ? 'E' : 'A')],
  ['the last character changed in bits that do not', BODY + tag.slice(0, -1) + successor(tag.at(-1) ?? '')],
  ['hexadecimal', BODY + Buffer.from(tag, 'base64').toString('hex')],
  ['one character more', `${BODY}${tag}A`],
  ['one character less', BODY + tag.slice(0, -1)],
]
for (const [what, packet] of refused) test(`refuses ${what}`, () => assert.equal(check(packet, 'sha256').ok, false))

test('the same envelope may be tried under many keys, in any order', () => {
  const envelope = envelopeOf(BODY + tag)
  const wrong = { key: keyOf('wrong'), type: 'sha256' as const }
  const right = { key: KEY, type: 'sha256' as const }
  assert.deepEqual(
    [wrong, right, { ...right, type: 'md5' as const }, right, wrong].map((keys) => authenticate(envelope, keys).ok),
    [false, true, false, true, false],
  )
})

test('a packet that ends in the “=” that base64 prescribes does not end in an HMAC', () => {
  const packet = BODY + hmac('sha512')
  assert.ok(check(packet, 'sha512').ok)
  assert.equal(check(`${packet}=`, 'sha512').ok, false)
})

function check(packet: string, type: DigestType, key = KEY) {
  return authenticate(envelopeOf(packet), { key, type })
}

function envelopeOf(packet: string) {
  const envelope = parseEnvelope(encodeText(packet), { http: 'off' })
  assert.ok(envelope.ok, JSON.stringify(envelope))
  return envelope.value
}

function hmac(type: DigestType, text = `U2FsdGVkX1${BODY}`): string {
  const digest = createHmac(type.replace('_', '-'), 'the HMAC key').update(text).digest('base64').replaceAll('=', '')
  assert.equal(digest.length, encodedDigestLength(type))
  return digest
}

function keyOf(text: string): HmacKey {
  const key = parseKeyText(HmacKey, text)
  assert.ok(key.ok)
  return key.value
}

/** The next letter of the alphabet, which differs from this one in the lowest bit. */
function successor(letter: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
  return alphabet[alphabet.indexOf(letter) ^ 1] ?? ''
}
