import assert from 'node:assert/strict'
import { createHmac, hkdfSync } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { NodeSecret } from './key.ts'
import { deriveNodeKeys, formatNodeSecret, nodeKeyTexts, parseNodeSecret } from './node-keys.ts'
import { type KeyName, parseKeyName, parseNodeName } from './node-name.ts'

const SECRET = Uint8Array.from({ length: 32 }, (_, i) => i)

/** By `openssl kdf`, as docs/WIRE.md § 17 shows it. The first key has a byte 0. */
const VECTORS = [
  [
    'web-1',
    '35ypwrVqAcz6cZR97uY4th/ruv3xSXh8wxFCWf7nPH0=',
    'Q59xSEsvLVyXDRxrQY+EzK3hWYSBooGIKL88EJ1A9q9Onr6+YsslLdHQZDLwpE7NbBP6vtsuwxLjV0W4MdQAEA==',
  ],
  [
    'web-2',
    'wKwe2aREys+f6bZlKRcMWQeeNTAHayWSgEs7JFku5JI=',
    'rwn5zJ6GGrGhw0CKx2u09NGrIWiQ0IdH1GfHw6jipOOCY2EpRaYyyOoDHyvbRjEbAa+EUaXWhzsZuo0Htj4/yg==',
  ],
  [
    'db.berlin',
    'xkiLOPawYojwXh6uUvyneqqm06DfLNrWw2cuKgEhx9o=',
    'pj1/ySEMcr0vU+9fXa8cft9VCNYFhAFFIjfRgeU9CBLMSZli7xF2iFY4dWNl8tZOJHqKr6eeOIWyCbv3IOA/Zw==',
  ],
] as const

for (const [name, key, hmacKey] of VECTORS) {
  test(`the keys for ${name} are those of the page, of Node.js, and of RFC 5869 step by step`, () => {
    assert.deepEqual(derived(SECRET, name), { key, hmacKey })
    const okm = Buffer.from(hkdfSync('sha256', SECRET, 'ghostport node 1', name, 96))
    assert.deepEqual([okm.subarray(0, 32).toString('base64'), okm.subarray(32).toString('base64')], [key, hmacKey])
    assert.deepEqual(byHand(SECRET, name), okm)
  })
}

test('docs/WIRE.md shows the first two', () => {
  const page = readFileSync(new URL('../../docs/WIRE.md', import.meta.url), 'utf8')
  for (const [name, key, hmacKey] of VECTORS.slice(0, 2))
    assert.ok(page.includes(`${name}\nKEY_BASE64       ${key}\nHMAC_KEY_BASE64  ${hmacKey}\n`), name)
})

test('keys and secrets show nothing of themselves', () => {
  const secret = secretOf(SECRET)
  assert.equal(`${secret} ${JSON.stringify({ secret })}`, '[secret] {"secret":"[secret]"}')
})

test('a secret is written and read as one text', () => {
  const text = 'AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8='
  assert.equal(formatNodeSecret(secretOf(SECRET)), text)
  const read = parseNodeSecret(text)
  assert.equal(read.ok && formatNodeSecret(read.value), text)
})

const TEXT = 'AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8='
const wrongSecrets: readonly (readonly [string, string])[] = [
  ['nothing', ''],
  ['a character short', TEXT.slice(1)],
  ['cut', TEXT.slice(0, 40)],
  ['a character more', `A${TEXT}`],
  ['two of them', `${TEXT}${TEXT}`],
  ['without its =', TEXT.slice(0, -1)],
  ['unused bits', TEXT.replace('8=', '9=')],
  ['another character', TEXT.replace('A', '*')],
  ['the other alphabet', `-${TEXT.slice(1)}`],
  ['an HMAC key', VECTORS[0][2]],
]
for (const [name, text] of wrongSecrets)
  test(`it is no secret, and is not quoted: ${name}`, () => {
    const read = parseNodeSecret(text)
    assert.ok(!read.ok && read.failure.code === 'KEY_INVALID')
    assert.ok(text === '' || !JSON.stringify(read.failure).includes(text))
  })

for (const name of ['web-1', 'a', 'db.berlin', '1a', 'a--b', 'a.-b', `${'a'.repeat(31)}-${'b'.repeat(31)}`])
  test(`a name of a node: ${name}`, () => {
    assert.deepEqual(parseNodeName(name), { ok: true, value: name })
    assert.deepEqual(parseKeyName(name), { ok: true, value: name })
  })

const wrongNames: readonly (readonly [text: string, says: RegExp, suggestion?: string])[] = [
  ['', /letters a to z/],
  ['Web-1', /letters a to z/, 'web-1'],
  ['web_1', /letters a to z/],
  ['-web', /letters a to z/],
  ['web-', /letters a to z/],
  ['.web', /letters a to z/],
  ['web 1', /letters a to z/],
  [' web', /letters a to z/],
  ['web\n', /letters a to z/],
  ['web,db', /letters a to z/],
  ['web*', /letters a to z/],
  ['../web', /letters a to z/],
  ['wéb', /letters a to z/],
  // A Kelvin sign, whose small letter is “k”; a dotless i; a Cyrillic “а”.
  ['\u212Anode', /letters a to z/],
  ['w\u0131n', /letters a to z/],
  ['d\u0430ta', /letters a to z/],
  ['ＷＥＢ', /letters a to z/],
  ['1', /one letter/],
  ['1.2', /one letter/],
  ['default', /all servers/],
  ['a'.repeat(32), /like a key/],
  [`${'a'.repeat(31)}-${'b'.repeat(31)}c`, /like a key|at most/],
  [`${'ab-'.repeat(21)}a`, /at most 63 characters, not 64/],
]
for (const [text, says, suggestion] of wrongNames)
  test(`no name of a node: ${JSON.stringify(text)}`, () => {
    const read = parseNodeName(text)
    assert.ok(!read.ok)
    assert.match(read.failure.detail, says)
    assert.equal(read.failure.suggestion, suggestion)
    assert.equal(read.failure.code, 'VALUE_INVALID')
  })

function derived(secret: Uint8Array, name: string) {
  return nodeKeyTexts(deriveNodeKeys(secretOf(secret), name as KeyName))
}

function secretOf(bytes: Uint8Array): NodeSecret {
  const secret = NodeSecret.fromBytes(bytes)
  assert.ok(secret.ok)
  return secret.value
}

/** RFC 5869 § 2.2 and § 2.3. */
function byHand(secret: Uint8Array, name: string): Buffer {
  const mac = (key: Uint8Array | string, ...parts: readonly (Uint8Array | string)[]): Buffer => {
    const hmac = createHmac('sha256', key)
    for (const part of parts) hmac.update(part)
    return hmac.digest()
  }
  const extracted = mac('ghostport node 1', secret)
  const one = mac(extracted, name, '\x01')
  const two = mac(extracted, one, name, '\x02')
  return Buffer.concat([one, two, mac(extracted, two, name, '\x03')])
}
