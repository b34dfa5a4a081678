import assert from 'node:assert/strict'
import { describe, it, test } from 'node:test'
import {
  base64Length,
  decodeBase64,
  decodeBase64Lenient,
  decodeBase64Padded,
  encodeBase64,
  encodeBase64Padded,
  endsInBase64,
} from './base64.ts'
import { latin1Text } from './text.ts'

test('writes what every other base64 writes, less the padding', () => {
  for (let length = 0; length < 70; length++) {
    const bytes = Uint8Array.from({ length }, (_, i) => (i * 199 + length * 7) & 255)
    const expected = Buffer.from(bytes).toString('base64')
    assert.equal(encodeBase64Padded(bytes), expected)
    assert.equal(encodeBase64(bytes), expected.replaceAll('=', ''))
    assert.equal(base64Length(length), encodeBase64(bytes).length)
    assert.deepEqual(decodeBase64(encodeBase64(bytes)), bytes)
    assert.deepEqual(decodeBase64Padded(expected), bytes)
    assert.deepEqual(decodeBase64Lenient(expected), bytes)
  }
})

/** What each decoder makes of it, as text; – for a refusal. */
const table: [text: string, strict: string, padded: string, lenient: string][] = [
  ['', '', '', ''],
  ['Ym9i', 'bob', 'bob', 'bob'],
  ['Ym8', 'bo', 'bo', 'bo'],
  ['Ym8=', '–', 'bo', 'bo'],
  ['Ym8==', '–', '–', 'bo'],
  ['Yg', 'b', 'b', 'b'],
  ['Yg=', '–', '–', 'b'],
  ['Yg==', '–', 'b', 'b'],
  ['Ym9i=', '–', '–', 'bob'],
  ['Ym9i====', '–', '–', 'bob'],
  ['Ym9iA', '–', '–', 'bob'],
  ['Ym9', '–', '–', 'bo'],
  ['Yh', '–', '–', 'b'],
  ['Ym8=junk!', '–', '–', 'bo'],
  ['Y', '–', '–', ''],
  ['=', '–', '–', ''],
  ['Ym9i\n', '–', '–', '–'],
  ['Ym-_', '–', '–', '–'],
  ['Ym9\u0161', '–', '–', '–'],
  ['Ym 9', '–', '–', '–'],
]
for (const [text, strict, padded, lenient] of table) {
  test(`decoding ${JSON.stringify(text)}`, () => {
    const show = (bytes: Uint8Array | undefined) => (bytes === undefined ? '–' : latin1Text(bytes))
    assert.equal(show(decodeBase64(text)), strict)
    assert.equal(show(decodeBase64Padded(text)), padded)
    assert.equal(show(decodeBase64Lenient(text)), lenient)
  })
}

test('no two texts of the same bytes are both taken strictly', () => {
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/='
  const seen = new Map<string, string>()
  for (const a of letters)
    for (const b of ['', ...letters])
      for (const c of ['', 'A', '/', '=']) {
        const text = a + b + c
        const bytes = decodeBase64(text)
        if (bytes === undefined) continue
        assert.equal(seen.get(latin1Text(bytes)) ?? text, text)
        seen.set(latin1Text(bytes), text)
      }
  assert.ok(seen.size > 250)
})

describe('the comparison of text with bytes', () => {
  const bytes = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => (i * 37 + 250) & 0xff)
  const codes = (text: string): Uint8Array => Uint8Array.from(text, (letter) => letter.charCodeAt(0))

  it('finds the one spelling of bytes of every length at the end of a text', () => {
    for (let length = 0; length < 70; length++) {
      const text = `head${encodeBase64(bytes(length))}`
      assert.ok(endsInBase64(codes(text), 4, bytes(length)), `${length} bytes`)
    }
  })

  it('finds each character that differs, and a text that is longer or shorter', () => {
    for (const length of [31, 32, 33]) {
      const right = codes(encodeBase64(bytes(length)))
      for (let i = 0; i < right.length; i++)
        for (const other of [0x41, 0x2f, 0x3d, 0x00, 0xff]) {
          if (right[i] === other) continue
          const wrong = right.slice()
          wrong[i] = other
          assert.ok(!endsInBase64(wrong, 0, bytes(length)), `${other} at ${i}`)
        }
      assert.ok(!endsInBase64(right.subarray(1), 0, bytes(length)))
      assert.ok(!endsInBase64(codes(`${encodeBase64(bytes(length))}A`), 0, bytes(length)))
    }
  })
})
