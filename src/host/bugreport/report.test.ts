/**
 * No text of a host comes into a report. Here each text of the facts is a secret, and the report is searched for it.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseAddress } from '../../packet/address.ts'
import { port } from '../../units.ts'
import { checks } from '../doctor/checks.ts'
import { known, notKnown } from '../known.ts'
import { UNITS } from '../looker.ts'
import { count, fact, oneOf, version, yes } from './fields.ts'
import { bugReport, type ReportedFacts } from './report.ts'

const SECRET = 'hunter2'
const address = parseAddress('203.0.113.77')
assert.ok(address.ok)
const OPTIONS = { ghostport: '0.1.0', node: '24.21.0', withAddresses: false }

/** A text that no list has. */
const secretState = {
  load: SECRET,
  active: SECRET,
  sub: SECRET,
  enabled: SECRET,
  file: `/${SECRET}`,
  result: SECRET,
  restarts: 3,
  needsReload: false,
  listens: [SECRET],
}
const full = {
  distribution: known({ id: SECRET, like: [SECRET], version: `13-${SECRET}`, name: SECRET }),
  systemd: known({ running: true, version: 257 }),
  units: known(new Map(UNITS.map((name) => [name, secretState]))),
  kernel: known({ release: `6.12.57-${SECRET}`, version: [6, 12, 57] }),
  nft: known([1, 1, 3]),
  ownedTables: known({ possible: false, tooOld: [SECRET] }),
  interfaces: known([
    { name: SECRET, addresses: [{ address: address.value, prefixLength: 24 }], defaultRoute: ['IPv4'] as const },
  ]),
  listening: known([
    {
      protocol: 'tcp' as const,
      family: 4 as const,
      address: address.value,
      port: port(54321),
      programs: known([{ pid: 1, name: SECRET }]),
    },
  ]),
  sshd: known([{ address: address.value, port: port(54321), by: 'sshd' as const }]),
  managers: known({
    managers: [{ name: 'ufw' as const, evidence: [SECRET] }],
    legacyTables: [SECRET],
    iptables: notKnown(SECRET),
    nftablesFlushes: known(true),
  }),
  clock: known({ synchronised: true, largestError: 0.1 }),
  hardwareClock: known({ clocks: [SECRET] }),
  fwknop: known({ installed: true, files: [SECRET], pid: 77 }),
  configuration: known({
    faults: [{ code: 'KEY_INVALID', detail: SECRET, at: { file: SECRET, line: 1 }, suggestion: SECRET }],
    refusals: [],
    notices: [{ level: 'warning', text: SECRET }],
  }),
  status: known({
    socket: SECRET,
    status: {
      capturing: true,
      receiver: 5,
      grants: [{ for: '203.0.113.77', user: SECRET }],
      remembered: 4,
      warnings: [{ code: 'HOST_OPEN_PORT', text: SECRET }, { code: SECRET }],
      interfaces: [{ code: 'INTF_MISSING', interface: SECRET, text: SECRET }],
      counters: { looked: 9, granted: 2, undecided: 0, dropped: 0, refused: { SPA_REPLAYED: 1, [SECRET]: 1 } },
      lastVerdicts: [{ source: '203.0.113.77', user: SECRET }],
    },
  }),
} as unknown as ReportedFacts

const [check] = checks
assert.ok(check)
const examined = [
  {
    check,
    answer: {
      kind: 'bad',
      findings: [{ severity: 'error', text: SECRET, evidence: [SECRET], cure: { command: SECRET } }],
    },
  },
] as const

describe('a bug report', () => {
  it('has no text of the host', () => {
    const text = JSON.stringify(bugReport(full, examined, OPTIONS))
    assert.doesNotMatch(text, new RegExp(SECRET))
    assert.doesNotMatch(text, /203\.0\.113|54321/)
  })

  it('has what helps', () => {
    const report = JSON.parse(JSON.stringify(bugReport(full, examined, OPTIONS)))
    assert.deepEqual(report.program.ghostport, '0.1.0')
    assert.deepEqual(report.host.distribution, 'other')
    assert.deepEqual(report.host.distributionVersion, '13')
    assert.deepEqual(report.host.kernel, '6.12.57')
    assert.deepEqual(report.host.publicAddresses, 1)
    assert.deepEqual(report.firewall.managers, ['ufw'])
    assert.deepEqual(report.firewall.iptables, 'not known')
    assert.deepEqual(report.configuration, { good: false, faults: ['KEY_INVALID'] })
    assert.deepEqual(report.server.refused, { SPA_REPLAYED: 1 })
    assert.deepEqual(report.server.warnings, ['HOST_OPEN_PORT', 'other'])
    assert.deepEqual(report.server.interfaces, ['INTF_MISSING'])
    assert.deepEqual(report.units['ghostport.service'], {
      load: 'other',
      active: 'other',
      enabled: 'other',
      restarts: 3,
    })
    assert.deepEqual(report.doctor, { CONFIG: ['error'] })
  })

  it('says of each fact that is not known that it is not, and not why', () => {
    const nothing = Object.fromEntries(
      Object.keys(full).map((name) => [name, notKnown(SECRET)]),
    ) as unknown as ReportedFacts
    const report = bugReport(nothing, [], OPTIONS)
    assert.doesNotMatch(JSON.stringify(report), new RegExp(SECRET))
    assert.match(JSON.stringify(report), /"kernel":"not known"/)
  })

  it('has addresses on request, and then no more than that', () => {
    const { addresses, ...rest } = bugReport(full, examined, { ...OPTIONS, withAddresses: true })
    assert.deepEqual(addresses, { interfaces: ['203.0.113.77/24'], listening: ['tcp 203.0.113.77 54321'] })
    assert.deepEqual(rest, bugReport(full, examined, OPTIONS))
  })
})

describe('a field', () => {
  it('is a number, yes or no, a word of a list, or the numbers of a version', () => {
    assert.deepEqual(
      [count(Number.NaN), count(3), yes(true), oneOf('b', ['a', 'b']), oneOf(SECRET, ['a']), oneOf(undefined, [])],
      [0, 3, true, 'b', 'other', 'other'],
    )
    assert.deepEqual(['6.12.57+deb13-amd64', `1.2-${SECRET}`, SECRET, '', undefined, '1.2.3.4.5'].map(version), [
      '6.12.57',
      '1.2',
      'other',
      'other',
      'other',
      '1.2.3.4',
    ])
    assert.equal(
      fact(notKnown(SECRET), () => yes(true)),
      'not known',
    )
  })
})
