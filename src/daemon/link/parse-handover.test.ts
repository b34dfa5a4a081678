import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { lineOf } from './lossy-lines.ts'
import { parseHandover } from './parse-handover.ts'

const refused: readonly (readonly [what: string, text: string])[] = [
  ['no line', '{"type":"descriptors","count":1}'],
  ['no JSON', 'open sesame\n'],
  ['null', 'null\n'],
  ['another message', '{"type":"configure","count":1}\n'],
  ['no count', '{"type":"descriptors"}\n'],
  ['half a descriptor', '{"type":"descriptors","count":0.5}\n'],
  ['less than none', '{"type":"descriptors","count":-1}\n'],
  ['a zone that is no text', '{"type":"descriptors","count":1,"zone":7}\n'],
  ['a zone that an environment cannot hold', '{"type":"descriptors","count":1,"zone":"a\\u0000b"}\n'],
]
for (const [what, text] of refused)
  test(`${what} is not the warden’s first line`, () => {
    const read = parseHandover(text)
    assert.equal(read.ok ? 'ok' : read.failure.code, 'WARDEN_GONE')
  })

test('what the warden sends is read', () => {
  const handovers = [
    { type: 'descriptors', count: 0 },
    { type: 'descriptors', count: 17, zone: 'Europe/Berlin' },
  ] as const
  for (const handover of handovers) assert.deepEqual(parseHandover(lineOf(handover)), { ok: true, value: handover })
})

test('no text makes it throw', () => {
  fc.assert(fc.property(fc.string(), (text) => void parseHandover(text)))
  fc.assert(fc.property(fc.json(), (text) => void parseHandover(`${text}\n`)))
})
