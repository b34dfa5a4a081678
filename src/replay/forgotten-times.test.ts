import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ForgottenTimes, MOST_RANGES, type TimeRange } from './forgotten-times.ts'

const at = (time: number): TimeRange => ({ first: time, last: time })
const of = (...times: number[]) => ForgottenTimes.of(times.map(at))

const cases: [what: string, times: number[], ranges: [number, number][]][] = [
  ['nothing', [], []],
  ['one', [5], [[5, 5]]],
  ['twice the same', [5, 5], [[5, 5]]],
  ['near ones, in any order', [60, 0, 120], [[0, 120]]],
  [
    'far ones, in any order',
    [500, 0, 200],
    [
      [0, 0],
      [200, 200],
      [500, 500],
    ],
  ],
  ['one that bridges two', [0, 100, 50], [[0, 100]]],
]
for (const [what, times, ranges] of cases)
  test(`${what}: ${ranges.length} ranges`, () =>
    assert.deepEqual(
      of(...times).ranges,
      ranges.map(([first, last]) => ({ first, last })),
    ))

test('a range may swallow many', () => {
  const all = of(0, 1000, 2000, 5000).with({ first: 500, last: 2500 })
  assert.deepEqual(all.ranges, [at(0), { first: 500, last: 2500 }, at(5000)])
})

test('too many ranges: those nearest to each other become one, and a far one stays apart', () => {
  const days = Array.from({ length: MOST_RANGES * 2 }, (_, day) => day * 86_400)
  const year9999 = 253_402_300_799
  const all = of(...days, year9999)
  assert.equal(all.ranges.length, MOST_RANGES)
  assert.ok(days.every((day) => all.has(day)))
  assert.deepEqual(all.ranges.at(-1), at(year9999))
})

test('every time that was put in is there, and others only between two that are near', () => {
  const time = fc.integer({ min: 0, max: 3000 })
  fc.assert(
    fc.property(fc.array(time, { maxLength: 60 }), time, (times, other) => {
      const all = of(...times)
      assert.ok(times.every((each) => all.has(each)))
      const below = Math.max(...times.filter((each) => each <= other), Number.NEGATIVE_INFINITY)
      const above = Math.min(...times.filter((each) => each >= other), Number.POSITIVE_INFINITY)
      assert.equal(all.has(other), above - below <= 60)
    }),
  )
})
