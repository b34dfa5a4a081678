/** A short run under faults: `npm run cluster-faults` has the long one. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runFaults } from '../support/cluster-faults.ts'
import { netnsUnavailable } from '../support/netns.ts'

test('no packet is accepted twice in a cluster under faults', { skip: netnsUnavailable() }, async () => {
  const { faults, history, sent, struck } = await runFaults({ packets: 500, copies: 3, seed: 20_261_126 })
  assert.deepEqual(faults, [])
  assert.ok(sent >= 2500)
  const { length } = history.accepted
  assert.ok(length > 50, `only ${length} were accepted, with ${JSON.stringify(struck)}`)
  assert.ok(Object.keys(struck).length >= 3)
})
