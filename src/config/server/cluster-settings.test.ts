import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { clusterAddress } from './cluster-settings.ts'
import { parseFwknopdConf } from './parse-fwknopd-conf.ts'

describe('CLUSTER', () => {
  for (const [text, members, rest] of [
    ['etcds://10.0.0.1/front', ['10.0.0.1 2379'], { secure: true, cluster: 'front' }],
    ['etcd://127.0.0.1:4001/a-b_c.9', ['127.0.0.1 4001'], { secure: false, cluster: 'a-b_c.9' }],
    [
      'etcds://spa@db.example,[2001:db8::1]:23,[::1]/front',
      ['db.example 2379', '2001:db8::1 23', '::1 2379'],
      { secure: true, cluster: 'front', user: 'spa' },
    ],
  ] as const)
    it(`“${text}”`, () => {
      const read = clusterAddress(text)
      assert.ok(read.ok, read.ok ? '' : read.failure.detail)
      const { members: found, ...others } = read.value
      assert.deepEqual(
        found.map(({ host, port }) => `${host} ${port}`),
        members,
      )
      assert.deepEqual(others, rest)
    })

  for (const [text, why] of [
    ['', /not the address of a cluster/],
    ['10.0.0.1:2379', /not the address of a cluster/],
    ['http://10.0.0.1/front', /begins with etcds:\/\/ or etcd:\/\/, not http:/],
    ['etcds://10.0.0.1', /lacks the name/],
    ['etcds://10.0.0.1/', /lacks the name/],
    ['etcds://10.0.0.1/a/b', /“a\/b” is not the name of a cluster/],
    ['etcds://user:secret@10.0.0.1/front', /the password is not part of CLUSTER/],
    ['etcds://10.0.0.1,,10.0.0.2/front', /“” is not a member/],
    ['etcds://10.0.0.1:0/front', /“10\.0\.0\.1:0” is not a member/],
    ['etcds://10.0.0.1:70000/front', /is not a member/],
    ['etcds://2001:db8::1/front', /is not a member/],
    [`etcds://${Array(17).fill('10.0.0.1').join()}/front`, /17 members/],
  ] as const)
    it(`refuses “${text.slice(0, 40)}”, and shows no secret`, () => {
      const read = clusterAddress(text)
      assert.ok(!read.ok)
      assert.match(read.failure.detail, why)
      assert.doesNotMatch(read.failure.detail, /secret/)
    })

  it('never throws', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => void clusterAddress(`etcds://${text}`)))
  })

  const conf = (...lines: readonly string[]) => parseFwknopdConf('/f.conf', lines.map((line) => `${line};\n`).join(''))
  const CLUSTER = 'CLUSTER etcds://10.0.0.1/front'
  for (const [lines, code, why, line] of [
    [[CLUSTER], 'CONFIG_MISSING_KEY', /CLUSTER_NODE/, 1],
    [[CLUSTER, 'CLUSTER_NODE a', 'ENABLE_DIGEST_PERSISTENCE N'], 'CONFIG_CONFLICT', /ENABLE_DIGEST_PERSISTENCE/, 1],
    [[CLUSTER, 'CLUSTER_NODE a', 'ENABLE_SPA_PACKET_AGING N'], 'CONFIG_CONFLICT', /ENABLE_SPA_PACKET_AGING/, 1],
    [['CLUSTER etcds://u@10.0.0.1/front', 'CLUSTER_NODE a'], 'CONFIG_MISSING_KEY', /CLUSTER_PASSWORD_FILE/, 1],
    [['CLUSTER etcd://10.0.0.1/f', 'CLUSTER_NODE a', 'CLUSTER_CA_FILE /c'], 'CONFIG_CONFLICT', /etcds:/, 3],
    [[CLUSTER, 'CLUSTER_NODE a', 'CLUSTER_KEY_FILE /k'], 'CONFIG_MISSING_KEY', /go together/, 1],
    [[CLUSTER, 'CLUSTER_NODE a b'], 'CONFIG_INVALID_VALUE', /name of a node/, 2],
  ] as const)
    it(`refuses ${lines.join('; ')}`, () => {
      const read = conf(...lines)
      assert.ok(!read.ok)
      assert.equal(read.failure.code, code)
      assert.match(read.failure.detail, why)
      assert.deepEqual(read.failure.at, { file: '/f.conf', line })
    })

  it('warns of a way that is not encrypted, unless it stays on this host', () => {
    const warned = (address: string): boolean => {
      const read = conf(`CLUSTER ${address}`, 'CLUSTER_NODE a')
      assert.ok(read.ok)
      return read.value.notices.some(({ text }) => text.includes('etcd:// is not encrypted'))
    }
    assert.deepEqual(
      ['etcd://10.0.0.1/f', 'etcd://127.0.0.1/f', 'etcd://[::1],localhost/f', 'etcds://10.0.0.1/f'].map(warned),
      [true, false, false, false],
    )
  })

  it('other settings of it have no effect without it, and say so', () => {
    const read = conf('CLUSTER_NODE a', 'CLUSTER_TIMEOUT 500')
    assert.ok(read.ok)
    assert.deepEqual(read.value.config.cluster, undefined)
    assert.deepEqual(
      read.value.notices.map(({ text }) => text),
      ['CLUSTER_NODE has no effect: there is no CLUSTER', 'CLUSTER_TIMEOUT has no effect: there is no CLUSTER'],
    )
  })
})
