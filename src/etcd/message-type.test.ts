import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { decodeMessage, encodeMessage, enumeration, message } from './message-type.ts'
import { METHODS } from './messages.ts'

const inner = message({ key: [1, 'bytes'], revision: [2, 'int64'] })
const type = message({
  ...{ name: [1, 'string'], id: [2, 'uint64'], inner: [3, inner], many: [4, [inner]], is: [5, 'bool'] },
  ...{ kind: [16, enumeration('NONE', 'ONE', 'TWO')], words: [17, ['string']] },
})

describe('a message', () => {
  it('is written as protobuf says', () => {
    // Of the specification: field 1 as text “testing”, field 2 as 150, field 3 as a message.
    const bytes = encodeMessage(type, { name: 'testing', id: '150', inner: { key: 'AQ==' } })
    assert.equal(Buffer.from(bytes).toString('hex'), '0a0774657374696e67109601' + '1a030a0101')
  })

  it('is read as it was written', () => {
    const value = {
      ...{ name: 'näme', id: '18446744073709551615', inner: { key: '/w==', revision: '-9223372036854775808' } },
      ...{ many: [{}, { revision: '1' }], is: true, kind: 'TWO', words: ['', 'a'] },
    }
    assert.deepEqual(decodeMessage(type, encodeMessage(type, value)), value)
  })

  it('leaves out what is zero, passes over what it does not know, and takes the last of two', () => {
    const bytes = Buffer.from('0a00' + '1000' + '2800' + '800100' + '980601' + 'a206026869' + '1001' + '1002', 'hex')
    assert.deepEqual(decodeMessage(type, bytes), { id: '2' })
  })

  it('keeps the number of a kind that it does not know', () => {
    assert.deepEqual(decodeMessage(type, Buffer.from('800109', 'hex')), { kind: 9 })
  })

  for (const [what, hex] of [
    ['is cut off in a number', '1080'],
    ['is cut off in a text', '0a05616263'],
    ['has a number without an end', `10${'ff'.repeat(11)}`],
    ['has a field of another kind', '0801'],
    ['has a message that is longer than its own', '0a0161' + '1a7f'],
    ['has a field that is longer than its message', '1a030a0501' + '020304'],
    ['has a field 0', '0001'],
    ['ends a group that it did not begin', '0c'],
    ['has text that is no UTF-8', '0a01ff'],
  ] as const)
    it(`is refused if it ${what}`, () => assert.equal(decodeMessage(type, Buffer.from(hex, 'hex')), undefined))

  for (const [what, value] of [
    ['a field that there is not', { __proto__: null, other: 1 }],
    ['what is no base64', { inner: { key: '*' } }],
    ['what is no number', { id: 'x' }],
    ['what is too large', { id: '18446744073709551616' }],
    ['what is not one of its kinds', { kind: 'THREE' }],
  ] as const)
    it(`is not made of ${what}`, () => assert.throws(() => encodeMessage(type, value)))

  it('is a message or none, whatever the bytes', () => {
    const every = Object.values(METHODS).map(({ response }) => response)
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        for (const response of every) {
          const value = decodeMessage(response, bytes)
          if (value !== undefined) assert.equal(Object.getPrototypeOf(value), Object.prototype)
        }
      }),
      { numRuns: 2000 },
    )
  })
})
