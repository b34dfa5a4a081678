import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { concatBytes } from '../bytes/bytes.ts'
import { recipientsOf } from './openpgp.ts'

const bytes = (...values: number[]) => Uint8Array.from(values)
const KEY_ID = [0x7b, 0xf9, 0x2a, 0x24, 0xd6, 0xb2, 0x83, 0x9f]
const sessionKey = (id = KEY_ID, version = 3) =>
  concatBytes(bytes(0x85, 1, 0x0c, version, ...id, 1), new Uint8Array(258))
const data = (length = 167) => concatBytes(bytes(0xd2, length, 1), new Uint8Array(length - 1))
const pieces = concatBytes(bytes(0xd2, 0xe6), new Uint8Array(64), bytes(0xe5), new Uint8Array(32), bytes(3, 1, 2, 3))

const found: [what: string, message: Uint8Array, recipients: string[]][] = [
  ['a message as gpg writes it', concatBytes(sessionKey(), data()), ['7BF92A24D6B2839F']],
  ['a message in pieces', concatBytes(sessionKey(), pieces), ['7BF92A24D6B2839F']],
  [
    'a message for two',
    concatBytes(sessionKey(), sessionKey([0, 0, 0, 0, 0, 0, 0, 0]), data()),
    ['7BF92A24D6B2839F', '0000000000000000'],
  ],
]
for (const [what, message, recipients] of found) test(what, () => assert.deepEqual(recipientsOf(message), recipients))

const refused: [what: string, message: Uint8Array][] = [
  ['nothing', bytes()],
  ['text', new TextEncoder().encode('an ordinary text that is longer than a head')],
  ['a session key alone', sessionKey()],
  ['data alone', data()],
  ['something behind', concatBytes(sessionKey(), data(), bytes(0))],
  ['two messages', concatBytes(sessionKey(), data(), sessionKey(), data())],
  ['a cut message', concatBytes(sessionKey(), data()).slice(0, -1)],
  ['another version', concatBytes(sessionKey(KEY_ID, 6), data())],
  ['a signature before', concatBytes(bytes(0x89, 0, 3, 1, 2, 3), sessionKey(), data())],
  ['data without protection', concatBytes(sessionKey(), bytes(0xc9, 40), new Uint8Array(40))],
  ['data that is too short', concatBytes(sessionKey(), data(20))],
  ['nine recipients', concatBytes(...Array.from({ length: 9 }, () => sessionKey()), data())],
]
for (const [what, message] of refused) test(`refused: ${what}`, () => assert.equal(recipientsOf(message), undefined))

test('no bytes make it throw or go on for ever', () => {
  const part = fc.oneof(fc.constantFrom(sessionKey(), data(), pieces), fc.uint8Array({ maxLength: 20 }))
  fc.assert(
    fc.property(fc.array(part, { maxLength: 12 }), (parts) => {
      const recipients = recipientsOf(concatBytes(...parts))
      assert(recipients === undefined || recipients.length <= 8)
    }),
  )
})
