import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inspect } from 'node:util'
import { textFromBytes } from '../bytes/text.ts'
import { EncryptionKey, exposeKey, HmacKey, sameKey } from './key.ts'
import { parseKeyBase64, parseKeyText } from './key-text.ts'

test('the bytes of a text are its key', () => {
  const key = parseKeyText(EncryptionKey, 'pässword')
  assert.ok(key.ok)
  assert.deepEqual(exposeKey(key.value), new Uint8Array(Buffer.from('pässword', 'utf8')))
})

test('bytes that are no UTF-8 are the key as they are', () => {
  const [one, other] = ['gr\xfc\xdfe', 'gr\xe4\xf6e'].map((text) => {
    const bytes = new Uint8Array(Buffer.from(text, 'latin1'))
    const key = parseKeyText(HmacKey, textFromBytes(bytes))
    assert.ok(key.ok)
    assert.deepEqual(exposeKey(key.value), bytes)
    return key.value
  })
  assert.ok(one !== undefined && other !== undefined && !sameKey(one, other))
})

test('length is counted in bytes', () => {
  assert.ok(parseKeyText(EncryptionKey, 'ü'.repeat(16)).ok)
  assert.ok(!parseKeyText(EncryptionKey, 'ü'.repeat(17)).ok)
  assert.ok(parseKeyText(EncryptionKey, textFromBytes(new Uint8Array(32).fill(0xfc))).ok)
  assert.ok(!parseKeyText(EncryptionKey, textFromBytes(new Uint8Array(33).fill(0xfc))).ok)
})

const readable: [base64: string, text: string][] = [
  ['c2VjcmV0', 'secret'],
  ['c2VjcmV0cw==', 'secrets'],
  ['c2VjcmV0cw', 'secrets'],
  ['c2VjcmV0cx', 'secrets'],
  ['c2VjcmV0=anything', 'secret'],
  ['c2VjcmV0A', 'secret'],
]
for (const [base64, text] of readable) {
  test(`${base64} is read as fwknop reads it`, () => {
    const key = parseKeyBase64(HmacKey, base64)
    assert.ok(key.ok)
    assert.equal(Buffer.from(exposeKey(key.value)).toString(), text)
  })
}

const unusable: [what: string, key: { ok: boolean }][] = [
  ['half of a surrogate pair', parseKeyText(EncryptionKey, 'a\ud800b')],
  ['an empty text', parseKeyText(EncryptionKey, '')],
  ['base64 of nothing', parseKeyBase64(EncryptionKey, '==')],
  ['what is not base64', parseKeyBase64(EncryptionKey, 'c2Vj*mV0')],
  ['33 bytes to encrypt with', parseKeyText(EncryptionKey, 'k'.repeat(33))],
  ['33 bytes in base64', parseKeyBase64(EncryptionKey, Buffer.alloc(33, 1).toString('base64'))],
  ['137 bytes for an HMAC', parseKeyText(HmacKey, 'k'.repeat(137))],
  ['the placeholder', parseKeyText(EncryptionKey, '__CHANGEME__')],
  ['the placeholder as base64', parseKeyBase64(HmacKey, '__CHANGEME__')],
]
for (const [what, key] of unusable) test(`${what} is no key`, () => assert.equal(key.ok, false))

test('136 bytes for an HMAC and 32 to encrypt with are the most', () => {
  assert.ok(parseKeyText(HmacKey, 'k'.repeat(136)).ok)
  assert.ok(parseKeyText(EncryptionKey, 'k'.repeat(32)).ok)
})

test('neither a key nor its refusal shows what it is made of', () => {
  const key = parseKeyText(EncryptionKey, 'hunter2hunter2')
  const refusal = parseKeyBase64(EncryptionKey, 'hunter2hunter2*')
  for (const shown of [inspect(key, { depth: 9, showHidden: true }), JSON.stringify([key, refusal]), inspect(refusal)])
    assert.doesNotMatch(shown, /hunter2/)
  assert.ok(key.ok)
  assert.equal(`${key.value}`, '[secret]')
})
