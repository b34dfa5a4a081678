import assert from 'node:assert/strict'
import { test } from 'node:test'
import { grantAction } from '../../../test/support/granted.ts'
import type { Stanza, StanzaId } from '../../access/stanza.ts'
import type { StanzaName } from '../../access/stanza-name.ts'
import { refusal, type Verdict } from '../../access/verdict.ts'
import { MemoryLog } from '../../log.ts'
import type { IpAddress } from '../../packet/address.ts'
import { parseAddress } from '../../packet/address.ts'
import type { Username } from '../../packet/message.ts'
import type { FwknopDigest, ReplayDigest } from '../../packet/replay-digest.ts'
import { refuse } from '../../result.ts'
import { milliseconds, port, seconds, unixSeconds } from '../../units.ts'
import type { Knock } from '../link/knock.ts'
import { Journal } from './journal.ts'

const source = parseAddress('192.0.2.1')
assert(source.ok)
const knock: Knock = {
  openedBy: 1 as StanzaId,
  digest: 'digest' as ReplayDigest,
  fwknopDigest: 'digest' as FwknopDigest,
  message: {
    kind: 'access',
    random: '1234567890123456',
    username: 'ada' as Username,
    timestamp: unixSeconds(1_800_000_000),
    version: '3.0.0',
    source: 'packet-source',
    ports: [{ protocol: 'tcp', port: port(22) }],
  },
  packet: { source: source.value, sourcePort: port(4321), destinationPort: port(62_201) },
}
const stale = refusal(refuse('SPA_STALE', 'made 600 s ago').failure)
const granted = {
  granted: true,
  stanza: 1,
  denials: [],
  action: {
    kind: 'grant',
    grant: {
      id: '192.0.2.1>tcp/22',
      source: source.value,
      openings: [{ kind: 'access', protocol: 'tcp', port: port(22) }],
      lifetime: seconds(30),
      stanza: 1,
      username: 'ada',
    },
  },
} as unknown as Verdict

const unnamed = { byId: () => undefined }

function journal(refusalsPerSecond: number) {
  const log = new MemoryLog()
  let now = 0
  const clocks = { wall: () => new Date(0), monotonic: () => milliseconds(now) }
  return {
    log,
    journal: new Journal(log, refusalsPerSecond, clocks),
    wait: (ms: number) => {
      now += ms
    },
    lines: (verdict: string) => log.records.filter(({ fields }) => fields['verdict'] === verdict).length,
  }
}

test('the numbers of each way are told if there are others than the usual one, over all receivers', () => {
  const { journal: kept } = journal(5)
  kept.tally({ looked: 5, dropped: 0, refused: { SPA_LENGTH: 5 } })
  assert.equal(kept.counters().ways, undefined)
  kept.receiverLost()
  kept.tally({ looked: 4, dropped: 0, refused: { SPA_LENGTH: 4 }, ways: { tcp: 3, 'tcp-server': 1 } })
  assert.deepEqual(kept.counters().ways, { udp: 5, tcp: 3, 'tcp-server': 1 })
  kept.receiverLost()
  kept.tally({ looked: 1, dropped: 0, refused: {}, ways: { tcp: 1 } })
  assert.deepEqual(kept.counters().ways, { udp: 5, tcp: 4, 'tcp-server': 1 })
})

test('what came in elsewhere is told over all receivers, and is not looked at', () => {
  const { journal: kept } = journal(5)
  kept.tally({ looked: 1, dropped: 2, refused: { SPA_LENGTH: 1 } })
  assert.deepEqual(kept.reception(), { received: 3 })
  assert.equal('elsewhere' in kept.counters(), false)
  kept.tally({ looked: 1, dropped: 2, refused: { SPA_LENGTH: 1 }, elsewhere: { packets: 4, interfaceIndex: 7 } })
  kept.receiverLost()
  assert.deepEqual(kept.reception(), { received: 3, elsewhere: { packets: 4, interfaceIndex: 7 } })
  kept.tally({ looked: 0, dropped: 0, refused: {}, elsewhere: { packets: 1, interfaceIndex: 9 } })
  assert.deepEqual(kept.reception(), { received: 3, elsewhere: { packets: 5, interfaceIndex: 9 } })
  assert.equal(kept.counters().elsewhere, 5)
  assert.equal(kept.counters().looked, 1)
})

