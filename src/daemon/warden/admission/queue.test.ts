import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BatchQueue } from './queue.ts'

test('the first goes alone, what comes meanwhile goes together, in order, nothing twice', async () => {
  const batches: number[][] = []
  const releases: (() => void)[] = []
  const queue = new BatchQueue<number>(async (batch) => {
    batches.push([...batch])
    await new Promise<void>((release) => releases.push(release))
  })
  queue.push([1])
  queue.push([2, 3])
  queue.push([4])
  assert.deepEqual(batches, [[1]])
  releases.shift()?.()
  await new Promise((done) => setImmediate(done))
  assert.deepEqual(batches, [[1], [2, 3, 4]])
  assert.equal(queue.length, 0)
  releases.shift()?.()
  await queue.drained()
  queue.push([5])
  assert.deepEqual(batches.at(-1), [5])
  releases.shift()?.()
  await queue.drained()
})

test('a batch has an upper size', async () => {
  const sizes: number[] = []
  const queue = new BatchQueue<number>(async (batch) => void sizes.push(batch.length))
  queue.push(Array.from({ length: 2500 }, (_, i) => i))
  await queue.drained()
  assert.deepEqual(sizes, [1000, 1000, 500])
})

test('settled waits for what was pushed before, and not for what comes after', async () => {
  const releases: (() => void)[] = []
  const queue = new BatchQueue<number>(() => new Promise<void>((release) => releases.push(release)))
  await queue.settled()
  queue.push([1])
  queue.push([2, 3])
  let isSettled = false
  const settled = queue.settled().then(() => {
    isSettled = true
  })
  const turn = () => new Promise((done) => setImmediate(done))
  releases.shift()?.()
  await turn()
  assert.equal(isSettled, false)
  // In a flood, more is there before each batch ends.
  queue.push([4])
  releases.shift()?.()
  await settled
  assert.equal(queue.length, 0)
  releases.shift()?.()
  await queue.drained()
})
