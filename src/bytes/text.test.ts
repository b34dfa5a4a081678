import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { bytesFromText, isUnicode, jsonLine, lastCharacterLength, printable, showText, textFromBytes } from './text.ts'

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

const shownAs: [what: string, text: string, shown: string][] = [
  ['a name in German', 'Zoë Müller', 'Zoë Müller'],
  ['a name in Japanese, and its blank', '山田　太郎', '山田　太郎'],
  ['a name in Arabic', 'محمد', 'محمد'],
  ['a name with an accent of its own', 'e\u0301', 'e\u0301'],
  ['a face', '😀', '😀'],
  ['CSI', '\u001b[2J\u001b[31m', '\\x1b[2J\\x1b[31m'],
  ['OSC, and its end', '\u001b]0;title\u0007', '\\x1b]0;title\\x07'],
  ['C1: CSI and OSC in one character', '\u009b2J\u009d0;t\u009c', '\\x9b2J\\x9d0;t\\x9c'],
  ['DEL and NUL', '\u007f\0', '\\x7f\\x00'],
  ['line ends and tabs', 'a\nb\rc\td\u0085e\u2028f\u2029', 'a\\nb\\rc\\td\\x85e\\u{2028}f\\u{2029}'],
  ['text turned round', '\u202egpj.exe\u2066', '\\u{202e}gpj.exe\\u{2066}'],
  [
    'what shows as nothing',
    'a\u200bb\u00adc\u3164d\ufe0fe\u{e0041}',
    'a\\u{200b}b\\xadc\\u{3164}d\\u{fe0f}e\\u{e0041}',
  ],
  ['shapes of nobody', '\ue000\uffff\u{10ffff}', '\\u{e000}\\u{ffff}\\u{10ffff}'],
  ['bytes that are no text', '\udcfc\ud800', '\\xfc\ufffd'],
]
for (const [what, text, shown] of shownAs)
  test(`for people: ${what}`, () => {
    assert.equal(printable(text), shown)
    assert.equal(printable(shown), shown)
  })

const HARMFUL = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u
test('no text is harmful when it is printable, and JSON in one line gives each text back', () => {
  const texts = fc.string({
    unit: fc.oneof(fc.nat(0x10_ffff), fc.nat(0x2ff)).map((code) => String.fromCodePoint(code)),
  })
  fc.assert(
    fc.property(texts, (text) => {
      assert.doesNotMatch(printable(text), HARMFUL)
      const line = jsonLine({ [`key ${text}`]: [text] })
      assert.doesNotMatch(line, HARMFUL)
      if (isUnicode(text)) assert.deepEqual(JSON.parse(line), { [`key ${text}`]: [text] })
    }),
    { numRuns: 500 },
  )
})

test('JSON in one line escapes as JSON does', () => {
  assert.equal(jsonLine('é\u009b\u202e\u007f\n\u{e0041}'), '"é\\u009b\\u202e\\u007f\\n\\udb40\\udc41"')
  assert.equal(jsonLine({ key: '\udcfc' }), '{"key":"\\\\xfc"}')
})
