import assert from 'node:assert/strict'
import { createHmac, randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { type EndsInHmac, nativeHmacSha256 } from './hmac-sha256.ts'

const prepare = nativeHmacSha256()

function check(key: Uint8Array): EndsInHmac {
  const prepared = prepare?.(key)
  assert.ok(prepared, 'the OpenSSL of this Node.js has the functions, and koffi is there')
  return prepared
}

function signed(key: Uint8Array, text: Uint8Array): Uint8Array {
  const tag = createHmac('sha256', key).update(text).digest('base64').replace(/=+$/, '')
  return new Uint8Array(Buffer.concat([text, Buffer.from(tag)]))
}

test('takes what the HMAC of Node.js signs, and nothing else', () => {
  // On both sides of a block of 64 bytes; and of a text, on both sides of its last block.
  for (const keyLength of [0, 1, 32, 63, 64, 65, 128, 1000, 4000])
    for (const length of [0, 1, 54, 55, 56, 63, 64, 65, 118, 119, 120, 128, 247, 1457, 4000]) {
      const [key, other, text] = [keyLength, 32, length].map((n) => new Uint8Array(randomBytes(n)))
      assert.ok(key && other && text)
      const packet = signed(key, text)
      assert.equal(check(key)(packet, length), true, `${keyLength} and ${length}`)
      assert.equal(check(other)(packet, length), false)
      assert.equal(check(key)(packet, length - 1), false)
    }
})

test('a change of any bit of the text or of the HMAC is seen', () => {
  const key = new Uint8Array(randomBytes(64))
  const ends = check(key)
  const packet = signed(key, new Uint8Array(randomBytes(100)))
  for (let bit = 0; bit < packet.length * 8; bit++) {
    const changed = Uint8Array.from(packet)
    changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7))
    assert.equal(ends(changed, 100), false, `bit ${bit}`)
  }
  assert.equal(ends(packet, 100), true)
})

test('only the one spelling of base64 is taken', () => {
  const key = new Uint8Array(randomBytes(64))
  const packet = signed(key, new Uint8Array(randomBytes(100)))
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
  const last = packet.length - 1
  // The last character holds four bits of the HMAC, and two that must be zero.
  const value = alphabet.indexOf(String.fromCharCode(packet[last] ?? 0))
  for (const unused of [1, 2, 3]) {
    const other = Uint8Array.from(packet)
    other[last] = alphabet.charCodeAt(value | unused)
    assert.equal(check(key)(other, 100), false)
  }
})

test('several keys in turn over several packets: nothing of one is left for the next', () => {
  const keys = Array.from({ length: 4 }, (_, i) => new Uint8Array(randomBytes(20 + 30 * i)))
  const checks = keys.map(check)
  const packets = keys.map((key, i) => signed(key, new Uint8Array(randomBytes(60 * (4 - i)))))
  for (let round = 0; round < 3; round++)
    for (const [i, packet] of packets.entries())
      assert.deepEqual(
        checks.map((one) => one(packet, 60 * (4 - i))),
        keys.map((_, j) => i === j),
      )
})

test('a key that is prepared between two looks at one packet does not change the second', () => {
  const [key, late] = [new Uint8Array(randomBytes(100)), new Uint8Array(randomBytes(100))]
  const packet = signed(late, new Uint8Array(randomBytes(300)))
  assert.equal(check(key)(packet, 300), false)
  assert.equal(check(late)(packet, 300), true)
})

test('the key bytes may be wiped afterwards', () => {
  const key = new Uint8Array(randomBytes(64))
  const packet = signed(key, new Uint8Array(10))
  const ends = check(key)
  key.fill(0)
  assert.equal(ends(packet, 10), true)
})

test('no packet, no place of the HMAC and no key is too much', () => {
  const ends = check(new Uint8Array(32))
  for (const [length, end] of [
    [0, 0],
    [10, -1],
    [10, -100],
    [10, 11],
    [5000, 4957],
    [70_000, 69_957],
  ] as const)
    assert.equal(ends(new Uint8Array(length).fill(65), end), false, `${length} ${end}`)
  assert.equal(prepare?.(new Uint8Array(4001)), undefined)
})
