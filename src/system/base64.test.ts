import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import * as own from '../bytes/base64.ts'
import { decodeBase64Padded, encodeBase64Padded } from './base64.ts'

describe('base64 by Node’s own code', () => {
  it('is that of bytes/base64.ts', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(10), (bytes, from) => {
        const some = bytes.subarray(from)
        const text = encodeBase64Padded(some)
        assert.equal(text, own.encodeBase64Padded(some))
        assert.deepEqual(new Uint8Array(decodeBase64Padded(text) ?? []), new Uint8Array(some))
      }),
    )
  })

  it('takes one spelling only', () => {
    for (const wrong of ['QQ', 'QQ=', 'QR==', 'QQ==\n', ' QQ==', 'QQ==QQ==', 'Q', '-_-_', 'QQ=\u0101', 'QUJ=', 'QUJD='])
      assert.equal(decodeBase64Padded(wrong), undefined, wrong)
    fc.assert(
      fc.property(fc.string({ maxLength: 40 }), (text) => {
        const bytes = decodeBase64Padded(text)
        assert.ok(bytes === undefined || encodeBase64Padded(bytes) === text)
      }),
    )
  })
})
