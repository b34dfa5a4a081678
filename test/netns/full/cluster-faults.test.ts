/**
 * The long run under faults: 10 000 packets, some 130 000 copies. The seed is that of CLUSTER_SEED, or of the time. It
 * is told, so that a run can be repeated.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runFaults } from '../../support/cluster-faults.ts'

const seed = Number(process.env['CLUSTER_SEED'] ?? Date.now() % 1_000_000_000)

test(`no packet is accepted twice in a cluster under faults (CLUSTER_SEED=${seed})`, async (t) => {
  const say = (text: string): void => t.diagnostic(text)
  const { faults, sent, accepted, struck } = await runFaults({ packets: 10_000, copies: 10, seed, say })
  t.diagnostic(`${sent} sent, ${accepted} accepted, faults: ${JSON.stringify(struck)}`)
  assert.deepEqual(faults, [])
  assert.ok(sent >= 100_000)
  assert.ok(accepted > 1000)
})
