import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MemoryLog } from '../../../log.ts'
import { milliseconds } from '../../../units.ts'
import { HookCounts } from './hook-counts.ts'

function counted() {
  const log = new MemoryLog()
  const clock = { now: 0 }
  const counts = new HookCounts(log, () => milliseconds(clock.now))
  return { log, clock, counts }
}

test('an event that no executor took is counted beside those that were dropped in there', () => {
  const { counts } = counted()
  counts.undelivered('no executor')
  counts.programsDropped(3)
  counts.executorEnded()
  counts.undelivered('no executor')
  counts.programsDropped(2)
  assert.deepEqual(counts.programs, { run: 0, failed: 0, dropped: 7 })
})

test('drops have a line at once, and then one a minute with the whole number', () => {
  const { log, clock, counts } = counted()
  for (let i = 0; i < 100; i++) counts.undelivered('no executor')
  clock.now = 61_000
  counts.undelivered('no executor')
  assert.deepEqual(
    log.records.map(({ level, event, fields }) => [level, event, fields?.['dropped']]),
    [
      ['warning', 'hook', 1],
      ['warning', 'hook', 101],
    ],
  )
})

test('the numbers of a webhook go on when the executor is another one, and its failures are told', () => {
  const { log, counts } = counted()
  assert.equal(counts.webhook, undefined)
  counts.webhookCounted({ delivered: 4, failed: 2, dropped: 1, why: 'one' })
  counts.executorEnded()
  counts.webhookCounted({ delivered: 0, failed: 1, dropped: 0, why: 'two\u001b' })
  assert.deepEqual(counts.webhook, { delivered: 4, failed: 3, dropped: 1 })
  const details = log.records.map(({ fields }) => fields?.['detail'])
  assert.deepEqual(details.slice(0, 2), ['one', 'events are dropped: too many wait'])
  assert.ok(!String(details[2]).includes('\u001b'), String(details[2]))
})
