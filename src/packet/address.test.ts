import assert from 'node:assert/strict'
import { test } from 'node:test'
import { networkContains, parseAddress, parseNetwork } from './address.ts'

const spellings: [text: string, canonical: string][] = [
  ['1.2.3.4', '1.2.3.4'],
  ['0.0.0.0', '0.0.0.0'],
  ['::', '::'],
  ['::1', '::1'],
  ['2001:DB8:0:0:0:0:0:1', '2001:db8::1'],
  ['2001:db8:0:1:0:0:0:1', '2001:db8:0:1::1'],
  ['1:0:0:2:0:0:0:3', '1:0:0:2::3'],
  ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0'],
  ['64:ff9b::1.2.3.4', '64:ff9b::102:304'],
  ['::ffff:1.2.3.4', '1.2.3.4'],
]
for (const [text, canonical] of spellings) {
  test(`${text} is ${canonical}`, () => {
    const parsed = parseAddress(text)
    assert.ok(parsed.ok)
    assert.equal(parsed.value, canonical)
  })
}

const refused = [
  '',
  '1.2.3',
  '1.2.3.4.5',
  '256.1.1.1',
  '010.1.1.1',
  '1.2.3.4 ',
  '1..2.3',
  ':',
  ':::',
  '1::2::3',
  '12345::',
  'g::',
  'fe80::1%eth0',
  '1:2:3:4:5:6:7',
  '1:2:3:4:5:6:7:8:9',
  '::1.2.3',
  '1.2.3.4::',
  '-1.2.3.4',
]
for (const text of refused) {
  test(`“${text}” is not an address`, () => {
    const parsed = parseAddress(text)
    assert.equal(parsed.ok ? parsed.value : parsed.failure.code, 'ADDRESS_INVALID')
  })
}

const networks: [network: string, inside: string, outside: string][] = [
  ['10.1.2.3/8', '10.255.0.1', '11.0.0.1'],
  ['10.9.0.0/255.255.255.0', '10.9.0.77', '10.9.1.0'],
  ['0.0.0.0/0', '8.8.8.8', '::1'],
  ['192.168.1.9', '192.168.1.9', '192.168.1.8'],
  ['2001:db8::/33', '2001:db8:7fff::1', '2001:db8:8000::1'],
  ['10.0.0.0/20', '10.0.15.255', '10.0.16.0'],
]
for (const [text, inside, outside] of networks) {
  test(`${text} holds ${inside} and not ${outside}`, () => {
    const [network, here, there] = [parseNetwork(text), parseAddress(inside), parseAddress(outside)]
    assert.ok(network.ok && here.ok && there.ok)
    assert.equal(networkContains(network.value, here.value), true)
    assert.equal(networkContains(network.value, there.value), false)
  })
}

for (const text of ['10.0.0.0/33', '10.0.0.0/', '10.0.0.0/255.0.255.0', '::/129', '::/255.0.0.0', '/8']) {
  test(`“${text}” is not a network`, () => assert.equal(parseNetwork(text).ok, false))
}
