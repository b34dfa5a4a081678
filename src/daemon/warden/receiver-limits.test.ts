import assert from 'node:assert/strict'
import { test } from 'node:test'
import { milliseconds } from '../../units.ts'
import { ReceiverLimits } from './receiver-limits.ts'

const at = milliseconds
/** LOG_LIMIT. So 120 messages a second, and 20 seconds of them at once. */
const REFUSALS = 10
const AT_ONCE = 20 * 120

/** How many messages at `now` are accepted. */
function accepted(limits: ReceiverLimits, now: number): number {
  for (let count = 0; count < 1_000_000; count++) if (limits.onMessage(at(now)) !== undefined) return count
  throw new Error('no limit')
}

test('some seconds of messages may come at once; then as many as an honest receiver has to send', () => {
  const limits = new ReceiverLimits(REFUSALS, at(0))
  assert.equal(accepted(limits, 0), AT_ONCE)
  assert.equal(accepted(limits, 1000), 120)
  assert.equal(accepted(limits, 1_000_000), AT_ONCE)
})

test('answers and what came while nothing was read are counted apart', () => {
  const limits = new ReceiverLimits(REFUSALS, at(0))
  accepted(limits, 0)
  limits.allowAnswers(3)
  assert.equal(accepted(limits, 0), 3)
  limits.heldUp(2000)
  assert.equal(accepted(limits, 0), 240)
  limits.configurationSent(0)
  assert.equal(accepted(limits, 0), 22)
})

test('another LOG_LIMIT counts once the receiver works under it, and is no new burst', () => {
  const limits = new ReceiverLimits(REFUSALS, at(0))
  accepted(limits, 0)
  limits.configurationRead(100)
  assert.ok(accepted(limits, 0) <= 20 * 180)
  assert.equal(accepted(limits, 1000), 300)
  limits.reset(at(1000))
  assert.equal(accepted(limits, 1000), 20 * 300)
})

test('knocks may wait up to a number', () => {
  const limits = new ReceiverLimits(REFUSALS, at(0))
  assert.equal(limits.onKnocks(100_000), undefined)
  assert.deepEqual(limits.onKnocks(100_001), { code: 'WARDEN_PROTOCOL', detail: 'more than 100000 knocks at once' })
})

test('a configuration that it has not read yet is no backlog of answers', () => {
  const limits = new ReceiverLimits(REFUSALS, at(0))
  limits.configurationSent(5_000_000)
  assert.equal(limits.onBacklog(6_000_000), undefined)
  limits.configurationRead(REFUSALS)
  assert.equal(limits.onBacklog(6_000_000)?.code, 'WARDEN_PROTOCOL')
  assert.equal(limits.onBacklog(1024 * 1024), undefined)
})
