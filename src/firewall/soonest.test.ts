import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Soonest } from './soonest.ts'

test('on top is what ends soonest of what still counts', () => {
  const step = fc.record({ until: fc.integer({ min: 0, max: 20 }), leaves: fc.boolean() })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
      const counted = new Set<{ readonly until: number }>()
      const heap = new Soonest<{ readonly until: number }>((item) => counted.has(item))
      for (const { until, leaves } of steps) {
        const item = { until }
        counted.add(item)
        heap.push(item)
        if (leaves) {
          const top = heap.peek()
          assert.ok(top && counted.delete(top))
        }
        const soonest = Math.min(...[...counted].map((one) => one.until))
        assert.equal(heap.peek()?.until ?? Number.POSITIVE_INFINITY, soonest)
      }
    }),
  )
})

test('something that moves its end often leaves little behind', () => {
  let looked = 0
  let current = { until: 1_000_000 }
  const heap = new Soonest<{ readonly until: number }>((item) => {
    looked++
    return item === current
  })
  for (let n = 0; n < 100_000; n++) {
    current = { until: 1_000_000 - n }
    heap.push(current)
  }
  looked = 0
  assert.equal(heap.peek(), current)
  current = { until: 0 }
  assert.equal(heap.peek(), undefined)
  assert.ok(looked < 200, `${looked} items were left`)
})
