import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { IpAddress } from '../../packet/address.ts'
import { parseDescriptorLimit } from './descriptors.ts'
import { ConnectionCount, defaultLimits, descriptorsFor, FEWEST_CONNECTIONS, limitsFor } from './limits.ts'

const a = '192.0.2.1' as IpAddress
const b = '192.0.2.2' as IpAddress

/** How many of `most` find a place. */
function take(most: number, admit: () => (() => void) | undefined): (() => void)[] {
  return Array.from({ length: most }, admit).filter((release) => release !== undefined)
}

test('a stranger has a share, all strangers have half, and the rest is for the granted', () => {
  const count = new ConnectionCount({ connections: 12, strangers: 6, strangersPerSource: 4 })
  const ofA = take(9, () => count.admitStranger(a))
  assert.equal(ofA.length, 4)
  assert.equal(take(9, () => count.admitStranger(b)).length, 2)
  assert.equal(take(9, () => count.admitGranted(a, ['stanza 1'])).length, 2)
  ofA[0]?.()
  assert.deepEqual([count.strangers, count.granted], [5, 2])
})

test('one source with a grant gets a third; another of its stanza, and another stanza, get in', () => {
  const count = new ConnectionCount({ connections: 90, strangers: 45, strangersPerSource: 45 })
  const greedy = take(1000, () => count.admitGranted(a, ['stanza 1']))
  assert.equal(greedy.length, 30)
  assert.ok(take(1000, () => count.admitGranted(b, ['stanza 1'])).length >= 10)
  assert.ok(take(1000, () => count.admitGranted(a, ['stanza 2'])).length >= 10)
  assert.ok(take(1000, () => count.admitStranger(b)).length >= 10)
  for (const release of greedy) release()
  assert.ok(take(1000, () => count.admitGranted(a, ['stanza 1'])).length >= 10)
})

test('who holds a grant of two stanzas counts for the one with fewer connections', () => {
  const count = new ConnectionCount({ connections: 90, strangers: 45, strangersPerSource: 45 })
  for (const last of [1, 2, 3, 4, 5, 6, 7, 8, 9])
    take(1000, () => count.admitGranted(`198.51.100.${last}` as IpAddress, ['stanza 1']))
  assert.equal(count.admitGranted(b, ['stanza 1']), undefined)
  assert.ok(count.admitGranted(b, ['stanza 1', 'stanza 2']))
})

test('whoever took what before, the first connection of another stanza has a place', () => {
  const holder = fc.record({
    stanza: fc.integer({ min: 0, max: 4 }),
    source: fc.integer({ min: 1, max: 5 }),
    wanted: fc.integer({ min: 1, max: 200 }),
  })
  fc.assert(
    fc.property(fc.array(holder, { maxLength: 30 }), (holders) => {
      // Five stanzas, and strangers, leave a sixth part of 64 places and more.
      const count = new ConnectionCount({ connections: 64, strangers: 32, strangersPerSource: 32 })
      for (const { stanza, source, wanted } of holders) {
        const from = `192.0.2.${source}` as IpAddress
        take(wanted, () => (stanza === 0 ? count.admitStranger(from) : count.admitGranted(from, [`stanza ${stanza}`])))
      }
      assert.ok(count.granted + count.strangers < 64)
      assert.ok(count.admitGranted(a, ['stanza of the owner']))
    }),
  )
})

const SHARED: readonly [string, string, boolean][] = [
  ['2001:db8::1', '2001:db8::ffff:2', true],
  ['2001:db8:0:1::1', '2001:db8:0:2::1', false],
  ['192.0.2.1', '192.0.2.2', false],
]
for (const [one, other, same] of SHARED) {
  test(`${one} and ${other} are ${same ? 'one stranger' : 'two'}, and one source of a stanza or two`, () => {
    const count = new ConnectionCount({ connections: 9, strangers: 9, strangersPerSource: 1 })
    assert.ok(count.admitStranger(one as IpAddress))
    assert.equal(count.admitStranger(other as IpAddress) === undefined, same)
    const granted = new ConnectionCount({ connections: 6, strangers: 3, strangersPerSource: 1 })
    take(9, () => granted.admitGranted(one as IpAddress, ['stanza 1']))
    assert.equal(granted.admitGranted(other as IpAddress, ['stanza 1']) === undefined, same)
  })
}

test('the limits follow the descriptors that the process may have', () => {
  assert.deepEqual(limitsFor(1_048_576), defaultLimits)
  assert.deepEqual(defaultLimits, { connections: 2048, strangers: 1024, strangersPerSource: 64 })
  assert.deepEqual(limitsFor(1024), { connections: 448, strangers: 224, strangersPerSource: 14 })
  assert.deepEqual(limitsFor(descriptorsFor(2048)), defaultLimits)
  assert.equal(limitsFor(descriptorsFor(FEWEST_CONNECTIONS))?.connections, FEWEST_CONNECTIONS)
  assert.equal(limitsFor(descriptorsFor(FEWEST_CONNECTIONS) - 1), undefined)
  for (let descriptors = 0; descriptors < 10_000; descriptors += 7)
    assert.ok(2 * (limitsFor(descriptors)?.connections ?? 0) <= descriptors)
})

test('/proc/PID/limits is understood', () => {
  const text = (soft: string) =>
    `Limit                     Soft Limit           Hard Limit           Units     \nMax open files            ${soft.padEnd(20)} 1048576              files     \n`
  assert.equal(parseDescriptorLimit(text('1024')), 1024)
  assert.equal(parseDescriptorLimit(text('unlimited')), undefined)
  assert.equal(parseDescriptorLimit(''), undefined)
})
