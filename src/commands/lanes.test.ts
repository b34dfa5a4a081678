import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { Lanes } from './lanes.ts'

test('where a limit for waiting is given, one share cannot fill it', () => {
  const lanes = new Lanes({ running: 1, runningOfShare: 1, waiting: { most: 4, mostOfShare: 3 } })
  const add = (share: string): boolean => lanes.add(share, () => new Promise<void>(() => {}))
  assert.deepEqual(['a', 'a', 'a', 'a', 'a', 'b', 'c'].map(add), [true, true, true, true, false, true, false])
  assert.deepEqual([lanes.running, lanes.waiting], [1, 4])
})

test('one share cannot take all places, and what waits runs in order', async () => {
  const lanes = new Lanes({ running: 3, runningOfShare: 2 })
  const begun: string[] = []
  const ends = new Map<string, () => void>()
  const add = (share: string, name: string): boolean =>
    lanes.add(share, () => {
      begun.push(name)
      return new Promise((done) => ends.set(name, done))
    })
  for (const name of ['a1', 'a2', 'a3', 'a4']) add('a', name)
  add('b', 'b1')
  add('b', 'b2')
  assert.deepEqual(begun, ['a1', 'a2', 'b1'])
  assert.deepEqual([lanes.running, lanes.waiting], [3, 3])
  ends.get('a1')?.()
  await turn()
  assert.deepEqual(begun, ['a1', 'a2', 'b1', 'a3'])
  ends.get('b1')?.()
  await turn()
  assert.deepEqual(begun, ['a1', 'a2', 'b1', 'a3', 'b2'])
  lanes.clear()
  for (const end of ends.values()) end()
  await turn()
  assert.deepEqual([lanes.running, lanes.waiting], [0, 0])
})