test('a line says how the packet came', () => {
  const { journal: kept, log } = journal(5)
  const by = (packet: object, more: object = {}) =>
    kept.knock({ ...knock, ...more, packet: { ...knock.packet, ...packet } }, granted, unnamed)
  by({})
  by({ way: 'tcp' }, { http: true })
  by({ way: 'icmp' })
  kept.refused({ ...{ code: 'SPA_LENGTH', detail: 'x', way: 'udp-socket' }, ...knock.packet }, unnamed)
  assert.deepEqual(
    log.records.map(({ fields }) => [fields['via'], fields['sourcePort']]),
    [
      ['udp', 4321],
      ['tcp/http', 4321],
      ['icmp', undefined],
      ['udp-socket', 4321],
    ],
  )
})

test('refused knocks have a few lines, the rest are counted and told; every grant has its line', () => {
  const { journal: kept, log, lines } = journal(5)
  for (let i = 0; i < 1000; i++) {
    kept.knock(knock, stale, unnamed)
    if (i % 100 === 99) kept.knock(knock, granted, unnamed)
  }
  assert.equal(lines('refused'), 10)
  assert.equal(lines('granted'), 10)
  assert.equal(kept.lastVerdicts().length, 20)
  assert.deepEqual(kept.counters().refused, { SPA_STALE: 1000 })
  assert.equal(kept.hasSuppressed, true)
  kept.logSuppressed()
  assert.equal(kept.hasSuppressed, false)
  kept.logSuppressed()
  const told = log.records.filter(({ event }) => event === 'suppressed')
  assert.deepEqual(
    told.map(({ fields }) => fields['counts']),
    [{ SPA_STALE: 990 }],
  )
})

test('stanzas have their names beside their numbers: what they are called now, and for a grant that ended, what they were', () => {
  const { journal: kept, log } = journal(10)
  const names = { byId: (id: StanzaId) => (id === 1 ? ({ name: 'phone' } as Stanza) : undefined) }
  assert(granted.granted)
  const ended = [
    { ...grantAction(granted).grant, stanza: 2 as StanzaId, stanzaName: 'laptop' as StanzaName },
    { ...grantAction(granted).grant, stanza: 1 as StanzaId },
  ]
  kept.knock(knock, { ...granted, action: { ...grantAction(granted), ended } }, names)
  kept.knock(knock, refusal(refuse('ACCESS_PORT_DENIED', 'tcp/1').failure, [{ id: 1 as StanzaId }]), names)
  kept.knock(knock, stale, names)
  const note = {
    code: 'SPA_FIELD_INVALID',
    detail: '',
    source: source.value,
    sourcePort: 1,
    destinationPort: 2,
  } as const
  kept.refused({ ...note, stanza: 1 as StanzaId }, names)
  kept.refused({ ...note, stanza: 7 as StanzaId }, names)
  kept.refused(note, names)
  assert.deepEqual(
    log.records.map(({ event, fields }) => [event, fields['stanza'], fields['name']]),
    [
      ['knock', 1, 'phone'],
      ['grant ended', 2, 'laptop'],
      ['grant ended', 1, undefined],
      ['knock', 1, 'phone'],
      ['knock', undefined, undefined],
      ['refused', 1, 'phone'],
      ['refused', 7, undefined],
      ['refused', undefined, undefined],
    ],
  )
  assert.deepEqual(
    kept.lastVerdicts().map(({ name }) => name),
    [undefined, undefined, 'phone', undefined, 'phone', 'phone'],
  )
})

test('of many grants that one displaced, the first have a line each, and the others one together', () => {
  const { journal: kept, log } = journal(10)
  assert(granted.granted)
  const displaced = Array.from({ length: 12 }, () => grantAction(granted).grant)
  kept.knock(knock, { ...granted, action: { ...grantAction(granted), displaced } }, { byId: () => undefined })
  assert.deepEqual(
    log.records.map(({ level, event, fields }) => [level, event, fields['grants']]),
    [
      ['info', 'knock', undefined],
      ...Array.from({ length: 5 }, () => ['warning', 'grant ended', undefined]),
      ['warning', 'grants ended', 7],
    ],
  )
})

