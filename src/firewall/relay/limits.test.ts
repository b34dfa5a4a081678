import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { IpAddress } from '../../packet/address.ts'
import { ConnectionCount } from './limits.ts'

const a = '192.0.2.1' as IpAddress
const b = '192.0.2.2' as IpAddress

test('a stranger has a share, all strangers have one, and the rest is for the granted', () => {
  const count = new ConnectionCount({ connections: 5, strangers: 3, strangersPerSource: 2 })
  const ofA = [count.admitStranger(a), count.admitStranger(a)]
  assert.equal(count.admitStranger(a), undefined)
  assert.ok(count.admitStranger(b))
  assert.equal(count.admitStranger(b), undefined)
  assert.ok(count.admitGranted())
  assert.ok(count.admitGranted())
  assert.equal(count.admitGranted(), undefined)
  ofA[0]?.()
  assert.deepEqual([count.strangers, count.granted], [2, 2])
  assert.ok(count.admitStranger(a))
})

test('the granted may take the share of the strangers', () => {
  const count = new ConnectionCount({ connections: 2, strangers: 2, strangersPerSource: 2 })
  assert.ok(count.admitGranted())
  assert.ok(count.admitGranted())
  assert.equal(count.admitStranger(a), undefined)
})

const SHARED: readonly [string, string, boolean][] = [
  ['2001:db8::1', '2001:db8::ffff:2', true],
  ['2001:db8:0:1::1', '2001:db8:0:2::1', false],
  ['192.0.2.1', '192.0.2.2', false],
]
for (const [one, other, same] of SHARED) {
  test(`${one} and ${other} are ${same ? 'one stranger' : 'two'}`, () => {
    const count = new ConnectionCount({ connections: 9, strangers: 9, strangersPerSource: 1 })
    assert.ok(count.admitStranger(one as IpAddress))
    assert.equal(count.admitStranger(other as IpAddress) === undefined, same)
  })
}
