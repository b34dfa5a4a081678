import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { type LaneLimits, Lanes } from './lanes.ts'

/** Lanes with work that ends when it is told to; `a1` is work of the share `a`. */
class Lab {
  readonly begun: string[] = []
  readonly dropped: string[] = []
  readonly lanes: Lanes
  readonly #ends = new Map<string, () => void>()

  constructor(limits: LaneLimits) {
    this.lanes = new Lanes(limits)
  }

  add(...names: readonly string[]): void {
    for (const name of names)
      this.lanes.add(
        name.slice(0, 1),
        () => {
          this.begun.push(name)
          return new Promise((done) => this.#ends.set(name, done))
        },
        () => this.dropped.push(name),
      )
  }

  async end(...names: readonly string[]): Promise<void> {
    for (const name of names) this.#ends.get(name)?.()
    await turn()
  }
}

const many = (share: string, count: number): readonly string[] =>
  Array.from({ length: count }, (_, i) => `${share}${i + 1}`)

test('one share cannot fill what may wait', () => {
  const lab = new Lab({ running: 1, runningOfShare: 1, waiting: { most: 4, mostOfShare: 3 } })
  lab.add(...many('a', 5), 'b1', 'c1')
  assert.deepEqual([lab.lanes.running, lab.lanes.waiting], [1, 4])
  assert.deepEqual(lab.dropped, ['a5', 'a4'], 'the newest of the share that has most makes room')
})

test('several shares together cannot fill what may wait: whoever has most makes room', () => {
  const lab = new Lab({ running: 1, runningOfShare: 1, waiting: { most: 256, mostOfShare: 128 } })
  lab.add(...many('a', 500), ...many('b', 500))
  assert.equal(lab.lanes.waiting, 256)
  const before = lab.dropped.length
  lab.add(...many('c', 20))
  assert.deepEqual(
    lab.dropped.slice(before).filter((name) => name.startsWith('c')),
    [],
  )
  assert.equal(lab.lanes.waiting, 256)
  lab.add(...many('b', 10))
  assert.deepEqual(lab.dropped.slice(-10), many('b', 10), 'a share that has as many as any gets no more')
})

test('shares that take all they can get leave a place, and it is the first that another one gets', async () => {
  const lab = new Lab({ running: 16, runningOfShare: 8 })
  lab.add(...many('a', 60), ...many('b', 60))
  assert.equal(lab.lanes.running, 12)
  lab.add('c1')
  assert.equal(lab.begun.at(-1), 'c1')
  lab.add(...many('c', 60), ...many('d', 60))
  assert.equal(lab.begun.filter((name) => name.startsWith('d')).length, 1)
  // All is full, and who has fewest running is next, however long the others have waited.
  lab.add('e1')
  assert.ok(!lab.begun.includes('e1') || lab.lanes.running <= 16)
  await lab.end('a1')
  assert.equal(lab.begun.at(-1), 'e1')
})

test('what waits of one share runs in order', async () => {
  const lab = new Lab({ running: 4, runningOfShare: 2 })
  lab.add(...many('a', 4), 'b1', 'b2')
  assert.deepEqual(lab.begun, ['a1', 'a2', 'b1'])
  assert.deepEqual([lab.lanes.running, lab.lanes.waiting], [3, 3])
  await lab.end('a1')
  assert.deepEqual(lab.begun, ['a1', 'a2', 'b1', 'a3'])
  await lab.end('a2')
  assert.deepEqual(lab.begun, ['a1', 'a2', 'b1', 'a3', 'a4'])
  lab.lanes.clear()
  await lab.end('a3', 'a4', 'b1')
  assert.deepEqual([lab.lanes.running, lab.lanes.waiting, lab.dropped.length], [0, 0, 0])
})
