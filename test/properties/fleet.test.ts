/** Statements about all fleets: which keys differ, and that no text makes a reader throw. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { BUNDLE_SETTINGS, formatBundle, parseBundle } from '../../src/config/access/node-bundle.ts'
import { formatFleetProfile, nodeProfiles, parseFleetProfile } from '../../src/config/client/fleet-profile.ts'
import { parseFwknoprc } from '../../src/config/client/parse-fwknoprc.ts'
import {
  freeKeyName,
  NODE_SETTINGS,
  parseNodesConf,
  withChangedNode,
  withNode,
  withoutNode,
} from '../../src/config/nodes/nodes-conf.ts'
import { NodeSecret } from '../../src/packet/key.ts'
import { deriveNodeKeys, formatNodeSecret, nodeKeyTexts, parseNodeSecret } from '../../src/packet/node-keys.ts'
import { type KeyName, parseKeyName, parseNodeName } from '../../src/packet/node-name.ts'

const secrets = fc.uint8Array({ minLength: 32, maxLength: 32 })
const keyNames = fc
  .stringMatching(/^[a-z][a-z0-9]{0,9}(?:[.-][a-z0-9]{1,9}){0,3}$/)
  .map((text) => parseKeyName(text))
  .filter((read) => read.ok)
  .map((read) => read.value)

function keys(secret: Uint8Array, keyName: KeyName) {
  const read = NodeSecret.fromBytes(secret)
  assert.ok(read.ok)
  return nodeKeyTexts(deriveNodeKeys(read.value, keyName))
}

test('the keys of two pairs of secret and key name are the same only if the pairs are', () => {
  fc.assert(
    fc.property(secrets, secrets, keyNames, keyNames, (one, other, here, there) => {
      const all = [
        [one, here],
        [one, there],
        [other, here],
        [other, there],
      ] as const
      const pairs = new Set(all.map(([secret, name]) => `${Buffer.from(secret).toString('hex')} ${name}`))
      const derived = all.map(([secret, name]) => keys(secret, name))
      for (const kind of ['key', 'hmacKey'] as const)
        assert.equal(new Set(derived.map((it) => it[kind])).size, pairs.size, kind)
    }),
  )
})

test('one bit of the secret, or one letter of the name, changes both keys', () => {
  fc.assert(
    fc.property(secrets, keyNames, fc.nat(255), (secret, name, bit) => {
      const changed = secret.slice()
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      const usual = keys(secret, name)
      const longer = parseKeyName(`${name.slice(0, 40)}-x`)
      for (const other of [keys(changed, name), ...(longer.ok ? [keys(secret, longer.value)] : [])])
        assert.ok(other.key !== usual.key && other.hmacKey !== usual.hmacKey)
    }),
  )
})

test('no key, and no part of one, is a part of the secret', () => {
  fc.assert(
    fc.property(secrets, keyNames, (secret, name) => {
      const { key, hmacKey } = keys(secret, name)
      const derived = Buffer.concat([Buffer.from(key, 'base64'), Buffer.from(hmacKey, 'base64')])
      // Eight bytes in a row: by chance, one try in 2^54.
      for (let at = 0; at + 8 <= secret.length; at++)
        assert.ok(!derived.includes(Buffer.from(secret.subarray(at, at + 8))))
    }),
    { numRuns: 50 },
  )
})

test('a secret is read as it was written', () => {
  fc.assert(
    fc.property(secrets, (bytes) => {
      const secret = NodeSecret.fromBytes(bytes)
      assert.ok(secret.ok)
      const read = parseNodeSecret(formatNodeSecret(secret.value))
      assert.ok(read.ok && formatNodeSecret(read.value) === formatNodeSecret(secret.value))
    }),
  )
})

const texts = fc.oneof(fc.string({ unit: 'binary' }), fc.string(), fc.base64String(), fc.stringMatching(/^[a-z.-]*$/))

test('no text makes the readers of names and secrets throw, and what they take has one spelling', () => {
  fc.assert(
    fc.property(texts, (text) => {
      const name = parseNodeName(text)
      assert.equal(parseKeyName(text).ok, name.ok)
      if (name.ok) assert.match(name.value, /^(?=.*[a-z])[a-z0-9](?:[a-z0-9.-]{0,61}[a-z0-9])?$/)
      const secret = parseNodeSecret(text)
      if (secret.ok) assert.equal(formatNodeSecret(secret.value), text)
    }),
    { numRuns: 500 },
  )
})

const SECRET = 'AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8='
const rcLines = fc.oneof(
  fc.constantFrom(
    '[ada]',
    '[w]',
    '[default]',
    'FLEET',
    'FLEET ada',
    'FLEET w',
    'NODE web-1',
    'NODE W',
    `NODE_SECRET_BASE64 ${SECRET}`,
    'NODE_SECRET_BASE64 x',
    'KEY x',
    'SPA_SERVER h',
    '# a comment',
  ),
  texts,
)

test('no rc file makes its reader throw, and no part of it tells the secret', () => {
  fc.assert(
    fc.property(fc.array(rcLines, { maxLength: 12 }), (lines) => {
      const file = parseFwknoprc('rc', lines.join('\n'))
      if (!file.ok) return
      for (const name of [...file.value.stanzas, 'nobody']) {
        const settings = file.value.settings(name)
        const all = JSON.stringify([settings, file.value.texts(name), file.value.nodesOf(name)])
        assert.ok(!all.includes(SECRET.slice(0, 16)), all)
        if (settings.ok) assert.ok(!('nodeSecret' in settings.value && 'node' in settings.value))
      }
    }),
    { numRuns: 500 },
  )
})

const fields = fc.oneof(
  fc.constantFrom(
    'name=ada',
    'open=tcp/22',
    `secret=${SECRET}`,
    'made=1',
    'node=w,h',
    'node=w,h,1,x',
    'node=,,,',
    'node=%00',
  ),
  fc.string().map((text) => `node=${encodeURIComponent(text)}`),
  texts,
)

test('no line makes the reader of profiles throw, and what it takes means the same when it is written', () => {
  fc.assert(
    fc.property(fc.array(fields, { maxLength: 8 }), (parts) => {
      const needed = parts.length % 2 === 0 ? ['name=a', 'open=tcp/22', `secret=${SECRET}`] : []
      const read = parseFleetProfile(`ghostport://fleet/1?${[...needed, ...parts].join('&')}`)
      if (!read.ok) return
      assert.deepEqual(parseFleetProfile(formatFleetProfile(read.value)), read)
      assert.equal(nodeProfiles(read.value).length, read.value.nodes.length)
    }),
    { numRuns: 500 },
  )
})

const nodeLines = fc.oneof(
  fc.constantFrom('NODE a', 'NODE b', 'SERVER h', 'PORT 1', 'THIS Y', 'KEY_NAME a', 'RETIRED_KEY_NAME b', '# x'),
  fc.tuple(fc.constantFrom(...NODE_SETTINGS), texts).map(([name, value]) => `${name} ${value}`),
  texts,
)

test('no list of nodes makes its reader throw, and a change of one node leaves the others as they were', () => {
  fc.assert(
    fc.property(fc.array(nodeLines, { maxLength: 10 }), fc.boolean(), (lines, good) => {
      const text = [...(good ? ['NODE w', 'SERVER h'] : []), ...lines].join('\n')
      const list = parseNodesConf('nodes.conf', text)
      if (!list.ok) return
      const { nodes } = list.value
      const names = new Set(nodes.map(({ keyName }) => keyName))
      assert.equal(names.size, nodes.length)
      const fresh = parseNodeName('z.z')
      assert.ok(fresh.ok)
      const others = (read: ReturnType<typeof parseNodesConf>, but: string) =>
        read.ok && read.value.nodes.flatMap(({ first, last, ...one }) => (one.name === but ? [] : [one]))
      for (const node of nodes) {
        const moved = parseNodesConf('n', withChangedNode(text, node, { ...node, name: fresh.value }))
        assert.deepEqual(others(moved, 'z.z'), others(list, node.name))
        const removed = parseNodesConf('n', withoutNode(text, node))
        assert.deepEqual(others(removed, ''), others(list, node.name))
        assert.ok(removed.ok && removed.value.retired.includes(node.keyName))
        assert.notEqual(freeKeyName(node.name, removed.value), node.keyName)
      }
      const added = parseNodesConf(
        'n',
        withNode(text, {
          name: fresh.value,
          keyName: freeKeyName(fresh.value, list.value),
          server: 'h',
          isThis: false,
        }),
      )
      assert.deepEqual(others(added, 'z.z'), others(list, 'z.z'))
    }),
    { numRuns: 500 },
  )
})

const BUNDLE = [
  'GHOSTPORT_BUNDLE 1',
  'NODE a',
  'MADE 1',
  'NAME ada',
  'KEY_BASE64 35ypwrVqAcz6cZR97uY4th/ruv3xSXh8wxFCWf7nPH0=',
  'HMAC_KEY_BASE64 Q59xSEsvLVyXDRxrQY+EzK3hWYSBooGIKL88EJ1A9q9Onr6+YsslLdHQZDLwpE7NbBP6vtsuwxLjV0W4MdQAEA==',
]
const bundleLines = fc.oneof(
  fc.constantFrom('SOURCE ANY', 'OPEN_PORTS tcp/22', 'OLD_KEYS_UNTIL 5', 'ENABLE_CMD_EXEC Y', '# x'),
  fc.tuple(fc.constantFrom(...BUNDLE_SETTINGS), texts).map(([name, value]) => `${name} ${value}`),
  texts,
)

test('no bundle makes its reader throw, and what it takes has no setting but those of the list', () => {
  fc.assert(
    fc.property(fc.array(bundleLines, { maxLength: 6 }), fc.boolean(), (lines, good) => {
      const read = parseBundle('b', [...(good ? BUNDLE : []), ...lines].join('\n'))
      if (!read.ok) return
      const text = formatBundle(read.value)
      assert.deepEqual(parseBundle('b', text), read)
      for (const line of text.trimEnd().split('\n'))
        assert.match(
          line,
          new RegExp(
            `^(#|(${[...BUNDLE_SETTINGS, ...BUNDLE.map((it) => it.split(' ')[0])].join('|')}|OLD_KEYS_UNTIL) )`,
          ),
        )
    }),
    { numRuns: 500 },
  )
})
