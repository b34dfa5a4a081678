/** Stanzas of a cluster beside those of a node: one that cannot be used costs itself, and nothing else. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { textFromBytes } from '../../bytes/text.ts'
import { loadConfig } from '../load.ts'
import { type ConfigFiles, filesFromSnapshot } from '../reading/config-files.ts'
import { judgeClusterStanza } from './cluster-blocks.ts'

const [CONF, ACCESS, COPY] = [
  '/etc/fwknop/fwknopd.conf',
  '/etc/fwknop/access.conf',
  '/var/lib/ghostport/replay.db-cluster-users.conf',
]
const keys = ['KEY the key of somebody', 'HMAC_KEY and their other key']
const stanza = (name: string, ...lines: readonly string[]): string =>
  ['SOURCE ANY', `NAME ${name}`, ...lines, ...keys.map((line) => `${line} ${name}`)].join('\n')

function files(access: string, copy: string | undefined, ...server: readonly string[]): ConfigFiles {
  const settings = [
    ...['CLUSTER etcd://127.0.0.1:2379/front', 'CLUSTER_NODE web-1', 'CLUSTER_SECRET_FILE /etc/fwknop/cluster.secret'],
    ...['CLUSTER_USERS Y', `REPLAY_DB ${COPY.replace('-cluster-users.conf', '')}`, ...server],
  ]
  const texts = { [CONF]: settings.join('\n'), [ACCESS]: access, ...(copy !== undefined && { [COPY]: copy }) }
  return filesFromSnapshot({ texts, folders: {}, failures: {} })
}

function loaded(...parts: Parameters<typeof files>) {
  const result = loadConfig(files(...parts), { server: CONF })
  assert.ok(result.ok, JSON.stringify(result))
  const { policy, notices } = result.value
  const names = policy.stanzas.map(({ name, ofCluster }) => `${name}${ofCluster ? ' of the cluster' : ''}`)
  return { names, policy, said: notices.map(({ text }) => text).join('\n') }
}

describe('stanzas of a cluster', () => {
  it('come after those of the node', () => {
    const { names } = loaded(stanza('owner'), `# head\n\n${stanza('ada')}\n\n${stanza('bob')}\n`)
    assert.deepEqual(names, ['owner', 'ada of the cluster', 'bob of the cluster'])
  })

  it('never hide one of the node: its NAME goes before', () => {
    const { names, said } = loaded(
      stanza('ada', 'OPEN_PORTS tcp/22'),
      `${stanza('Ada', 'OPEN_PORTS tcp/443')}\n${stanza('bob')}`,
    )
    assert.deepEqual(names, ['ada', 'bob of the cluster'])
    assert.match(said, /stanza Ada of the cluster is left out at this node: .*access\.conf:2 has the same NAME/)
  })

  it('of another cluster do not count', () => {
    const head = (name: string): string =>
      `# ghostport: the stanzas of the cluster ${name}, version 3 abcdefghijklmnop\n`
    assert.deepEqual(loaded(stanza('owner'), `${head('front')}${stanza('ada')}`).names, ['owner', 'ada of the cluster'])
    const { names, said } = loaded(stanza('owner'), `${head('front.2')}${stanza('ada')}`)
    assert.deepEqual(names, ['owner'])
    assert.match(said, /is the copy of the cluster front\.2, and this host is in front/)
  })

  it('are not needed: a node starts without a copy, and without any stanza', () => {
    assert.deepEqual(loaded(stanza('owner'), undefined).names, ['owner'])
    const { names, said } = loaded('', undefined)
    assert.deepEqual(names, [])
    assert.match(said, /no stanza of the cluster is known here/)
    assert.match(said, /nobody can get in/)
  })

  for (const [what, lines, why] of [
    ['commands', ['ENABLE_CMD_EXEC Y', 'CMD_EXEC_USER root'], /ENABLE_CMD_EXEC is not for stanzas of a cluster/],
    ['a command cycle', ['CMD_CYCLE_OPEN /bin/true', 'CMD_CYCLE_CLOSE NONE'], /CMD_CYCLE_OPEN is not for/],
    ['GnuPG', ['GPG_HOME_DIR /root/.gnupg', 'GPG_ALLOW_NO_PW Y'], /GPG_HOME_DIR is not for/],
    ['a file of keys', ['%include_keys /home/ada/keys'], /%include_keys is not for/],
    ['other stanzas', ['%include /etc/fwknop/access.conf'], /%include is not for/],
    ['NAT', ['FORCE_NAT 10.0.0.5 22'], /FORCE_NAT needs “CLUSTER_USERS_MAY nat”/],
    ['a setting of a later version', ['TELEPORT Y'], /does not begin with the name of a variable/],
    ['no line', ['= ='], /a line is a name/],
    ['a bad value', ['OPEN_PORTS tcp/99999'], /OPEN_PORTS/],
  ] as const)
    it(`are left out alone for ${what}`, () => {
      const copy = `${stanza('ada')}\n\n${stanza('bad', ...lines)}\n\n${stanza('bob')}\n`
      const { names, said } = loaded(stanza('owner'), copy)
      assert.deepEqual(names, ['owner', 'ada of the cluster', 'bob of the cluster'])
      assert.match(said, why)
    })

  it('have no key of bytes that are not text: other nodes would read another key', () => {
    const raw = stanza('ada').replace('somebody', textFromBytes(Uint8Array.of(0xe9)))
    const judged = judgeClusterStanza(raw)
    assert.ok(!judged.ok)
    assert.match(judged.failure.detail, /KEY_BASE64/)
    assert.ok(judgeClusterStanza(stanza('ada').replace('somebody', 'é')).ok)
  })

  it('use no NAT unless the node says so', () => {
    const nat = ['ENABLE_IPT_FORWARDING Y', 'CLUSTER_USERS_MAY nat']
    const copy = `${stanza('ada', 'FORCE_NAT 10.0.0.5 22')}\n${stanza('bob', 'NAT_TARGETS 10.0.0.0/24:22')}`
    assert.deepEqual(loaded(stanza('owner'), copy, ...nat).names, ['owner', 'ada of the cluster', 'bob of the cluster'])
    const without = loaded(stanza('owner'), copy, 'ENABLE_IPT_FORWARDING Y')
    assert.deepEqual(without.names, ['owner', 'bob of the cluster'])
    assert.deepEqual(without.policy.stanzas[1]?.natTargets, [])
    // NAT of the stanza, and none at this node.
    assert.deepEqual(loaded(stanza('owner'), copy, 'CLUSTER_USERS_MAY nat').names, ['owner', 'bob of the cluster'])
  })

  it('keep the server running whatever their SPA_PORT', () => {
    const many = Array.from({ length: 1100 }, (_, i) => stanza(`u${i}`, `SPA_PORT ${10_000 + 2 * i}`)).join('\n')
    const { names, said } = loaded(stanza('owner'), `${many}\n${stanza('bob')}`, 'CAPTURE packet')
    assert.deepEqual(names, ['owner', 'bob of the cluster'])
    assert.match(said, /more SPA ports than this node can take/)
    assert.deepEqual(loaded(stanza('owner'), stanza('u1', 'SPA_PORT 1234'), 'CAPTURE udp').names, ['owner'])
  })

  it('have a NAME, one SOURCE, and nothing of one host', () => {
    assert.ok(judgeClusterStanza(stanza('ada', '# a comment')).ok)
    for (const wrong of ['SOURCE ANY\nKEY x', `${stanza('ada')}\n${stanza('bob')}`, `NAME ada\n${stanza('ada')}`, ''])
      assert.ok(!judgeClusterStanza(wrong).ok, wrong)
  })
})
