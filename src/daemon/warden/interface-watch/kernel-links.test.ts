/** In a network namespace: how many addresses a look lists, and whose. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { enter, Network, netnsUnavailable } from '../../../../test/support/netns.ts'
import { openKernelLinks } from './kernel-links.ts'

test('only the wanted addresses are listed, and not too many', {
  skip: netnsUnavailable(),
  timeout: 60_000,
}, async () => {
  const net = await Network.create()
  try {
    const [one, other] = [await net.host('one'), await net.host('other')]
    await net.link(one, ['10.9.0.1/24', 'fd09::1/64'], other, ['10.9.0.2/24'], ['eth0', 'eth0'])
    await net.link(one, ['10.9.1.1/24'], other, ['10.9.1.2/24'], ['eth1', 'eth1'])
    one.must(['ip', 'link', 'property', 'add', 'dev', 'eth1', 'altname', 'uplink'])
    const leave = await enter(one)
    const links = openKernelLinks()
    leave()
    const looked = links.look(['eth0', 'eth9', 'uplink'], 'named')
    assert.equal(looked.fault, undefined)
    assert.equal(looked.links.get('eth0')?.isRunning, true)
    assert.equal(looked.links.get('eth9'), null)
    assert.equal(looked.links.get('uplink'), null, 'capture does not know it by this name')
    assert.deepEqual(Object.fromEntries(looked.addresses ?? []), { '10.9.0.1': 'eth0', 'fd09::1': 'eth0' })
    assert.deepEqual(Object.fromEntries(links.look([], 'all').addresses ?? []), {
      ...{ '10.9.0.1': 'eth0', 'fd09::1': 'eth0' },
      '10.9.1.1': 'eth1',
    })
    assert.equal(links.look(['eth0'], 'none').addresses, undefined)
    assert.equal(links.nameOf(looked.links.get('eth0')?.index ?? 0), 'eth0')

    const lines = Array.from({ length: 2000 }, (_, i) => `address add 10.8.${i >> 8}.${i & 255}/32 dev eth1\n`)
    one.must(['ip', '-batch', '-'], { input: lines.join('') })
    const many = links.look(['eth0'], 'all')
    assert.equal(many.addresses, undefined)
    assert.match(many.fault ?? '', /more than 2000 addresses/)
    assert.equal(many.links.get('eth0')?.isRunning, true, 'the links are looked at all the same')
    links.close()
  } finally {
    await net.close()
  }
})
