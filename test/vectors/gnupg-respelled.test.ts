/** A GnuPG packet that was used stays used, also if its OpenPGP message is spelled otherwise the second time. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fwknopVectors } from './fwknop-vectors.ts'
import { judge } from './judge.ts'
import { parseVectors, type Vector } from './vector.ts'

const parsed = parseVectors(JSON.stringify(fwknopVectors.filter(({ name }) => name === 'gpg-rsa2048')))
assert(parsed.ok)
const [vector] = parsed.value
assert(vector !== undefined)
const message = Buffer.from(`hQ${vector.packet}`, 'base64')
const SESSION_KEY_LENGTH = 3 + 268
const sessionKey = message.subarray(0, SESSION_KEY_LENGTH)
/** Behind its head: a tag, and a length of two bytes. */
const data = message.subarray(SESSION_KEY_LENGTH + 3)
const TAG = 0xd2

function withKeyId(id: string): Buffer {
  return Buffer.concat([sessionKey.subarray(0, 4), Buffer.from(id, 'hex'), sessionKey.subarray(12)])
}
/** A length above 191 and below 8384. */
function length(of: Buffer): Buffer {
  const rest = of.length - 192
  return Buffer.from([192 + (rest >> 8), rest & 0xff])
}
const head = message.subarray(SESSION_KEY_LENGTH, SESSION_KEY_LENGTH + 3)
const long = Buffer.alloc(5, 0xff)
long.writeUInt32BE(data.length, 1)
const first = data.subarray(0, 256)
const spellings: [what: string, message: Buffer][] = [
  ['for a hidden recipient', Buffer.concat([withKeyId('0000000000000000'), head, data])],
  ['with a longer length', Buffer.concat([sessionKey, Buffer.from([TAG]), long, data])],
  [
    'in two pieces',
    Buffer.concat([sessionKey, Buffer.from([TAG, 0xe8]), first, length(data.subarray(256)), data.subarray(256)]),
  ],
  ['with its session key twice', Buffer.concat([sessionKey, sessionKey, head, data])],
  ['with the session key of another before', Buffer.concat([withKeyId('0123456789ABCDEF'), sessionKey, head, data])],
]

test('the message is cut where the test cuts it', () => {
  assert.equal(head[0], TAG)
  assert.deepEqual(head.subarray(1), length(data))
})

for (const [what, respelled] of spellings) {
  const packet = respelled.toString('base64').replace(/^hQ/, '').replaceAll('=', '')
  const respelt: Vector = { ...vector, packet }
  test(`${what}, it would open if it were new`, async () => {
    assert.notEqual(packet, vector.packet)
    assert.equal((await judge(respelt)).outcome, 'passed')
  })
  test(`${what}, it does not open again`, async () => {
    const judgement = await judge({ ...respelt, expect: 'reject', prior: [vector.packet] })
    assert.equal(judgement.outcome, 'passed', JSON.stringify(judgement))
  })
}
