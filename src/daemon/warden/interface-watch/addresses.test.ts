import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { loadConfig } from '../../../config/load.ts'
import { filesFromSnapshot } from '../../../config/reading/config-files.ts'
import type { IpAddress } from '../../../packet/address.ts'
import { addressChanges, settingsThatName } from './addresses.ts'

const addresses = fc.dictionary(
  fc.constantFrom('192.0.2.1', '192.0.2.2', '2001:db8::1'),
  fc.constantFrom('eth0', 'eth1'),
)
const lookOf = (names: Readonly<Record<string, string>>) =>
  new Map(Object.entries(names)) as unknown as Map<IpAddress, string>

test('what is added to the earlier addresses, and taken from them, gives the later ones', () => {
  fc.assert(
    fc.property(addresses, addresses, (one, other) => {
      const [before, now] = [lookOf(one), lookOf(other)]
      const { added, removed } = addressChanges(before, now)
      const kept = [...before.keys()].filter((address) => !removed.includes(address))
      assert.deepEqual(new Set([...kept, ...added]), new Set(now.keys()))
      assert.equal(kept.length + added.length, now.size)
    }),
  )
})

test('settings that name an address of this host', () => {
  const server = 'ENABLE_IPT_FORWARDING Y;\nENABLE_IPT_SNAT Y;\nSNAT_TRANSLATE_IP 192.0.2.1;\n'
  const access = [
    ...['SOURCE ANY', 'NAME web', 'KEY aaaaaaaaaaaaaaaa', 'DESTINATION 192.0.2.1'],
    ...['SOURCE ANY', 'KEY bbbbbbbbbbbbbbbb', 'DESTINATION 192.0.2.0/24', 'FORCE_NAT 192.0.2.1 22'],
    ...['SOURCE ANY', 'KEY cccccccccccccccc', 'FORCE_NAT 10.0.0.1 22', 'FORCE_SNAT 192.0.2.1'],
    '',
  ].join('\n')
  const files = filesFromSnapshot({ texts: { '/s': server, '/a': access }, folders: {}, failures: {} })
  const loaded = loadConfig(files, { server: '/s', access: '/a' })
  assert(loaded.ok, JSON.stringify(loaded))
  const named = (address: string) => settingsThatName([address as IpAddress], loaded.value.server, loaded.value.policy)
  assert.deepEqual(named('192.0.2.1'), [
    'SNAT_TRANSLATE_IP',
    'DESTINATION of stanza web',
    'FORCE_NAT of stanza 2',
    'FORCE_SNAT of stanza 3',
  ])
  assert.deepEqual(named('192.0.2.2'), [])
})
