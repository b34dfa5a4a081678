/** What a test expects of a {@link Result}. */
import assert from 'node:assert/strict'
import type { FailureCode } from '../../src/failure-codes.ts'
import type { Failure, Result } from '../../src/result.ts'

/** @returns the value. @throws AssertionError with the failure where there is none. */
export function must<T>(result: Result<T>): T {
  assert.ok(result.ok, result.ok ? '' : `${result.failure.code}: ${result.failure.detail}`)
  return result.value
}

/** @returns the failure. @throws AssertionError where there is none, or another one. */
export function refused(result: Result<unknown>, code: FailureCode, detail: RegExp): Failure {
  assert.ok(!result.ok)
  assert.equal(result.failure.code, code)
  assert.match(result.failure.detail, detail)
  return result.failure
}
