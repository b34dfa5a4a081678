import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { KeyringName } from '../../access/keyring.ts'
import type { ReplayDigest } from '../../packet/replay-digest.ts'
import { ToldPackets } from './told-packets.ts'

const packet = (n: number) => `packet ${n}` as ReplayDigest
const [key, other] = ['a key', 'another key'] as [KeyringName, KeyringName]

test('what is under way is never forgotten, and when there is no room, none is sent', () => {
  const told = new ToldPackets({ claimed: 2, underWay: 3, underWayPerKey: 3 })
  for (let n = 0; n < 3; n++) {
    assert.equal(told.isFull, false)
    told.sent(packet(n), key)
  }
  assert.equal(told.isFull, true)
  assert.ok([0, 1, 2].every((n) => told.has(packet(n))))
  told.unclaimed(packet(1))
  assert.equal(told.isFull, false)
  assert.equal(told.has(packet(1)), false)
})

test('the oldest claimed ones make room', () => {
  const told = new ToldPackets({ claimed: 2, underWay: 3, underWayPerKey: 3 })
  for (let n = 0; n < 5; n++) {
    told.sent(packet(n), key)
    told.claimed(packet(n))
  }
  assert.deepEqual(
    [0, 1, 2, 3, 4].filter((n) => told.has(packet(n))),
    [3, 4],
  )
  assert.equal(told.isFull, false)
})

test('one key cannot take the places of the others', () => {
  const told = new ToldPackets({ claimed: 2, underWay: 9, underWayPerKey: 3 })
  for (let n = 0; n < 3; n++) told.sent(packet(n), key)
  assert.deepEqual([told.hasRoomFor(key), told.hasRoomFor(other), told.isFull], [false, true, false])
  told.claimed(packet(0))
  assert.equal(told.hasRoomFor(key), true)
  told.sent(packet(3), key)
  told.unclaimed(packet(1))
  // What is answered twice, or was never asked, gives no room.
  told.unclaimed(packet(1))
  told.claimed(packet(0))
  told.sent(packet(4), key)
  assert.equal(told.hasRoomFor(key), false)
})
