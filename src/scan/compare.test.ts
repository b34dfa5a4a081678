import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { GENERATIONS, nmap5, nmap7, type Told } from '../../test/support/scans.ts'
import { type Comparison, compareScans, withoutTimes } from './compare.ts'
import { parseScan, type ScanRun } from './nmap-result.ts'
import { showRanges } from './port-table.ts'

const read = (text: string): ScanRun => {
  const parsed = parseScan(text)
  assert.ok(parsed.ok, parsed.ok ? '' : parsed.failure.detail)
  return parsed.value
}
const told = ({ differences, askedOnce }: Comparison): readonly string[] => [
  ...differences.map(
    ({ kind, protocol, ports, before, after }) =>
      `${kind} ${protocol ?? ''}/${ports === undefined ? '' : showRanges([ports])}: ${before} > ${after}`,
  ),
  ...askedOnce.map(({ protocol, ports }) => `once ${protocol}/${showRanges([ports])}`),
]
const WEB: Told = { listed: { 80: 'open' }, extra: { filtered: [999, '1-79,81-1000'] } }
const SSH = 'name="ssh" product="OpenSSH" version="9.2p1" extrainfo="protocol 2.0" method="probed" conf="10"'

describe('two scans', () => {
  for (const [version, write] of Object.entries(GENERATIONS)) {
    const same = (one: Told, other: Told) => told(compareScans(read(write(one)), read(write(other))))
    describe(`of nmap ${version}`, () => {
      it('are the same, whenever they were made and however long they took', () => {
        const later = write(WEB)
          .replace(/1255640\d+/g, '1700000000')
          .replace(/elapsed="[^"]+"/, 'elapsed="99"')
        assert.notEqual(later, write(WEB))
        assert.deepEqual(told(compareScans(read(write(WEB)), read(later.replace(/srtt="\d+"/, 'srtt="9"')))), [])
      })
      it('differ in a port that opened', () => {
        const opened: Told = { listed: { 22: 'open', 80: 'open' }, extra: { filtered: [998, '1-21,23-79,81-1000'] } }
        assert.deepEqual(same(WEB, opened), ['state tcp/22: filtered > open'])
        assert.deepEqual(same(opened, WEB), ['state tcp/22: open > filtered'])
      })
      it('differ in ports that closed, which are told as one', () => {
        const closed: Told = { listed: { 80: 'open' }, extra: { closed: [999, '1-79,81-1000'] } }
        assert.deepEqual(same(WEB, closed), [
          'state tcp/1-79: filtered > closed',
          'state tcp/81-1000: filtered > closed',
        ])
      })
      it('differ in what a service is found to be, and not in what is guessed by the port', () => {
        const guessed: Told = { ...WEB, services: { 80: 'name="www" method="table" conf="3"' } }
        assert.deepEqual(same(WEB, guessed), [])
        assert.deepEqual(same(WEB, { ...WEB, services: { 80: SSH } }), [
          'service tcp/80:  > ssh OpenSSH 9.2p1 (protocol 2.0)',
        ])
      })
      it('differ in the greeting of a service, but for its time', () => {
        const banner = (text: string): Told => ({ ...WEB, scripts: { 80: `<script id="banner" output="${text}"/>` } })
        assert.deepEqual(
          same(
            banner('220 a ESMTP Thu, 26 Nov 2026 08:00:00 +0000'),
            banner('220 a ESMTP Fri, 27 Nov 2026 09:00:01 +0000'),
          ),
          [],
        )
        assert.deepEqual(same(banner('220 a &lt;b&gt;'), banner('220 c')), ['service tcp/80: 220 a <b> > 220 c'])
        const date = (text: string): Told => ({ ...WEB, scripts: { 80: `<script id="http-date" output="${text}"/>` } })
        assert.deepEqual(same(date('one'), date('two')), [])
      })
      it('of two hosts have nothing in common', () => {
        assert.deepEqual(same(WEB, { ...WEB, address: '192.0.2.11' }), [
          'host /: up > not there',
          'host /: not there > up',
        ])
      })
    })
  }

  it('of different generations are compared port by port where both name the ports', () => {
    assert.deepEqual(told(compareScans(read(nmap5(WEB)), read(nmap7(WEB)))), [])
  })
  it('that only count ports of two states: an open port is known not to be among them', () => {
    const counted = (filtered: number, closed: number, listed: Told['listed'] = { 80: 'open' }): ScanRun =>
      read(nmap5({ listed, extra: { filtered: [filtered, ''], closed: [closed, ''] } }))
    assert.deepEqual(told(compareScans(counted(900, 99), counted(900, 99))), [])
    assert.deepEqual(told(compareScans(counted(900, 99), counted(899, 99, { 22: 'open', 80: 'open' }))), [
      'state tcp/22: counted > open',
      'count /: 1 open, 99 closed, 900 filtered > 2 open, 99 closed, 899 filtered',
    ])
    assert.deepEqual(told(compareScans(counted(900, 99), counted(990, 9))), [
      'count /: 1 open, 99 closed, 900 filtered > 1 open, 9 closed, 990 filtered',
    ])
  })
  it('of other ports: only an open one is a difference', () => {
    const less = read(nmap7({ asked: '80-100', listed: { 80: 'open' }, extra: { filtered: [20, '81-100'] } }))
    assert.deepEqual(told(compareScans(read(nmap7(WEB)), less)), ['once tcp/1-79', 'once tcp/101-1000'])
    const open = read(
      nmap7({ asked: '1-1001', listed: { 80: 'open', 1001: 'open' }, extra: { filtered: [999, '1-79,81-1000'] } }),
    )
    assert.deepEqual(told(compareScans(read(nmap7(WEB)), open)), ['state tcp/1001: not asked > open'])
  })
  it('are compared by what a greeting has besides times, numbers of connections and random bytes', () => {
    for (const [one, other] of [
      ['+OK <1896.697170952@dbc.mtview.ca.us>', '+OK <77.1@dbc.mtview.ca.us>'],
      ['26 Nov 2026 08:00:00', '27 Dec 2027 09:00:00'],
      ['2026-11-26T08:00:00', '2026-11-27T08:00:01'],
      ['J\\x00\\x00\\x00\\n5.7.33\\x00\\x08abcdefgh', 'J\\x00\\x00\\x00\\n5.7.33\\x00\\x09qrstuvwx'],
    ] as const)
      assert.equal(withoutTimes(one), withoutTimes(other))
    assert.notEqual(withoutTimes('SSH-2.0-OpenSSH_9.2'), withoutTimes('SSH-2.0-OpenSSH_9.3'))
  })
})
