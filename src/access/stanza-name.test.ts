import assert from 'node:assert/strict'
import { test } from 'node:test'
import { describeStanza, parseStanzaName } from './stanza-name.ts'

for (const name of [
  'alice',
  'a',
  '1a',
  'alice-phone',
  'grace.hopper@example.org',
  'Ada_2',
  'a'.repeat(31),
  'a-'.repeat(31),
])
  test(`“${name}” is a name`, () => assert.deepEqual(parseStanzaName(name), { ok: true, value: name }))

for (const [what, text, says] of [
  ['empty', '', /is made of/],
  ['with a blank', 'alice phone', /without blanks/],
  ['with a letter of another alphabet', 'zoë', /is made of/],
  ['that moves a terminal’s cursor', 'a\x1b[2J', /is made of/],
  ['with what ends a piece of a record', 'a|b', /is made of/],
  ['with a quote', 'a"b', /is made of/],
  ['with a line break', 'a\n', /is made of/],
  ['too long', 'a-'.repeat(32), /at most 63/],
  ['like an option', '-a', /begins with/],
  ['hidden as files are', '.a', /begins with/],
  ['like a number', '3', /at least one letter/],
  ['like a date', '2030-01-02', /at least one letter/],
  ['like a key in hex', 'deadbeef'.repeat(4), /look like a key/],
  ['like a key in base64', Buffer.alloc(30, 7).toString('base64'), /look like a key/],
] as const)
  test(`one ${what} is refused, and not told`, () => {
    const parsed = parseStanzaName(text)
    assert(!parsed.ok)
    assert.equal(parsed.failure.code, 'CONFIG_INVALID_VALUE')
    assert.match(parsed.failure.detail, says)
    assert(text.length < 3 || !parsed.failure.detail.includes(text))
  })

test('a stanza without a name is called by its number', () => {
  assert.deepEqual([describeStanza(3, 'alice'), describeStanza(3)], ['stanza alice', 'stanza 3'])
})
