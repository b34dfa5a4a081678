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

/** Two nodes that write under one key of an etcd. */
function announced() {
  const etcd = { line: undefined as string | undefined, isLost: false }
  const ask = async (method: string, body: Fields): Promise<EtcdAnswer> => {
    if (method === 'Lease/LeaseGrant') return { kind: 'answer', value: { ID: '1' } }
    const before = etcd.line
    etcd.line = body['value'] as string
    if (etcd.isLost) return { kind: 'silence', why: 'lost' }
    return { kind: 'answer', value: before === undefined ? {} : { prev_kv: { value: before } } }
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

it('an earlier line of its own tells a node that etcd was put back', async () => {
  const { etcd, told, announcer } = announced()
  const node = announcer('a')
  await node.announce()
  const backup = etcd.line
  await node.announce()
  assert.deepEqual(told, [])
  etcd.line = backup
  await node.announce()
  assert.deepEqual(told, ['a'])
  await node.announce()
  assert.deepEqual(told, ['a'])
})

it('a lost answer, a lost line, a restart and a twin tell nothing of that', async () => {
  const { etcd, told, announcer } = announced()
  const [node, twin] = [announcer('a'), announcer('b')]
  await node.announce()
  etcd.isLost = true
  await node.announce()
  etcd.isLost = false
  await node.announce()
  await twin.announce()
  await node.announce()
  etcd.line = undefined
  await node.announce()
  await announcer('c').announce()
  assert.deepEqual(told, [])
})
