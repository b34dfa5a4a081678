/** What a change of the stanzas of a cluster is made of, and what is refused before anything is written. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { loadConfig } from '../../config/load.ts'
import { filesFromSnapshot } from '../../config/reading/config-files.ts'
import { clusterChanges } from './cluster-change.ts'

const CONF = '/etc/fwknop/fwknopd.conf'
const COPY = '/var/lib/ghostport/replay.db-cluster-users.conf'
const SETTINGS = [
  ...['CLUSTER etcd://127.0.0.1:2379/front', 'CLUSTER_NODE web-1', 'CLUSTER_SECRET_FILE /etc/fwknop/cluster.secret'],
  ...['CLUSTER_USERS Y', `REPLAY_DB ${COPY.replace('-cluster-users.conf', '')}`],
].join('\n')
const stanza = (name: string, ...lines: readonly string[]): string =>
  ['SOURCE ANY', `NAME ${name}`, ...lines, `KEY the key of ${name}`, `HMAC_KEY the other of ${name}`].join('\n')

const files = (copy: string) =>
  filesFromSnapshot({
    texts: { [CONF]: SETTINGS, '/etc/fwknop/access.conf': stanza('owner'), [COPY]: copy },
    folders: {},
    failures: {},
  })

/** @returns what is made of a copy with these stanzas, in place of one that has ada's alone. */
function changed(...stanzas: readonly string[]) {
  const text = `${stanzas.join('\n\n')}\n`
  const after = loadConfig(files(text), { server: CONF })
  assert.ok(after.ok, JSON.stringify(after))
  return clusterChanges(after.value.server, files(`${stanza('ada')}\n`), new Map([[COPY, text]]), after.value)
}

describe('changes to the stanzas of a cluster', () => {
  it('are what is new, and what is gone', () => {
    const added = changed(stanza('ada'), stanza('bob'))
    assert.ok(added.ok, JSON.stringify(added))
    assert.deepEqual(
      added.value.map(({ key, before, after }) => [key, before !== undefined, after !== undefined]),
      [['bob', false, true]],
    )
    const moved = changed(stanza('bob'))
    assert.ok(moved.ok)
    assert.deepEqual(moved.value.map(({ key }) => key).sort(), ['ada', 'bob'])
  })

  it('have those that a command counts on, as they are; and are refused where they are not in force here', () => {
    const asked = (copy: string) => {
      const loaded = loadConfig(files(copy), { server: CONF })
      assert.ok(loaded.ok, JSON.stringify(loaded))
      return clusterChanges(loaded.value.server, files(copy), new Map(), loaded.value, new Set(['ada']))
    }
    const ada = stanza('ada')
    assert.deepEqual(asked(`${ada}\n\n${stanza('bob')}\n`), {
      ok: true,
      value: [{ key: 'ada', before: ada, after: ada }],
    })
    const refused = asked(`${stanza('ada', 'FORCE_NAT 10.0.0.1 22')}\n`)
    assert.ok(!refused.ok)
    assert.match(refused.failure.detail, /ada of the cluster is left out at this node: FORCE_NAT needs/)
  })

  for (const [what, lines] of [
    ['commands', ['ENABLE_CMD_EXEC Y', 'CMD_EXEC_USER root']],
    ['a cycle of commands', ['CMD_CYCLE_OPEN /bin/true', 'CMD_CYCLE_CLOSE NONE']],
    ['GnuPG', ['GPG_HOME_DIR /root/.gnupg', 'GPG_ALLOW_NO_PW Y']],
    ['a file of keys', ['%include_keys /home/bob/keys']],
  ] as const)
    it(`with ${what} are refused, never left out: the stanza would be lost`, () => {
      const refused = changed(stanza('ada'), stanza('bob', ...lines))
      assert.ok(!refused.ok)
      assert.match(refused.failure.detail, /is not for stanzas of a cluster/)
    })
})
