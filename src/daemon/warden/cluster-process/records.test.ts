/** The records of a cluster in the warden, against a process that hands over what it likes. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type RecordId, type RecordName, recordId, type SealedRecord } from '../../../cluster-record/record-name.ts'
import { parseClusterSecret, recordSealer } from '../../../cluster-record/seal.ts'
import type { ClusterName } from '../../../config/server/cluster-settings.ts'
import { MemoryLog } from '../../../log.ts'
import { milliseconds, seconds } from '../../../units.ts'
import { parseToCluster, type ToCluster } from '../../link/cluster-protocol.ts'
import { Records } from './records.ts'

const secret = parseClusterSecret(Buffer.from(Buffer.alloc(32, 7).toString('base64')))
assert.ok(secret.ok)
const sealer = recordSealer('front' as ClusterName, secret.value)
const name = (id: string, kind: RecordName['kind'] = 'grant'): RecordName => ({ kind, id: recordId(id) as RecordId })
const written = (of: RecordName, value: unknown, as = of) => ({
  ...as,
  sealed: sealer.seal(of, Buffer.from(JSON.stringify(value))),
})

function start() {
  const log = new MemoryLog()
  const records = new Records({ sealer, log, limit: milliseconds(50) })
  const sent: ToCluster[] = []
  const told: unknown[] = []
  records.on('grant', {
    onRecord: (id, value) => told.push([id, value]),
    onRemoved: (id) => told.push(`${id} removed`),
    onListed: () => told.push('listed'),
    onFollowing: () => told.push('following'),
  })
  records.connect((message) => {
    const read = parseToCluster(message)
    assert.ok(read)
    sent.push(read)
  })
  return { records, sent, told, log }
}

describe('the records of a cluster', () => {
  it('are told as they come, and what a list lacks is removed', () => {
    const { records, told } = start()
    for (const state of ['listing', 'listed', 'following'] as const) {
      records.take({ type: 'records', state })
      if (state === 'listing')
        records.take({ type: 'changes', changes: [written(name('a'), 1), written(name('b'), 2)] })
    }
    records.take({ type: 'changes', changes: [name('a'), written(name('c'), 3)] })
    records.take({ type: 'records', state: 'listing' })
    records.take({ type: 'changes', changes: [written(name('c'), 3)] })
    records.take({ type: 'records', state: 'listed' })
    assert.deepEqual(told, [
      ...[['a', 1], ['b', 2], 'listed', 'following', 'a removed', ['c', 3]],
      ...[['c', 3], 'b removed', 'listed'],
    ])
    assert.equal(records.status().records, 1)
  })

  it('are all told that a list has; where it is short, the log and the status say of what', () => {
    const { records, told, log } = start()
    records.take({ type: 'records', state: 'listing' })
    records.take({ type: 'changes', changes: [written(name('a'), 1)] })
    records.take({ type: 'records', state: 'listed', short: ['opened'] })
    assert.deepEqual(told, [['a', 1], 'listed'])
    assert.deepEqual(records.status().short, ['opened'])
    assert.match(`${log.records.at(-1)?.fields['detail']}`, /passed over \(opened\)/)
    records.take({ type: 'records', state: 'listing' })
    records.take({ type: 'records', state: 'listed' })
    assert.equal(records.status().short, undefined)
  })

  it('are told under their own name only, and never what nobody sealed', () => {
    const { records, told, log } = start()
    const changed = written(name('a'), 1)
    const bytes = Buffer.from(changed.sealed, 'base64')
    bytes[20] = (bytes[20] ?? 0) ^ 1
    records.take({
      type: 'changes',
      changes: [
        written(name('a'), 1, name('b')),
        written(name('a', 'revocation'), 1, name('a')),
        { ...changed, sealed: bytes.toString('base64') as SealedRecord },
        { ...changed, sealed: Buffer.alloc(40).toString('base64') as SealedRecord },
        name('never'),
      ],
    })
    assert.deepEqual(told, [])
    assert.deepEqual([records.status().unreadable, records.status().records], [4, 0])
    assert.equal(log.records.filter(({ event }) => event === 'cluster records').length, 1)
  })

  it('are written, or the reason is told, also if nobody answers', async () => {
    const { records, sent } = start()
    const [good, refused] = [records.put(name('a'), { v: 1 }, seconds(60)), records.put(name('b'), {})]
    const [first, second] = sent
    assert.ok(first?.type === 'put' && second?.type === 'put')
    assert.deepEqual(Buffer.from(sealer.open(name('a'), first.sealed) ?? '').toString(), '{"v":1}')
    assert.deepEqual([first.life, second.life], [60, undefined])
    records.take({ type: 'written', number: second.number, why: 'no room' })
    records.take({ type: 'written', number: first.number })
    records.take({ type: 'written', number: 99 })
    assert.deepEqual(await Promise.all([good, refused, records.remove(name('a'))]), [
      undefined,
      'no room',
      'no answer in time',
    ])
    const last = records.put(name('c'), {})
    records.lost('it has ended')
    assert.equal(await last, 'it has ended')
    assert.equal(await records.put(name('d'), {}), 'the cluster process does not run')
    assert.deepEqual([records.status().following, records.status().why], [false, 'it has ended'])
  })
})
