/** GATES and FROM_CLUSTER: what they need, and where a fault is. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { loadConfig } from '../load.ts'
import { filesFromSnapshot } from '../reading/config-files.ts'

const CLUSTER = 'CLUSTER etcd://127.0.0.1/front;\nCLUSTER_NODE web-1;\n'
const SECRET = 'CLUSTER_SECRET_FILE /etc/fwknop/secret;\n'
const KEYS = 'SOURCE ANY\nKEY one\nHMAC_KEY two\n'

function load(stanza: string, server = CLUSTER + SECRET) {
  const texts = { '/s.conf': `${server}ACCESS_FILE /a.conf;\n`, '/a.conf': KEYS + stanza }
  return loadConfig(filesFromSnapshot({ texts, folders: {}, failures: {} }), { server: '/s.conf' })
}

describe('GATES and FROM_CLUSTER', () => {
  it('are read', () => {
    const loaded = load('NAME alice\nOPEN_PORTS tcp/22\nGATES web-*, db-1 x?\nFROM_CLUSTER Y\n')
    assert.ok(loaded.ok, JSON.stringify(loaded))
    const [stanza] = loaded.value.policy.stanzas
    assert.deepEqual([stanza?.gates, stanza?.fromCluster], [['web-*', 'db-1', 'x?'], true])
    assert.ok(!loaded.value.notices.some(({ text }) => text.includes('FROM_CLUSTER')))
  })

  it('warn where any port may be opened', () => {
    const loaded = load('NAME alice\nFROM_CLUSTER Y\n')
    assert.ok(loaded.ok && loaded.value.notices.some(({ text }) => text.includes('FROM_CLUSTER without OPEN_PORTS')))
  })

  it('warn of a gate that opens nothing', () => {
    const warnings = (stanza: string) => {
      const loaded = load(stanza, `${CLUSTER}${SECRET}CAPTURE none;\n`)
      assert.ok(loaded.ok, JSON.stringify(loaded))
      return loaded.value.notices.filter(({ text }) => text.startsWith('This gate opens nothing'))
    }
    assert.equal(warnings('NAME alice\nOPEN_PORTS tcp/22\n').length, 1)
    assert.equal(warnings('NAME alice\nOPEN_PORTS tcp/22\nFROM_CLUSTER Y\n').length, 0)
  })

  for (const [what, stanza, server, code, line] of [
    ['without a NAME', 'GATES web-*\n', undefined, 'CONFIG_MISSING_KEY', 4],
    ['without a NAME', 'FROM_CLUSTER Y\n', undefined, 'CONFIG_MISSING_KEY', 4],
    ['without a secret', 'NAME alice\nGATES web-*\n', CLUSTER, 'CONFIG_CONFLICT', 1],
    ['without a cluster', 'NAME alice\nFROM_CLUSTER Y\n', '', 'CONFIG_CONFLICT', 1],
    ['with a name that is none', 'NAME alice\nGATES web-*,d/b\n', undefined, 'CONFIG_INVALID_VALUE', 5],
    [
      'with commands that open',
      'NAME alice\nGATES web-*\nCMD_CYCLE_OPEN /bin/true\nCMD_CYCLE_CLOSE NONE\n',
      undefined,
      'CONFIG_CONFLICT',
      5,
    ],
  ] as const)
    it(`are refused ${what}: line ${line}`, () => {
      const loaded = load(stanza, server)
      assert.ok(!loaded.ok)
      assert.deepEqual([loaded.failure.code, loaded.failure.at?.line], [code, line], loaded.failure.detail)
    })
})
