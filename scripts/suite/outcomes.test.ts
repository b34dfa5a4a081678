import assert from 'node:assert/strict'
import { test } from 'node:test'
import { closingLine, outcomesOf, type TestResult } from './outcomes.ts'

const FILE = 'a.test.ts'
const passed = (name: string, nesting: number, type: 'suite' | 'test' = 'test', skip?: string): TestResult => ({
  name,
  nesting,
  ...(skip !== undefined && { skip }),
  details: { duration_ms: 10, type },
})
const failed = (name: string, nesting: number, failureType: string, more = {}): TestResult => ({
  name,
  nesting,
  details: { duration_ms: 10_000, error: Object.assign(new Error('no'), { failureType, ...more }) },
})
const closingLineOf = (...results: readonly TestResult[]) => closingLine(outcomesOf(FILE, results))
const reasonsOf = (...results: readonly TestResult[]) => outcomesOf(FILE, results).map(({ reason }) => reason)

test('a suite is not counted, its tests are', () => {
  const suite = passed('suite', 0, 'suite')
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

test('a test that was left out is counted apart, with its reason', () => {
  const result = passed('left out', 0, 'test', 'needs root')
  assert.equal(closingLineOf(result), '0 passed, 0 failed, 1 skipped')
  assert.deepEqual(outcomesOf(FILE, [result]), [
    { verdict: 'skipped', file: FILE, name: 'left out', reason: 'needs root' },
  ])
})

test('a suite that was left out is counted once, with its reason', () => {
  const suite = passed('needs namespaces', 0, 'suite', 'needs root')
  assert.equal(closingLineOf(suite, passed('alone', 0)), '1 passed, 0 failed, 1 skipped')
  assert.deepEqual(reasonsOf(suite, passed('alone', 0)), ['needs root', ''])
})

test('a suite whose tests were each left out is not counted beside them', () => {
  const child = passed('child', 1, 'test', 'needs root')
  assert.equal(closingLineOf(child, passed('suite', 0, 'suite')), '0 passed, 0 failed, 1 skipped')
})

test('a file without a test is a failure, also where it has a suite', () => {
  for (const results of [[], [passed(FILE, 0)], [passed('empty suite', 0, 'suite')]])
    assert.deepEqual(outcomesOf(FILE, results), [
      { verdict: 'failed', file: FILE, name: FILE, reason: 'the file ran no test' },
    ])
})

test('a file that failed by its tests is not a failure beside them', () => {
  assert.equal(
    closingLineOf(failed('one', 0, 'testCodeFailure'), failed(FILE, 0, 'subtestsFailed')),
    '0 passed, 1 failed',
  )
})

test('a file that crashed is one failure, with the tests that ran before', () => {
  const crash = failed(FILE, 0, 'testCodeFailure', { signal: 'SIGSEGV', exitCode: null })
  assert.equal(closingLineOf(passed('alone', 0), crash), '1 passed, 1 failed')
  assert.deepEqual(reasonsOf(crash), ['the process ended with SIGSEGV'])
  const ended = failed(FILE, 0, 'testCodeFailure', { signal: null, exitCode: 7 })
  assert.deepEqual(reasonsOf(ended), ['the process ended with status 7'])
})

test('a file that was ended at its limit is a failure', () => {
  assert.deepEqual(reasonsOf(failed(FILE, 0, 'testAborted')), ['not done after 10 s'])
})
