import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { KeyringName } from '../../access/keyring.ts'
import type { ReplayDigest } from '../../packet/replay-digest.ts'
import { ReportedPackets } from './reported-packets.ts'

const packet = (n: number) => `packet ${n}` as ReplayDigest
const [key, other] = ['a key', 'another key'] as [KeyringName, KeyringName]

test('what is under way is never forgotten, and when there is no room, none is sent', () => {
  const packets = new ReportedPackets({ claimed: 2, underWay: 3, underWayPerKey: 3 })
  for (let n = 0; n < 3; n++) {
    assert.equal(packets.isFull, false)
    packets.add(packet(n), key)
  }
  assert.equal(packets.isFull, true)
  assert.ok([0, 1, 2].every((n) => packets.has(packet(n))))
  packets.unclaimed(packet(1))
  assert.equal(packets.isFull, false)
  assert.equal(packets.has(packet(1)), false)
})

test('the oldest claimed ones make room', () => {
  const packets = new ReportedPackets({ claimed: 2, underWay: 3, underWayPerKey: 3 })
  for (let n = 0; n < 5; n++) {
    packets.add(packet(n), key)
    packets.claimed(packet(n))
  }
  assert.deepEqual(
    [0, 1, 2, 3, 4].filter((n) => packets.has(packet(n))),
    [3, 4],
  )
  assert.equal(packets.isFull, false)
})

test('one key cannot take the places of the others', () => {
  const packets = new ReportedPackets({ claimed: 2, underWay: 9, underWayPerKey: 3 })
  for (let n = 0; n < 3; n++) packets.add(packet(n), key)
  assert.deepEqual([packets.hasRoomFor(key), packets.hasRoomFor(other), packets.isFull], [false, true, false])
  packets.claimed(packet(0))
  assert.equal(packets.hasRoomFor(key), true)
  packets.add(packet(3), key)
  packets.unclaimed(packet(1))
  // What is answered twice, or was never asked, gives no room.
  packets.unclaimed(packet(1))
  packets.claimed(packet(0))
  packets.add(packet(4), key)
  assert.equal(packets.hasRoomFor(key), false)
})
