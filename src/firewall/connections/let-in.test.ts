import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Grant, Opening } from '../../access/grant.ts'
import { type IpAddress, parseNetwork } from '../../packet/address.ts'
import { port } from '../../units.ts'
import { begunByServices, chooseConnections } from './let-in.ts'
import { TCP, type Tracked, UDP } from './tracked.ts'

const CLIENT = ip('192.0.2.7')
const HERE = ip('192.0.2.1')
const INNER = ip('10.3.0.2')
const near = parseNetwork('10.3.0.0/24')
assert.ok(near.ok)

/** As the kernel tracks what a service sends first. */
function begun(source: IpAddress, sourcePort: number, protocol = UDP, destination = CLIENT): Tracked {
  const original = { source, sourcePort, destination, destinationPort: 40053 }
  const reply = { source: destination, sourcePort: 40053, destination: source, destinationPort: sourcePort }
  return { protocol, original, reply, mark: 0, isOver: false }
}

const udp = { protocol: 'udp' } as const
const target = { address: INNER, port: port(1194) }
const range = { network: near.value, ports: { first: port(1000), last: port(2000) } }
const openings: Readonly<Record<string, Opening>> = {
  access: { kind: 'access', ...udp, port: port(1194) },
  'access at another address': { kind: 'access', ...udp, port: port(1194), destination: ip('192.0.2.2') },
  ghost: { kind: 'ghost', ...udp, publicPort: port(443), localPort: port(1194) },
  forward: { kind: 'forward', ...udp, publicPort: port(443), target, translation: 'none' },
  transit: { kind: 'transit', to: [range], translation: 'none' },
  divert: { kind: 'divert', target: INNER, translation: 'none' },
}

describe('what a service began by itself', () => {
  for (const [what, connection, expected] of [
    ['the service here', begun(HERE, 1194), ['access', 'ghost']],
    ['another port of this host', begun(HERE, 443), []],
    ['an inner service', begun(INNER, 1194), ['access', 'ghost', 'forward', 'transit', 'divert']],
    ['another port of the inner host', begun(INNER, 99), ['divert']],
    ['another protocol of the inner host', begun(INNER, 0, 47), ['divert']],
    ['towards another client', begun(HERE, 1194, UDP, ip('192.0.2.8')), []],
    ['by TCP', begun(HERE, 1194, TCP), []],
  ] as const)
    test(`${what}: ${expected.join(', ') || 'no grant'}`, () => {
      const chosen = Object.entries(openings).filter(([, opening]) => {
        const by = [{ grant: { source: CLIENT, openings: [opening] } as unknown as Grant }]
        const tracked = begunByServices([connection], new Set([CLIENT]))
        // Not by its address alone: such a connection has no mark.
        assert.equal(chooseConnections(tracked, { by: [], from: [CLIENT] }, true).connections.length, 0)
        return chooseConnections(tracked, { by }, true).connections.length > 0
      })
      assert.deepEqual(
        chosen.map(([name]) => name),
        expected,
      )
    })

  test('its directions are swapped', () => {
    const [swapped] = begunByServices([begun(HERE, 1194)], new Set([CLIENT]))
    assert.equal(swapped?.original.source, CLIENT)
    assert.equal(swapped?.reply.sourcePort, 1194)
  })
})

function ip(text: string): IpAddress {
  return text as IpAddress
}
