import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { memberState } from './member-state.ts'

const METRICS = `# HELP etcd_server_has_leader Whether or not a leader exists.
etcd_server_has_leader 1
etcd_server_is_leader 0
etcd_mvcc_db_total_size_in_bytes 2.0512e+04
etcd_mvcc_db_total_size_in_use_in_bytes 16384
etcd_server_quota_backend_bytes 2.147483648e+09
`
const STATUS = { header: { member_id: '17' }, version: '3.4.23', dbSize: '30000', dbSizeInUse: '20000', leader: '17' }

describe('the state of a member of etcd', () => {
  it('is what it says', () => {
    const said = { id: '17', leader: '17', version: '3.4.23', databaseBytes: 30_000, databaseInUse: 20_000 }
    assert.deepEqual(memberState(STATUS, METRICS), { ...said, quotaBytes: 2_147_483_648 })
    assert.deepEqual(memberState(STATUS, undefined), said)
  })

  it('is what is measured, where it tells its state to administrators only', () => {
    assert.deepEqual(memberState(undefined, METRICS), {
      ...{ leads: 'no', isLed: 'yes', databaseBytes: 20_512, databaseInUse: 16_384, quotaBytes: 2_147_483_648 },
    })
    const other = METRICS.replace('is_leader 0', 'is_leader 1').replace('has_leader 1', 'has_leader 2')
    assert.equal(memberState(undefined, other).leads, 'yes')
    assert.equal(memberState(undefined, other).isLed, undefined)
  })

  it('is not known where nothing is told', () => {
    assert.deepEqual(memberState(undefined, undefined), {})
    assert.deepEqual(memberState(undefined, 'etcd_server_is_leader NaN\n'), {})
  })
})
