import assert from 'node:assert/strict'
import { test } from 'node:test'
import { milliseconds } from '../../units.ts'
import { RefusalLimiter } from './refusal-log.ts'

test('a flood gets its burst of lines, and every other refusal is counted', () => {
  const limiter = new RefusalLimiter({ perSecond: 10, burst: 5 }, milliseconds(0))
  let lines = 0
  for (let i = 0; i < 50_000; i++) {
    if (limiter.mayLog(i % 2 === 0 ? 'SPA_HMAC_MISMATCH' : 'SPA_MALFORMED', milliseconds(i / 50))) lines++
  }
  assert.equal(lines, 5 + 9)
  const suppressed = limiter.takeSuppressed()
  assert.equal((suppressed?.SPA_HMAC_MISMATCH ?? 0) + (suppressed?.SPA_MALFORMED ?? 0), 50_000 - lines)
  assert.equal(limiter.takeSuppressed(), undefined)
})

test('a quiet second gives lines back, never more than the burst', () => {
  const limiter = new RefusalLimiter({ perSecond: 10, burst: 2 }, milliseconds(0))
  const tries = (at: number, n: number) =>
    Array.from({ length: n }, () => limiter.mayLog('SPA_MALFORMED', milliseconds(at))).filter(Boolean).length
  assert.equal(tries(0, 4), 2)
  assert.equal(tries(100, 4), 1)
  assert.equal(tries(60_000, 4), 2)
})

test('a new limit is no new burst: what was logged before it still counts', () => {
  const limiter = new RefusalLimiter({ perSecond: 10, burst: 20 }, milliseconds(0))
  let lines = 0
  for (let reload = 0; reload < 100; reload++) {
    for (let i = 0; i < 50; i++) if (limiter.mayLog('SPA_MALFORMED', milliseconds(reload))) lines++
    limiter.limit(10)
  }
  assert.equal(lines, 20)
})

test('another limit holds at once', () => {
  const limiter = new RefusalLimiter({ perSecond: 1000, burst: 2000 }, milliseconds(0))
  const tries = (at: number, n: number) =>
    Array.from({ length: n }, () => limiter.mayLog('SPA_MALFORMED', milliseconds(at))).filter(Boolean).length
  limiter.limit(5)
  assert.equal(tries(0, 100), 10)
  limiter.limit(50)
  assert.equal(tries(0, 100), 90)
  assert.equal(tries(1000, 100), 50)
})
