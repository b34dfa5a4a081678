import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MemoryLog } from '../../../log.ts'
import { EarlyEvents, type ReceiverHandler } from './early-events.ts'

function recorder() {
  const happened: string[] = []
  const handler: ReceiverHandler = {
    onStarted: () => happened.push('started'),
    onValues: (values) => happened.push(`values ${values}`),
    onBroken: (why) => happened.push(`broken ${why}`),
    onLost: async (why) => void happened.push(`lost ${why}`),
    onReplaced: async () => {},
    onHopeless: (why) => happened.push(`hopeless ${why}`),
    onHostile: ({ detail }) => happened.push(`hostile ${detail}`),
  }
  const early = new EarlyEvents()
  return { early, events: early.eventsFor(new MemoryLog()), handler, happened }
}

test('what happens before there is a handler is handled in order, and then all goes to it', () => {
  const { early, events, handler, happened } = recorder()
  events.onStarted()
  events.onValues([1])
  events.onValues([2, 3])
  assert.deepEqual(happened, [])
  early.handOver(handler)
  events.onValues([4])
  assert.deepEqual(happened, ['started', 'values 1', 'values 2,3', 'values 4'])
})

test('what a receiver sent that is gone does not count for the next one', () => {
  const { early, events, handler, happened } = recorder()
  events.onStarted()
  events.onValues(['started'])
  assert.equal(events.onLost('killed', undefined), undefined)
  events.onStarted()
  early.handOver(handler)
  assert.deepEqual(happened, ['started'])
})

test('that no receiver can run is not forgotten', () => {
  const { early, events, handler, happened } = recorder()
  events.onStarted()
  events.onValues(['failed'])
  events.onHopeless('exit status 77')
  early.handOver(handler)
  assert.deepEqual(happened, ['started', 'values failed', 'hopeless exit status 77'])
})
