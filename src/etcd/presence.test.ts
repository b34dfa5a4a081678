import assert from 'node:assert/strict'
import { it } from 'node:test'
import { monotonic } from '../clock.ts'
import type { NodeName } from '../config/server/cluster-settings.ts'
import { milliseconds, seconds } from '../units.ts'
import type { EtcdAnswer } from './call.ts'
import type { Etcd } from './etcd.ts'
import type { Fields } from './message-type.ts'
import { Announcer, parsePresence } from './presence.ts'

it('what a newer node says of itself is read as far as it is known', () => {
  const line = { version: '9.0.0', life: 840, at: 1_800_000_000, instance: 'abc' }
  const read = parsePresence('web-1', JSON.stringify({ ...line, colour: 'blue' }))
  assert.deepEqual(read, parsePresence('web-1', JSON.stringify(line)))
  assert.equal(read?.version, '9.0.0')
})

/** Nodes that write under one key of an etcd. */
function announced() {
  type Line = { readonly value: string; readonly mod_revision: string }
  const etcd = { line: undefined as Line | undefined, revision: 100, isLost: false }
  const ask = async (method: string, body: Fields): Promise<EtcdAnswer> => {
    if (method === 'Lease/LeaseGrant') return { kind: 'answer', value: { ID: '1' } }
    const before = etcd.line
    etcd.line = { value: body['value'] as string, mod_revision: `${++etcd.revision}` }
    if (etcd.isLost) return { kind: 'silence', why: 'lost' }
    const header = { cluster_id: '1', revision: `${etcd.revision}` }
    return { kind: 'answer', value: { header, ...(before !== undefined && { prev_kv: before }) } }
  }
  const told: string[] = []
  const announcer = (instance: string) =>
    new Announcer({
      ...{ etcd: { ask } as unknown as Etcd, cluster: 'front', node: 'web-1' as NodeName, version: '1', instance },
      ...{ life: seconds(840), clocks: { monotonic, wall: () => milliseconds(Date.now()) } },
      onForgotten: () => told.push(instance),
    })
  return { etcd, told, announcer }
}

it('an earlier line of its own tells a node that etcd was put back, also from before its start, and at a later change', async () => {
  const { etcd, told, announcer } = announced()
  await announcer('before').announce()
  const old = etcd.line
  const node = announcer('a')
  await node.announce()
  const backup = etcd.line
  await node.announce()
  assert.deepEqual(told, [])
  for (const line of [backup, old]) {
    told.splice(0)
    etcd.line = line
    etcd.revision += 1_000_000
    await node.announce()
    assert.deepEqual(told, ['a'])
    await node.announce()
    assert.deepEqual(told, ['a'])
  }
})

it('a lost answer, a line that comes late, one that is gone, a restart and a twin tell nothing of that', async () => {
  const { etcd, told, announcer } = announced()
  const [node, twin] = [announcer('a'), announcer('b')]
  await node.announce()
  etcd.isLost = true
  await node.announce()
  etcd.isLost = false
  const late = etcd.line
  await node.announce()
  assert.ok(late)
  etcd.line = { ...late, mod_revision: `${++etcd.revision}` }
  await node.announce()
  await twin.announce()
  await node.announce()
  etcd.line = undefined
  await node.announce()
  await announcer('c').announce()
  assert.deepEqual(told, [])
})
