import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { LONGEST_KEY, newCell, Tallies, Tally } from './tally.ts'

test('counts exactly while there is room, the most frequent first', () => {
  const tally = new Tally(10_000, newCell)
  for (const key of 'abracadabra') tally.add(key)
  assert.deepEqual(
    tally.top(3).map(({ key, cell }) => [key, cell.count, cell.missing]),
    [
      ['a', 5, 0],
      ['b', 2, 0],
      ['r', 2, 0],
    ],
  )
  assert.deepEqual([tally.size, tally.missing, tally.get('z')], [5, 0, undefined])
})

test('beyond that it keeps its room, and says for each key what may be missing', () => {
  const keys = fc.array(
    fc.integer({ min: 0, max: 60 }).map((n) => `key ${n * n}`),
    { maxLength: 600 },
  )
  fc.assert(
    fc.property(keys, fc.integer({ min: 2, max: 12 }), (all, places) => {
      const room = places * 160
      const tally = new Tally(room, newCell)
      const exact = new Map<string, number>()
      for (const key of all) {
        tally.add(key)
        exact.set(key, (exact.get(key) ?? 0) + 1)
        assert.ok(tally.bytes <= room, `${tally.bytes} of ${room}`)
      }
      // The promise of Misra and Gries: each loss is one of several keys at once.
      assert.ok(tally.missing <= all.length / Math.floor(places / 2), `${tally.missing} of ${all.length}`)
      for (const [key, count] of exact) {
        const { count: told, missing } = tally.get(key) ?? { count: 0, missing: tally.missing }
        assert.ok(told <= count && count <= told + missing, `${key}: ${count}, told ${told} to ${told + missing}`)
      }
    }),
  )
})

test('a long key is cut, and stays one key', () => {
  const tally = new Tally(10_000, newCell)
  for (const end of ['a', 'b']) tally.add('x'.repeat(LONGEST_KEY) + end)
  assert.deepEqual([tally.size, tally.top(1)[0]?.cell.count], [1, 2])
})

test('the tallies of periods share their room, and their number has a limit', () => {
  const tallies = new Tallies(20_000, 100)
  for (let i = 0; i < 5_000; i++) {
    tallies.add(`period ${i % 120}`, `key ${i}`)
    tallies.add(`period ${i % 100}`, 'often')
  }
  const periods = tallies.periods()
  assert.equal(periods.length, 100)
  assert.equal(tallies.uncounted, 820)
  assert.ok(periods.reduce((sum, [, tally]) => sum + tally.bytes, 0) <= 20_000)
  for (const [, tally] of periods) {
    const { count = 0, missing = tally.missing } = tally.get('often') ?? {}
    assert.ok(count <= 50 && count + missing >= 50)
  }
})
