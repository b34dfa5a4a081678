import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { encodeText } from '../bytes/text.ts'
import { parseEnvelope } from './envelope.ts'
import { encodeHttpRequest } from './http.ts'
import { fwknopDigest, replayDigest } from './replay-digest.ts'

/** A packet, and the first column of the line that fwknopd 2.6.10 wrote for it into its digest.cache. */
const WIRE =
  '8hK20dcnA1xgylwVnYpwLDe0xxgfUznsqa4ftlxsgC60EYSoj3PdgTNlPamws8YFOUFYrpfD2LuJMVpiJj+Cn+u9Yie4iBd0jRxDbggRTzM8qFOj2PPiTg18' +
  'xzxLRK5KblaJ8tLUSvc8X3JImdbRwa58ZeWqZ4f2AHxQQXghV6VYPS0KFru4VsMQuuGSD+H/gyjrNaaMAT+8'
const CACHED = '9XNKocGrVnd/IEZb8aHkVKRmATGfeUgNAAGvdfqZW/s'

test('the fwknop digest is what fwknopd writes into its cache', () => {
  assert.equal(fwknopDigest(envelope(WIRE)), CACHED)
})

test('also of a packet that came in an HTTP request', () => {
  const request = encodeHttpRequest(WIRE, { server: 'spa.example' })
  assert.ok(request.ok)
  assert.equal(fwknopDigest(envelope(request.value)), CACHED)
})

test('of a packet with its “=”, it is that of the packet without', () => {
  const bare = `8${'A'.repeat(160)}`
  assert.equal(fwknopDigest(envelope(`${bare}=`)), fwknopDigest(envelope(bare)))
})

test('the replay digest is the SHA-256 of the ciphertext', () => {
  const ciphertext = encodeText('Salted__12345678 whatever')
  assert.equal(replayDigest(ciphertext), createHash('sha256').update(ciphertext).digest('base64').replace('=', ''))
})

function envelope(payload: string) {
  const parsed = parseEnvelope(encodeText(payload), { http: { anyUserAgent: false } })
  assert.ok(parsed.ok)
  return parsed.value
}
