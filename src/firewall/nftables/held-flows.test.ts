import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { IpAddress } from '../../packet/address.ts'
import { TCP, UDP } from '../connections/tracked.ts'
import { HeldFlows, MOST_HELD } from './held-flows.ts'

function flow(destination: string, destinationPort: number, protocol = UDP) {
  const source = (destination.includes(':') ? 'fd01::1' : '10.1.0.1') as IpAddress
  return { protocol, reply: { source, sourcePort: 1194, destination: destination as IpAddress, destinationPort } }
}

describe('flows that are held back', () => {
  test('are elements as their services send; protocols without ports have none', () => {
    const held = new HeldFlows()
    const flows = [flow('10.1.0.2', 40053), flow('fd01::2', 1, TCP), flow('10.1.0.2', 0, 47)]
    assert.deepEqual(held.hold(flows), {
      added: [
        { set: 'held4', key: '10.1.0.1 . udp . 1194 . 10.1.0.2 . 40053' },
        { set: 'held6', key: 'fd01::1 . tcp . 1194 . fd01::2 . 1' },
      ],
      removed: [],
      left: 0,
    })
  })

  test('what the kernel forgot is forgotten, and what it has is known', () => {
    const held = new HeldFlows()
    const [four] = held.hold([flow('10.1.0.2', 1), flow('10.1.0.2', 2)]).added
    assert.ok(four)
    const six = { set: 'held6', key: 'fd01::1 . tcp . 1194 . fd01::2 . 1' } as const
    held.keepOnly([four, six])
    assert.deepEqual(held.elements(), [four, six])
  })

  test('one call takes a quarter of the places, and the oldest make room', () => {
    const held = new HeldFlows()
    const many = (net: number) => Array.from({ length: 10_000 }, (_, i) => flow(`10.${net}.0.2`, i + 1))
    assert.equal(held.hold(many(1)).left, 1_808)
    for (const net of [2, 3, 4]) assert.equal(held.hold(many(net)).removed.length, 0)
    const { removed } = held.hold([flow('10.5.0.2', 1)])
    assert.deepEqual(removed, [{ set: 'held4', key: '10.1.0.1 . udp . 1194 . 10.1.0.2 . 1' }])
    assert.equal(held.elements().length, MOST_HELD)
  })
})
