import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { FairRows } from './fair-rows.ts'

const LIMITS = { inAll: 12, ofGroup: 5, ofShare: 2 }

test('groups take turns, and in them shares', () => {
  const rows = new FairRows<string>({ inAll: 99, ofGroup: 99, ofShare: 99 })
  for (const [group, share, item] of [
    ['a', '1', 'a1'],
    ['a', '1', 'a1 again'],
    ['a', '2', 'a2'],
    ['b', '1', 'b1'],
  ] as const)
    rows.add(group, share, item)
  assert.deepEqual(
    [rows.take(), rows.take(), rows.take(), rows.take(), rows.take()],
    ['a1', 'b1', 'a2', 'a1 again', undefined],
  )
})

test('no limit is passed, nothing is lost or doubled, and who waits has a turn after at most one of each other', () => {
  const name = fc.integer({ min: 0, max: 6 }).map(String)
  const step = fc.oneof(fc.constant('take' as const), fc.tuple(name, name))
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const rows = new FairRows<{ group: string; share: string; n: number }>(LIMITS)
      const waiting = new Set<{ group: string; share: string; n: number }>()
      for (const [n, it] of steps.entries())
        if (it === 'take') {
          const taken = rows.take()
          assert.equal(taken === undefined, waiting.size === 0)
          if (taken !== undefined) assert(waiting.delete(taken))
        } else {
          const [group, share] = it
          const ofGroup = [...waiting].filter((other) => other.group === group)
          const ofShare = ofGroup.filter((other) => other.share === share)
          const free = LIMITS.inAll - waiting.size
          const expected =
            free === 0
              ? 'all'
              : ofGroup.length >= Math.min(LIMITS.ofGroup, free)
                ? 'group'
                : ofShare.length >= Math.min(LIMITS.ofShare, free)
                  ? 'share'
                  : undefined
          assert.equal(rows.fullFor(group, share), expected)
          if (expected !== undefined) continue
          const item = { group, share, n }
          waiting.add(item)
          rows.add(group, share, item)
        }
      const groups = new Set([...waiting].map(({ group }) => group))
      const firsts = Array.from(groups, () => rows.take()?.group)
      assert.deepEqual(new Set(firsts), groups)
      assert.equal(rows.clear().length, waiting.size - firsts.length)
      assert.equal(rows.take(), undefined)
    }),
  )
})

test('groups that take all that they can get leave room for another one', () => {
  const rows = new FairRows<number>({ inAll: 256, ofGroup: 32, ofShare: 8 })
  const fill = (group: string): number => {
    let taken = 0
    for (let share = 0; share < 32; share++)
      for (; rows.fullFor(group, `${share}`) === undefined; taken++) rows.add(group, `${share}`, taken)
    return taken
  }
  // Four HMAC keys, each with packets of known signers and of new ones.
  const taken = ['a', 'b', 'c', 'd'].flatMap((key) => [fill(`known ${key}`), fill(`new ${key}`)])
  assert.equal(taken[0], 32)
  assert.ok(fill('known e') >= 8)
})

test('shares of the only group leave room for another one', () => {
  const rows = new FairRows<number>({ inAll: 64, ofGroup: 64, ofShare: 8 })
  for (let share = 0; share < 9; share++)
    for (let i = 0; rows.fullFor('', `${share}`) === undefined; i++) rows.add('', `${share}`, i)
  assert.equal(rows.fullFor('', 'quiet'), undefined)
})
