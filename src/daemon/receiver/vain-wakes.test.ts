import assert from 'node:assert/strict'
import { test } from 'node:test'
import { VainWakes } from './vain-wakes.ts'

function after(...wakes: readonly (readonly [isSocketReady: boolean, taken: number])[]): boolean {
  const vain = new VainWakes()
  for (const [isSocketReady, taken] of wakes) vain.woke(isSocketReady, taken)
  return vain.isPauseDue
}
const times = <T>(count: number, wake: T): T[] => Array.from({ length: count }, () => wake)
const VAIN = [true, 0] as const

test('a socket that wakes and gives nothing is left out for a while', () => {
  assert.equal(after(...times(15, VAIN)), false)
  assert.equal(after(...times(16, VAIN)), true)
})

for (const [what, wake] of [
  ['a packet, thrown away or not', [true, 1]],
  ['a message of the warden', [false, 0]],
  ['the end of a wait', [false, 0]],
] as const)
  test(`${what} is no wake in vain, however often it comes`, () => {
    assert.equal(after(...times(1000, wake)), false)
    assert.equal(after(...times(15, VAIN), wake, ...times(15, VAIN)), false)
  })

test('after a pause the sockets are waited for again', () => {
  assert.equal(after(...times(16, VAIN), [false, 0]), false)
})
