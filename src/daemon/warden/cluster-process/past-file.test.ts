import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { it } from 'node:test'
import type { ClusterName } from '../../../config/server/cluster-settings.ts'
import { MemoryLog } from '../../../log.ts'
import { PastFile } from './past-file.ts'

const [FRONT, BACK] = ['front', 'back'] as ClusterName[] as [ClusterName, ClusterName]

it('what was known of etcd outlives a restart, for its own cluster alone', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'ghostport-past-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const path = join(folder, 'replay.db-cluster')
  const log = new MemoryLog()
  const open = (name: ClusterName): PastFile => new PastFile(path, name, log)
  const past = { cluster: '7', revision: '100' }
  const first = open(FRONT)
  assert.equal(first.known, undefined)
  first.learn(past)
  first.close()
  assert.deepEqual(open(FRONT).known, past)
  // Else this host would take the etcd of its next cluster for one that has forgotten packets, and close it for all.
  assert.equal(open(BACK).known, undefined)
  assert.equal(log.records.length, 0)
  // As earlier versions wrote it.
  writeFileSync(path, JSON.stringify(past), { mode: 0o600 })
  assert.deepEqual(open(FRONT).known, past)
  writeFileSync(path, readFileSync(path, 'utf8').slice(0, 9), { mode: 0o600 })
  assert.equal(open(FRONT).known, undefined)
  assert.match(`${log.records[0]?.fields['text']}`, /it is damaged/)
})
