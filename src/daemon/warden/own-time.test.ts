import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { milliseconds } from '../../units.ts'
import { afterOwnTime, ownTime } from './own-time.ts'

const cases: readonly (readonly [what: string, before: number, now: number, own: number])[] = [
  ['a look in time', 5_000, 6_000, 1_000],
  ['a look that is a little late', 5_000, 6_900, 1_900],
  ['a look after ten seconds in which nothing ran', 5_000, 16_000, 2_000],
]
for (const [what, before, now, own] of cases)
  test(`${what} is ${own} ms of own time`, () => {
    assert.equal(ownTime(before, now, 1_000), own)
  })

test('what is waited for may come after this process was held up for longer than the delay', async () => {
  const start = performance.now()
  let heardAfter: number | undefined
  const fired = new Promise<void>((done) => {
    afterOwnTime(() => {
      heardAfter = performance.now() - start
      done()
    }, milliseconds(200))
  })
  await delay(5)
  // Nothing runs in this thread.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 600)
  await fired
  assert.ok((heardAfter ?? 0) > 700, `${heardAfter} ms`)
})

test('it is ended like a time-out', async () => {
  let fired = false
  const timer = afterOwnTime(() => {
    fired = true
  }, milliseconds(50))
  clearTimeout(timer)
  await delay(200)
  assert.ok(!fired)
})
