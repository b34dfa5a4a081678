import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Tally, type TestEvent } from './tally.ts'

const passed = (name: string, nesting: number, more: Partial<TestEvent> = {}): TestEvent => ({
  passed: true,
  name,
  nesting,
  isSuite: false,
  ...more,
})
const failed = (name: string, nesting: number, kind: string): TestEvent => ({
  ...passed(name, nesting),
  passed: false,
  error: { kind, text: 'no' },
})
const closingLineOf = (...events: readonly TestEvent[]) => {
  const tally = new Tally()
  tally.addFile('a.test.ts', events)
  return tally.closingLine()
}

test('a suite is not counted, its tests are', () => {
  const suite = passed('suite', 0, { isSuite: true })
  assert.equal(closingLineOf(passed('one', 1), passed('two', 1), suite, passed('alone', 0)), '3 passed, 0 failed')
})

test('a test with subtests is not counted beside them', () => {
  assert.equal(closingLineOf(passed('deep', 2), passed('middle', 1), passed('outer', 0)), '1 passed, 0 failed')
})

test('a parent that failed by its child is not a second failure', () => {
  assert.equal(
    closingLineOf(failed('child', 1, 'testCodeFailure'), failed('parent', 0, 'subtestsFailed')),
    '0 passed, 1 failed',
  )
})

test('a parent that failed by itself is a failure, whatever its children did', () => {
  assert.equal(closingLineOf(passed('child', 1), failed('parent', 0, 'hookFailed')), '1 passed, 1 failed')
})

test('the tests of one file do not become children of those of the next', () => {
  const tally = new Tally()
  assert.equal(tally.addFile('a.test.ts', [passed('cut short', 1)]), 1)
  assert.equal(tally.addFile('b.test.ts', [passed('alone', 0)]), 1)
  assert.equal(tally.closingLine(), '2 passed, 0 failed')
})

test('a test that was left out is counted apart, with its reason', () => {
  const tally = new Tally()
  tally.addFile('a.test.ts', [passed('left out', 0, { skip: 'needs root' })])
  assert.equal(tally.closingLine(), '0 passed, 0 failed, 1 skipped')
  assert.deepEqual(tally.skips, [{ file: 'a.test.ts', name: 'left out', reason: 'needs root' }])
})
