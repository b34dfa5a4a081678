import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { bytesFromText, isUnicode, lastCharacterLength, showText, textFromBytes } from './text.ts'

const latin1 = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'latin1'))

test('bytes of any encoding go through text, and through JSON, unchanged', () => {
  const chunks = fc.oneof(
    fc.uint8Array({ maxLength: 6 }),
    fc.string({ unit: 'binary' }).map((text) => latin1(text)),
  )
  const unicode = fc.string({ unit: 'grapheme' }).map((text) => new Uint8Array(Buffer.from(text)))
  fc.assert(
    fc.property(fc.array(fc.oneof(chunks, unicode)), (parts) => {
      const bytes = new Uint8Array(Buffer.concat(parts))
      const text = textFromBytes(bytes)
      assert.deepEqual(bytesFromText(text), bytes)
      assert.equal(JSON.parse(JSON.stringify(text)), text)
      assert.equal(isUnicode(text), Buffer.from(Buffer.from(bytes).toString()).equals(bytes))
    }),
    { numRuns: 2000 },
  )
})

test('what is UTF-8 is that text', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }).filter(isUnicode), (text) => {
      assert.equal(textFromBytes(new Uint8Array(Buffer.from(text))), text)
    }),
  )
})

const bytes: [what: string, hex: string, shown: string][] = [
  ['Latin-1', '6772fcdf65', 'gr\\xfc\\xdfe'],
  ['UTF-8 cut short', 'c3', '\\xc3'],
  ['UTF-8 cut short before other text', 'e2824120', '\\xe2\\x82A '],
  ['a longer spelling of “/”', 'c0af', '\\xc0\\xaf'],
  ['a longer spelling in three bytes', 'e08080', '\\xe0\\x80\\x80'],
  ['half of a surrogate pair', 'edb3bc', '\\xed\\xb3\\xbc'],
  ['above U+10FFFF', 'f4908080', '\\xf4\\x90\\x80\\x80'],
  ['both encodings in one file', 'c3bcfc', 'ü\\xfc'],
]
for (const [what, hex, shown] of bytes)
  test(`${what} is kept, and shown as ${shown}`, () => {
    const given = new Uint8Array(Buffer.from(hex, 'hex'))
    assert.deepEqual(bytesFromText(textFromBytes(given)), given)
    assert.equal(showText(textFromBytes(given)), shown)
  })

test('half of a surrogate pair that stands for no byte has none', () => {
  for (const half of ['\ud800', '\udbff', '\udc00', '\udc7f', '\udd00'])
    assert.equal(bytesFromText(`a${half}b`), undefined)
})

test('the last character is all of its bytes in UTF-8, and one byte elsewhere', () => {
  for (const [hex, length] of [
    ['', 0],
    ['61', 1],
    ['61c3bc', 2],
    ['61e282ac', 3],
    ['61f09f9880', 4],
    ['61fc', 1],
    ['61c3', 1],
    ['bcbc', 1],
  ] as const)
    assert.equal(lastCharacterLength(Buffer.from(hex, 'hex')), length, hex)
})
