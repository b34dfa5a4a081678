import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { hostOf } from '../../../test/support/host-of-values.ts'
import { parseAddress } from '../../packet/address.ts'
import { lookAtInterfaces, parseDefaultRoutes, parseDefaultRoutes6 } from './interfaces.ts'

const ROUTES = `Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t0100000A\t0003\t0\t0\t0\t00000000\t0\t0\t0
eth0\t0000000A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
tun0\t00000000\t00000000\t0001\t0\t0\t0\t00000080\t0\t0\t0
eth1\t00000000\t0100000B\t0203\t0\t0\t0\t00000000\t0\t0\t0
`
const ZERO = '0'.repeat(32)
const ROUTES6 = `fd000000000000000000000000000000 40 ${ZERO} 00 ${ZERO} 00000100 00000001 00000000 00000001     eth0
${ZERO} 00 ${ZERO} 00 fd000000000000000000000000000001 00000400 00000001 00000000 00000003     eth0
${ZERO} 00 ${ZERO} 00 ${ZERO} ffffffff 00000001 00000000 00200200       lo
`

describe('interfaces', () => {
  it('have default routes of both families, and no other route counts', () => {
    assert.deepEqual(parseDefaultRoutes(ROUTES), ['eth0'])
    assert.deepEqual(parseDefaultRoutes6(ROUTES6), ['eth0'])
    assert.deepEqual([parseDefaultRoutes(''), parseDefaultRoutes6('')], [[], []])
  })

  it('are listed with their addresses, also those without', () => {
    const address = parseAddress('10.0.0.2')
    assert.ok(address.ok)
    const files = {
      '/proc/self/net/dev': 'Inter-|\n face |\n    lo: 0 0\n  eth0: 1 2\n  eth9: 0 0\n',
      '/proc/self/net/route': ROUTES,
    }
    const on = { interface: 'eth0', address: address.value, prefixLength: 24, hardware: new Uint8Array(6) }
    assert.deepEqual(lookAtInterfaces(hostOf({ files, addresses: [on] })), {
      known: true,
      value: [
        { name: 'lo', addresses: [], defaultRoute: [] },
        { name: 'eth0', addresses: [{ address: '10.0.0.2', prefixLength: 24 }], defaultRoute: ['IPv4'] },
        { name: 'eth9', addresses: [], defaultRoute: [] },
      ],
    })
    assert.equal(lookAtInterfaces(hostOf({})).known, false)
  })
})
