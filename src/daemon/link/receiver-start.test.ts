import assert from 'node:assert/strict'
import { test } from 'node:test'
import { captureDescriptor } from './receiver-start.ts'

test('the fourth descriptor is left to the channel', () => {
  assert.deepEqual([0, 1, 2].map(captureDescriptor), [3, 5, 6])
})
