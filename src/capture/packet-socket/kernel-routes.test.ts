/** What needs more than one host is in test/netns/attack-frames.test.ts. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type IpAddress, parseAddress } from '../../packet/address.ts'
import { port } from '../../units.ts'
import { LOOPBACK_INDEX } from '../disbelief.ts'
import { openKernelRoutes } from './kernel-routes.ts'

function ip(text: string): IpAddress {
  const parsed = parseAddress(text)
  assert.ok(parsed.ok)
  return parsed.value
}
const packet = {
  ...{ source: ip('192.0.2.1'), sourcePort: port(4321) },
  ...{ destination: ip('192.0.2.2'), destinationPort: port(62201) },
}
const skip = process.platform === 'linux' ? false : 'netlink is of Linux'

test('routes of the kernel', { skip }, () => {
  const opened = openKernelRoutes()
  assert.ok(opened.ok, opened.ok ? '' : opened.failure.detail)
  const routes = opened.value
  const { destination, ...undirected } = packet
  assert.equal(routes.doubt({ ...packet, interfaceIndex: LOOPBACK_INDEX }), undefined, 'by lo')
  assert.equal(routes.doubt(packet), undefined, 'from a UDP socket')
  assert.equal(routes.doubt({ ...undirected, interfaceIndex: 2 }), undefined, 'destination not known')
  for (const [source, to] of [
    ['192.0.2.1', '192.0.2.2'],
    ['2001:db8::1', '2001:db8::2'],
  ] as const) {
    const gone = { ...packet, source: ip(source), destination: ip(to), interfaceIndex: 0x7fff_fff0 }
    assert.equal(routes.doubt(gone)?.code, 'SPA_UNBELIEVED')
    assert.match(routes.doubt(gone)?.detail ?? '', /came in by interface 2147483632, which is gone/)
  }
  routes.close()
  routes.close()
  assert.equal(routes.doubt({ ...packet, interfaceIndex: 2 })?.code, 'SPA_UNBELIEVED')
})
