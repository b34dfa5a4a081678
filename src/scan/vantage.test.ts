import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { IpAddress } from '../packet/address.ts'
import { vantageOf } from './vantage.ts'

const ip = (text: string): IpAddress => text as IpAddress

describe('who a scanner is', () => {
  for (const [what, source, target, knocker, opensFor, flags, expected] of [
    ['the one who knocks', '203.0.113.7', '192.0.2.1', '203.0.113.7', 'packet-source', '', 'granted'],
    ['another address of this host', '203.0.113.8', '192.0.2.1', '203.0.113.7', 'packet-source', '', 'stranger'],
    ['another, behind a router', '192.168.0.8', '192.0.2.1', '192.168.0.7', 'packet-source', '', 'unsure'],
    ['another, in one network with the target', '10.0.0.8', '10.0.0.1', '10.0.0.7', 'packet-source', '', 'stranger'],
    ['a knock by a proxy', '203.0.113.7', '192.0.2.1', '203.0.113.7', 'packet-source', 'indirect', 'unsure'],
    ['named by the knock', '203.0.113.7', '192.0.2.1', '203.0.113.7', '203.0.113.7', '', 'granted'],
    ['not named by the knock', '203.0.113.7', '192.0.2.1', '203.0.113.7', '203.0.113.9', '', 'stranger'],
    ['perhaps named, behind a router', '10.0.0.7', '192.0.2.1', '10.0.0.7', '203.0.113.9', '', 'unsure'],
    ['itself, as others see it', '10.0.0.7', '192.0.2.1', '10.0.0.7', '203.0.113.9', 'own', 'granted'],
    ['of the other family', 'fd00::7', '2001:db8::1', 'fd00::7', '203.0.113.9', '', 'stranger'],
    ['behind a router of IPv6', 'fd00::8', '2001:db8::1', 'fd00::7', 'packet-source', '', 'unsure'],
  ] as const)
    it(`${what}: ${expected}`, () => {
      const found = vantageOf({
        ...{ source: ip(source), target: ip(target), knocker: ip(knocker), isOwn: flags === 'own' },
        ...{ opensFor: opensFor === 'packet-source' ? opensFor : ip(opensFor), indirect: flags === 'indirect' },
      })
      assert.equal(found, expected)
    })
})
