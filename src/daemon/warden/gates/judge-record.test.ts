/** A node opens what another granted by its own policy only, and never for longer than either says. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type GrantRecord, readGrantRecord } from '../../../cluster-record/gate-records.ts'
import { loadConfig } from '../../../config/load.ts'
import { filesFromSnapshot } from '../../../config/reading/config-files.ts'
import { unixSeconds } from '../../../units.ts'
import { judgeRecord } from './judge-record.ts'

const NOW = 1_795_410_000
const SERVER = 'CLUSTER etcd://127.0.0.1/front;\nCLUSTER_NODE web-1;\nCLUSTER_SECRET_FILE /etc/fwknop/secret;\n'
const record = (change: Partial<Record<keyof GrantRecord, unknown>> = {}): GrantRecord => {
  const read = readGrantRecord({
    ...{ v: 1, name: 'alice', user: 'alice', source: '198.51.100.7', from: '198.51.100.7' },
    ports: [{ protocol: 'tcp', port: 22 }],
    ...{ made: NOW - 10, end: NOW + 50, gates: ['web-*'], node: 'front-1' },
    ...change,
  })
  assert.ok(read)
  return read
}

function judged(lines: readonly string[], change?: Parameters<typeof record>[0]): string {
  const access = `SOURCE 198.51.100.0/24\nKEY one\nHMAC_KEY two\n${lines.join('\n')}\n`
  const texts = { '/s.conf': `${SERVER}ACCESS_FILE /a.conf;\n`, '/a.conf': access }
  const loaded = loadConfig(filesFromSnapshot({ texts, folders: {}, failures: {} }), { server: '/s.conf' })
  assert.ok(loaded.ok, JSON.stringify(loaded))
  const verdict = judgeRecord(
    record(change),
    { policy: loaded.value.policy, ownAddresses: () => new Set() },
    unixSeconds(NOW),
  )
  return verdict.ok ? `${verdict.value.id} ${verdict.value.lifetime}` : verdict.failure.code
}

const ALICE = ['NAME alice', 'OPEN_PORTS tcp/22', 'FROM_CLUSTER Y']

describe('a grant of another node', () => {
  for (const [what, lines, change, expected] of [
    ['opens until its end', ALICE, {}, '198.51.100.7>tcp/22 50'],
    [
      'opens for no longer than the stanza here allows, from its beginning',
      [...ALICE, 'MAX_FW_TIMEOUT 30'],
      {},
      '198.51.100.7>tcp/22 20',
    ],
    ['has no time left by the stanza here', [...ALICE, 'MAX_FW_TIMEOUT 10'], {}, 'SPA_STALE'],
    ['has ended', ALICE, { end: NOW }, 'SPA_STALE'],
    ['is of a clock far ahead', ALICE, { made: NOW + 301, end: NOW + 400 }, 'SPA_FROM_FUTURE'],
    ['is of a clock a little ahead', ALICE, { made: NOW + 20, end: NOW + 50 }, '198.51.100.7>tcp/22 50'],
    ['is for another stanza', ALICE, { name: 'bob' }, 'ACCESS_NO_STANZA'],
    ['is for a stanza that takes none', ['NAME alice', 'OPEN_PORTS tcp/22'], {}, 'ACCESS_NO_STANZA'],
    ['is for a port that is not allowed here', ALICE, { ports: [{ protocol: 'tcp', port: 80 }] }, 'ACCESS_PORT_DENIED'],
    ['is for a source that is not allowed here', ALICE, { from: '203.0.113.9' }, 'ACCESS_NO_SOURCE'],
    ['is for an expired stanza', [...ALICE, 'ACCESS_EXPIRE 01/01/2020'], {}, 'ACCESS_EXPIRED'],
    ['is of another user', [...ALICE, 'REQUIRE_USERNAME bob'], {}, 'ACCESS_USERNAME_DENIED'],
    ['names whom it is for', [...ALICE, 'REQUIRE_SOURCE_ADDRESS Y'], {}, '198.51.100.7>tcp/22 50'],
    ['names nobody', ALICE, { source: 'packet-source' }, '198.51.100.7>tcp/22 50'],
    [
      'names nobody, where the stanza here wants a name',
      [...ALICE, 'REQUIRE_SOURCE_ADDRESS Y'],
      { source: 'packet-source' },
      'ACCESS_SOURCE_REQUIRED',
    ],
    ['asks for this host itself', ALICE, { source: '127.0.0.1' }, 'ACCESS_SOURCE_UNUSABLE'],
  ] as const)
    it(what, () => assert.equal(judged(lines, change), expected))

  it('is none with a field too many, too few or of another version', () => {
    const good = JSON.parse(JSON.stringify(record())) as Record<string, unknown>
    assert.ok(readGrantRecord(good))
    for (const name of Object.keys(good)) assert.equal(readGrantRecord({ ...good, [name]: undefined }), undefined, name)
    assert.equal(readGrantRecord({ ...good, more: 1 }), undefined)
    assert.equal(readGrantRecord({ ...good, v: 2 }), undefined)
  })
})

describe('a grant of another node, for a user of the cluster (CLUSTER_USERS)', () => {
  const stanza = (name: string, ...lines: readonly string[]) =>
    `SOURCE ANY\nNAME ${name}\nKEY ${name} one\nHMAC_KEY ${name} two\nOPEN_PORTS tcp/22\n${lines.join('\n')}\n`
  function judged({ own = '', shared = '', settings = '', clusterCopyOld = undefined as string | undefined }): string {
    const server = `${SERVER}CLUSTER_USERS Y;\nREPLAY_DB /state/replay.db;\nACCESS_FILE /a.conf;\n${settings}`
    const texts = {
      ...{ '/s.conf': server, '/a.conf': own || stanza('owner') },
      '/state/replay.db-cluster-users.conf': shared,
    }
    const loaded = loadConfig(filesFromSnapshot({ texts, folders: {}, failures: {} }), { server: '/s.conf' })
    assert.ok(loaded.ok, JSON.stringify(loaded))
    const here = { policy: loaded.value.policy, ownAddresses: () => new Set<never>(), clusterCopyOld }
    const verdict = judgeRecord(record(), here, unixSeconds(NOW))
    return verdict.ok ? verdict.value.openings.map(({ kind }) => kind).join() : verdict.failure.code
  }
  const shared = stanza('alice', 'GATES web-*', 'FROM_CLUSTER Y')
  const forced = stanza('alice', 'FROM_CLUSTER Y', 'FORCE_NAT 10.0.0.5 22')
  const old = 'this node last had the newest users of the cluster two days ago'

  for (const [what, here, expected] of [
    ['is judged by the stanza of the cluster', { shared }, 'access'],
    ['opens nothing where that stanza does not say so', { shared: stanza('alice', 'GATES web-*') }, 'ACCESS_NO_STANZA'],
    ['opens nothing by a copy that is too old', { shared, clusterCopyOld: old }, 'CLUSTER_USERS_OUTDATED'],
    [
      'opens by a stanza of the node’s own, however old the copy is',
      { own: stanza('alice', 'FROM_CLUSTER Y'), shared, clusterCopyOld: old },
      'access',
    ],
    [
      'opens nothing where the node has a stanza of the same name that does not say so',
      { own: stanza('Alice'), shared },
      'ACCESS_NO_STANZA',
    ],
    ['uses no NAT by the word of the cluster alone', { shared: forced }, 'ACCESS_NO_STANZA'],
    [
      'uses NAT where the node lets the cluster (CLUSTER_USERS_MAY nat)',
      { shared: forced, settings: 'CLUSTER_USERS_MAY nat;\nENABLE_IPT_FORWARDING Y;\n' },
      'forward',
    ],
  ] as const)
    it(what, () => assert.equal(judged(here), expected))
})
