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

test('a suite that was left out is counted once, with its reason', () => {
  const tally = new Tally()
  const suite = passed('needs namespaces', 0, { isSuite: true, skip: 'needs root' })
  assert.equal(tally.addFile('a.test.ts', [suite, passed('alone', 0)]), 2)
  assert.equal(tally.closingLine(), '1 passed, 0 failed, 1 skipped')
  assert.deepEqual(tally.skips, [{ file: 'a.test.ts', name: 'needs namespaces', reason: 'needs root' }])
})

test('a file that was left out whole is no failure', () => {
  assert.equal(closingLineOf(passed('suite', 0, { isSuite: true, skip: '' })), '0 passed, 0 failed, 1 skipped')
})

test('a suite whose tests were each left out is not counted beside them', () => {
  const child = passed('child', 1, { skip: 'needs root' })
  assert.equal(closingLineOf(child, passed('suite', 0, { isSuite: true })), '0 passed, 0 failed, 1 skipped')
})

test('a file without a test is a failure, also where it has a suite', () => {
  assert.equal(closingLineOf(), '0 passed, 1 failed')
  assert.equal(closingLineOf(passed('empty suite', 0, { isSuite: true })), '0 passed, 1 failed')
})

test('a file that crashed is one failure, with the tests that ran before', () => {
  const tally = new Tally()
  tally.addFile('a.test.ts', [], 'the process ended with SIGSEGV')
  assert.equal(tally.addFile('b.test.ts', [passed('alone', 0)], 'the process ended with status 7'), 1)
  assert.equal(tally.closingLine(), '1 passed, 2 failed')
})

test('where nothing may be left out, what was is a failure', () => {
  const tally = new Tally()
  tally.addFile('a.test.ts', [passed('suite', 0, { isSuite: true, skip: 'no chromium' }), passed('alone', 0)])
  tally.failSkips('left out, as root')
  assert.deepEqual(tally.failures, [{ file: 'a.test.ts', name: 'suite', reason: 'left out, as root' }])
  assert.equal(tally.closingLine(), '1 passed, 1 failed, 1 skipped')
})
