import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { milliseconds } from '../../../units.ts'
import { compare, conditionsOf, type Holding, type LinkLook, type LinkState } from './conditions.ts'
import { silenceConditions } from './reception.ts'

const ALL = { exists: true, running: true, bytes: true }
const FINE: LinkState = { index: 2, isUp: true, isRunning: true, rxBytes: 1000, txBytes: 500 }
const DOWN = { ...FINE, isUp: false, isRunning: false }

const look = (state: LinkState | null): LinkLook => new Map([['eth0', state]])

const cases: readonly (readonly [
  string,
  LinkState | null | undefined,
  LinkState | null,
  string | undefined,
  RegExp?,
])[] = [
  ['first look, all is well', undefined, FINE, undefined],
  ['nothing came meanwhile: a quiet network is no fault', FINE, FINE, undefined],
  ['more bytes', FINE, { ...FINE, rxBytes: 2000 }, undefined],
  ['there is none', undefined, null, 'INTF_MISSING', /“eth0” of PCAP_INTF does not exist/],
  ['deleted', FINE, null, 'INTF_MISSING'],
  ['down', FINE, DOWN, 'INTF_NOT_RUNNING', /is down/],
  ['no carrier', FINE, { ...FINE, isRunning: false }, 'INTF_NOT_RUNNING', /no carrier/],
  ['fewer bytes received', FINE, { ...FINE, rxBytes: 999 }, 'INTF_RESET', /received 1000, then 999/],
  ['fewer bytes sent', FINE, { ...FINE, rxBytes: 2000, txBytes: 0 }, 'INTF_RESET', /sent 500, then 0/],
  ['another interface of the same name', FINE, { ...FINE, index: 9, rxBytes: 9999 }, 'INTF_RESET', /made again/],
  ['it was absent at the look before', null, FINE, undefined],
  ['down, and its counters went back: one condition', FINE, { ...DOWN, rxBytes: 0 }, 'INTF_NOT_RUNNING'],
]
for (const [what, before, now, code, text] of cases)
  test(`a look: ${what}`, () => {
    const [found, ...more] = conditionsOf(look(now), before === undefined ? new Map() : look(before), ALL)
    assert.deepEqual(more, [])
    assert.equal(found?.code, code)
    if (text !== undefined) assert.match(found?.text ?? '', text)
  })

test('each check is switched off by itself', () => {
  const codes = (checks: typeof ALL, now: LinkState | null) =>
    conditionsOf(look(now), look(FINE), checks).map(({ code }) => code)
  assert.deepEqual(codes({ ...ALL, exists: false }, null), [])
  assert.deepEqual(codes({ ...ALL, running: false }, DOWN), [])
  assert.deepEqual(codes({ ...ALL, running: false }, { ...DOWN, rxBytes: 0 }), ['INTF_RESET'])
  assert.deepEqual(codes({ ...ALL, bytes: false }, { ...FINE, rxBytes: 0 }), [])
})

test('a cure that is pasted into a shell has no name with a meaning there', () => {
  for (const [name, cure] of [
    ['eth0.7', 'ip link set eth0.7 up'],
    ['-f', 'bring it up with “ip link set … up”'],
    ['a;reboot', 'bring it up with “ip link set … up”'],
    ['$(id)', 'bring it up with “ip link set … up”'],
  ] as const)
    assert.equal(conditionsOf(new Map([[name, DOWN]]), new Map(), ALL)[0]?.cure, cure)
})

const states = fc.option(
  fc.record({
    index: fc.nat(3),
    isUp: fc.boolean(),
    isRunning: fc.boolean(),
    rxBytes: fc.nat(3),
    txBytes: fc.nat(3),
  }),
)
const looks = fc.array(fc.dictionary(fc.constantFrom('eth0', 'eth1', 'wg0'), states), { maxLength: 20 })

test('packets that come by one interface and then by another are one condition, told once', () => {
  let holding: readonly Holding[] = []
  for (const [i, by] of ['eth1', 'eth2', 'eth1'].entries()) {
    const found = silenceConditions({ packets: 3, looks: 3 + i }, { kind: 'elsewhere', by, wanted: ['eth0'] })
    const changes = compare(holding, found, milliseconds(1000 * i))
    assert.deepEqual([changes.begun.length, changes.ended.length], [i === 0 ? 1 : 0, 0])
    assert.deepEqual([changes.holding[0]?.interface, changes.holding[0]?.since], [by, 0])
    holding = changes.holding
  }
})

test('over any looks: what begins ends before it begins again, and what holds has begun', () => {
  fc.assert(
    fc.property(looks, (sequence) => {
      const open = new Set<string>()
      let before: LinkLook = new Map()
      let holding: readonly Holding[] = []
      for (const [i, each] of sequence.entries()) {
        const now = new Map(Object.entries(each))
        const changes = compare(holding, conditionsOf(now, before, ALL), milliseconds(1000 * i))
        for (const { code, interface: name } of changes.ended) assert(open.delete(`${code} ${name}`))
        for (const { code, interface: name } of changes.begun) {
          assert(!open.has(`${code} ${name}`))
          open.add(`${code} ${name}`)
        }
        assert.deepEqual(new Set(changes.holding.map(({ code, interface: name }) => `${code} ${name}`)), open)
        assert(changes.holding.length <= now.size)
        for (const { since } of changes.holding) assert(since <= 1000 * i)
        for (const { lasted } of changes.ended) assert(lasted >= 1 && lasted <= i)
        before = now
        holding = changes.holding
      }
    }),
  )
})