test('time gives lines back', () => {
  const { journal: kept, lines, wait } = journal(5)
  for (let i = 0; i < 100; i++) kept.knock(knock, stale, unnamed)
  wait(1000)
  for (let i = 0; i < 100; i++) kept.knock(knock, stale, unnamed)
  assert.equal(lines('refused'), 15)
})

test('a new limit counts from now on, and what the old one folded is told', () => {
  const { journal: kept, log, lines } = journal(1)
  for (let i = 0; i < 10; i++) kept.knock(knock, stale, unnamed)
  kept.limitRefusals(10)
  assert.deepEqual(log.records.at(-1)?.fields['counts'], { SPA_STALE: 8 })
  for (let i = 0; i < 30; i++) kept.knock(knock, stale, unnamed)
  assert.equal(lines('refused'), 20, 'the two of before are among them')
})

test('reloads give no new burst', () => {
  const { journal: kept, lines } = journal(10)
  for (let reload = 0; reload < 50; reload++) {
    for (let i = 0; i < 30; i++) kept.knock(knock, stale, unnamed)
    kept.limitRefusals(10)
  }
  assert.equal(lines('refused'), 20)
})

test('the numbers agree, also where a receiver dies between a knock and its next tally', () => {
  const { journal: kept } = journal(5)
  kept.reported(2)
  kept.knock(knock, granted, unnamed)
  assert.deepEqual(kept.counters(), { granted: 1, refused: {}, looked: 2, undecided: 1, dropped: 0 })
  kept.tally({ looked: 5, dropped: 1, refused: { SPA_LENGTH: 3 } })
  kept.knock(knock, stale, unnamed)
  const agreed = { granted: 1, refused: { SPA_LENGTH: 3, SPA_STALE: 1 }, looked: 5, undecided: 0, dropped: 1 }
  assert.deepEqual(kept.counters(), agreed)
  kept.reported(1)
  kept.receiverLost()
  kept.knock(knock, granted, unnamed)
  assert.deepEqual(kept.counters(), { ...agreed, granted: 2, looked: 6 })
  kept.tally({ looked: 1, dropped: 0, refused: { SPA_LENGTH: 1 } })
  assert.deepEqual(kept.counters().looked, 7)
})

test('the text of a packet is in the log only where that is configured, and never in the status', () => {
  for (const shows of [false, true]) {
    const log = new MemoryLog()
    const clocks = { wall: () => new Date(0), monotonic: () => milliseconds(0) }
    const told = new Journal(log, 10, clocks, () => [], shows ? { showsPackets: true } : {})
    told.knock({ ...knock, text: 'AAAA' }, granted, unnamed)
    told.knock({ ...knock, text: 'AAAA' }, stale, unnamed)
    assert.deepEqual(
      log.records.map(({ fields }) => [fields['text'], typeof fields['message']]),
      Array(2).fill(shows ? ['AAAA', 'object'] : [undefined, 'undefined']),
    )
    for (const verdict of told.lastVerdicts()) assert.ok(!('text' in verdict) && !('message' in verdict))
  }
})

test('stanzas that did not take a packet are named only where that is configured', () => {
  const denial = {
    stanza: 1 as StanzaId,
    failure: { code: 'ACCESS_PORT_DENIED', detail: 'tcp/80 is not in OPEN_PORTS' },
  } as const
  for (const shows of [false, true]) {
    const log = new MemoryLog()
    const clocks = { wall: () => new Date(0), monotonic: () => milliseconds(0) }
    const told = new Journal(log, 10, clocks, () => [], shows ? { namesTrials: true } : {})
    const tried = [{ stanza: 1 as StanzaId, code: 'SPA_HMAC_MISMATCH' }] as const
    const at = { source: '192.0.2.1' as IpAddress, sourcePort: 1, destinationPort: 2 }
    told.refused({ code: 'SPA_HMAC_MISMATCH', detail: '', ...at, tried }, unnamed)
    told.knock(knock, { ...granted, denials: [denial] }, unnamed)
    told.knock(knock, { ...stale, denials: Array(20).fill(denial) }, unnamed)
    const named = log.records.map(({ fields }) => fields['tried'] as readonly unknown[] | undefined)
    assert.deepEqual(
      named.map((list) => list?.length),
      shows ? [1, 1, 8] : Array(3).fill(undefined),
    )
  }
})
