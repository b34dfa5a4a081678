/**
 * The long run under faults: four rounds with 2 500 packets each, and more than 100 000 replays in all. At the end of
 * each round, etcd is put back to old data. The seed is that of CLUSTER_SEED, or of the time; it is told, so that a run
 * can be repeated. CLUSTER_HISTORY names a folder for what was recorded.
 */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { type FaultResult, runFaults } from '../../support/cluster-faults.ts'
import type { History } from '../../support/cluster-history.ts'

const PACKETS = 2500
const ROUNDS = 4
const seed = Number(process.env['CLUSTER_SEED'] ?? Date.now() % 1_000_000_000)

test(`no packet is accepted twice in a cluster under faults (CLUSTER_SEED=${seed})`, async (t) => {
  const results: FaultResult[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const say = (text: string): void => t.diagnostic(`round ${round + 1}: ${text}`)
    const result = await runFaults({ packets: PACKETS, copies: 10, seed: seed + round, endsWithOldData: true, say })
    const { history, sent, struck, faults } = result
    say(`${sent} sent, ${history.accepted.length} accepted, ${JSON.stringify(struck)}, ${faults.length} against it`)
    record(round, history)
    assert.deepEqual(faults, [])
    assert.ok(history.accepted.length > PACKETS / 10)
    results.push(result)
  }
  const replays = results.reduce((sum, { sent, history }) => sum + sent - history.sent.size, 0)
  t.diagnostic(`${replays} replays, and none was accepted`)
  assert.ok(replays >= 100_000)
})

function record(round: number, { sent, accepted, claims }: History): void {
  const folder = process.env['CLUSTER_HISTORY']
  if (folder === undefined) return
  const text = JSON.stringify({ sent: [...sent], accepted, claims: [...claims] })
  writeFileSync(join(folder, `cluster-history-${seed + round}.json`), text)
}
