/**
 * Checks of what a test cannot bring about on this host: systemd’s units, clocks, old versions. The others are proven
 * on real hosts by test/netns/doctor.test.ts.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { hostOf, unitsText } from '../../../../test/support/host-of-values.ts'
import type { StanzaName } from '../../../access/stanza-name.ts'
import type { Status } from '../../../daemon/warden/status.ts'
import { parseListing } from '../../../firewall/host/ruleset.ts'
import { unixSeconds } from '../../../units.ts'
import type { FirewallManagers } from '../../facts/managers.ts'
import { parseUnits, type Units } from '../../facts/systemd.ts'
import { type Known, known, notKnown } from '../../known.ts'
import type { Answer } from '../check.ts'
import type { DoctorFacts } from '../doctor-facts.ts'
import { findSavedTables } from '../looks/saved-tables.ts'
import { differencesOf, filesOf } from '../looks/unit-file.ts'
import { NODE_SUPPORT_ENDS } from '../node-support.ts'
import { clock, clockBattery, peerClock, serverClock } from './clock.ts'
import { judgeDeadMan } from './dead-man.ts'
import { interfaces } from './interfaces.ts'
import { twoManagers } from './managers.ts'
import { judgeNode } from './node.ts'
import { judgeOldKeys } from './old-keys.ts'
import { judgePolicy } from './policy.ts'
import { judgeSavedTables } from './saved-tables.ts'
import { unit } from './unit.ts'

const UNITS_UNKNOWN = notKnown('systemd does not run this host')
const good = /^good/
const SET_UP = {
  known: true,
  value: {
    ...{ service: known(undefined), gate: known(undefined), status: known(undefined) },
    files: ['/etc/fwknop/fwknopd.conf'],
  },
} as const

function units(given: Parameters<typeof unitsText>[0]): Known<Units> {
  const parsed = parseUnits(unitsText(given))
  assert.ok(parsed)
  return known(parsed)
}

/** `good: …`, `not checked: …`, or each finding as `severity: text | command`. */
function told(answer: Answer): string {
  if (answer.kind === 'good') return `good: ${answer.seen}`
  if (answer.kind === 'not checked') return `not checked: ${answer.because}`
  return answer.findings
    .map(({ severity, text, cure }) => {
      const mend = cure === undefined ? '' : 'command' in cure ? ` | ${cure.command}` : ` | do: ${cure.advice}`
      return `${severity}: ${text}${mend}`
    })
    .join('\n')
}
const asked = (judge: (facts: Partial<DoctorFacts>) => Answer, facts: Partial<DoctorFacts>): string =>
  told(judge(facts))

describe('UNIT', () => {
  const fine = {
    ActiveState: 'active',
    SubState: 'running',
    UnitFileState: 'enabled',
    FragmentPath: '/etc/systemd/system/ghostport.service',
  }
  const none = known(undefined)
  for (const [what, properties, pattern] of [
    ['runs', {}, /^good: ghostport\.service is active \(running\), enabled$/],
    [
      'failed',
      { ActiveState: 'failed', Result: 'exit-code' },
      /^error: the server ended \(exit-code\).*\| systemctl restart ghostport$/,
    ],
    ['stopped', { ActiveState: 'inactive' }, /^error: the server does not run \| systemctl start ghostport$/],
    ['not at boot', { UnitFileState: 'disabled' }, /^warning: .*at boot \| systemctl enable ghostport$/],
    ['changed', { NeedDaemonReload: 'yes' }, /^warning: .* \| systemctl daemon-reload$/],
    ['restarted', { NRestarts: '5' }, /^warning: systemd has started the server again 5 times/],
    [
      'masked',
      { LoadState: 'masked' },
      /^error: .* masked.*\| systemctl unmask ghostport && systemctl enable --now ghostport$/,
    ],
    [
      'bad',
      { LoadState: 'bad-setting' },
      /^error: systemd does not accept .*\| ghostport unit --all \/etc\/systemd\/system/,
    ],
    [
      'stopped, and not at boot',
      { ActiveState: 'inactive', UnitFileState: 'disabled' },
      /^error[^\n]*start ghostport\nwarning[^\n]*enable ghostport$/,
    ],
  ] as const)
    it(what, () => {
      const facts = {
        units: units({ 'ghostport.service': { ...fine, ...properties } }),
        unitFile: none,
        serviceStart: known(true),
        ownState: SET_UP,
      }
      assert.match(asked(unit.judge, facts), pattern)
    })

  it('installed, and not set up', () => {
    const stopped = units({ 'ghostport.service': { ...fine, ActiveState: 'inactive', UnitFileState: 'disabled' } })
    const ownState = known({ ...SET_UP.value, files: [] })
    assert.equal(
      asked(unit.judge, { units: stopped, unitFile: none, serviceStart: known(true), ownState }),
      'error: this server is not set up yet | do: set it up: ghostport init',
    )
  })

  it('no unit, and no systemd', () => {
    assert.match(
      asked(unit.judge, { units: units({}), unitFile: none, serviceStart: known(true), ownState: SET_UP }),
      /^warning: systemd has no unit .*enable --now ghostport$/,
    )
    assert.equal(
      asked(unit.judge, {
        units: UNITS_UNKNOWN,
        unitFile: UNITS_UNKNOWN,
        serviceStart: UNITS_UNKNOWN,
        ownState: SET_UP,
      }),
      'not checked: systemd does not run this host',
    )
  })

  it('an old unit file', () => {
    const path = '/etc/systemd/system/ghostport.service'
    const facts = {
      units: units({ 'ghostport.service': fine }),
      unitFile: known({
        path,
        differences: differencesOf('# old\n[Service]\nType=exec\n', '[Service]\n# new\nType=notify\n'),
      }),
      serviceStart: known(true),
    }
    const answer = unit.judge(facts)
    assert.match(
      told(answer),
      /^warning: the unit file differs .*\| ghostport unit --all \/etc\/systemd\/system && systemctl daemon-reload && systemctl restart ghostport$/,
    )
    assert.ok(answer.kind === 'bad')
    assert.deepEqual(answer.findings[0].evidence, [path, '- Type=exec', '+ Type=notify'])
  })

  it('offers a start to --fix only where it shuts no port, and a start at boot only of a server that runs', () => {
    const stopped = units({ 'ghostport.service': { ...fine, ActiveState: 'inactive', UnitFileState: 'disabled' } })
    const disabled = units({ 'ghostport.service': { ...fine, UnitFileState: 'disabled' } })
    const safe = (facts: Partial<DoctorFacts>): readonly unknown[] => {
      const answer = unit.judge({ unitFile: none, ownState: SET_UP, ...facts })
      assert.ok(answer.kind === 'bad')
      return answer.findings.map(({ cure }) => cure !== undefined && 'command' in cure && cure.safe)
    }
    assert.deepEqual(safe({ units: stopped, serviceStart: known(true) }), ['start the server', undefined])
    assert.deepEqual(safe({ units: stopped, serviceStart: known(false) }), [undefined, undefined])
    assert.deepEqual(safe({ units: stopped, serviceStart: notKnown('x') }), [undefined, undefined])
    assert.deepEqual(safe({ units: disabled, serviceStart: known(false) }), ['enable the server'])
    assert.deepEqual(safe({ units: units({}), serviceStart: known(true) }), [undefined])
  })

  it('the files that a unit names', () => {
    assert.deepEqual(filesOf('[Service]\nExecStart=/usr/bin/node /x serve -c /a/b.conf -a /a/c.conf\n'), {
      settings: '/a/b.conf',
      stanzas: '/a/c.conf',
    })
    assert.equal(filesOf('').settings, '/etc/fwknop/fwknopd.conf')
  })
})

describe('CLOCK', () => {
  const right = known({ synchronised: true, largestError: 0.25 })
  const wrong = known({ synchronised: false, largestError: 16 })
  const debian = known({ id: 'debian', like: [], name: 'Debian' })
  const other = known({ id: 'arch', like: [], name: 'Arch' })
  const timesyncd = units({ 'systemd-timesyncd.service': { ActiveState: 'inactive' } })
  for (const [what, facts, pattern] of [
    ['right', { clock: right, units: UNITS_UNKNOWN, distribution: debian }, /^good: synchronised; .* 0\.3 s at most$/],
    [
      'systemd can',
      { clock: wrong, units: timesyncd, distribution: other },
      /^warning: .*\| timedatectl set-ntp true$/,
    ],
    [
      'Debian',
      { clock: wrong, units: units({}), distribution: debian },
      /\| apt-get install -y systemd-timesyncd && timedatectl/,
    ],
    ['elsewhere', { clock: wrong, units: UNITS_UNKNOWN, distribution: other }, /\| do: install a program/],
    [
      'unknown',
      { clock: notKnown('adjtimex failed'), units: UNITS_UNKNOWN, distribution: other },
      /^not checked: adjtimex failed$/,
    ],
  ] as const)
    it(what, () => {
      assert.match(asked(clock.judge, facts), pattern)
    })

  it('offers --fix only what is installed already', () => {
    const safe = (facts: Partial<DoctorFacts>): unknown => {
      const answer = clock.judge({ clock: wrong, distribution: debian, ...facts })
      const cure = answer.kind === 'bad' ? answer.findings[0].cure : undefined
      return cure !== undefined && 'command' in cure && cure.safe
    }
    assert.equal(safe({ units: timesyncd }), 'ask time servers')
    assert.equal(safe({ units: units({}) }), undefined)
  })

  it('CLOCK_BATTERY', () => {
    assert.equal(asked(clockBattery.judge, { hardwareClock: known({ clocks: ['rtc0'] }) }), 'good: rtc0')
    assert.match(
      asked(clockBattery.judge, { hardwareClock: known({ clocks: [] }) }),
      /^hint: this host has no clock that runs/,
    )
  })

  it('INTERFACES: of a server that looks at nothing, is older, or does not run', () => {
    const judge = (status: object | undefined, server: object = { interfaceChecks: {} }) =>
      asked(interfaces.judge, {
        status: known({ socket: '/run/x', status: status as unknown as Status }),
        configuration: known({ faults: [], refusals: [], notices: [], loaded: { server } }) as never,
      })
    assert.match(judge({ interfaces: [] }), good)
    assert.match(judge({ interfaces: [] }, {}), /^not checked: ENABLE_INTF_CHECKS is N/)
    assert.match(judge({}), /^not checked: the server that runs is an older one/)
    assert.match(judge(undefined), /^not checked: no server runs/)
    const reset = { code: 'INTF_RESET', level: 'info', interface: 'eth0', text: 'made again', seconds: 3 }
    assert.equal(judge({ interfaces: [reset] }), 'hint: made again')
  })

  it('PEER_CLOCK: of a client, as the verdicts show it', () => {
    const status = (...lastVerdicts: Status['lastVerdicts']) =>
      known({ socket: '/run/x', status: { lastVerdicts } as unknown as Status })
    const granted = { verdict: 'granted', source: '192.0.2.1' }
    const stale = { verdict: 'refused', source: '192.0.2.7', code: 'SPA_STALE', detail: '400 s old', time: 'T' }
    assert.equal(asked(peerClock.judge, { status: status(granted) }), 'good: the last 1 knocks were dated right')
    assert.match(asked(peerClock.judge, { status: status(granted, stale) }), /^warning: 1 of the last knocks/)
    assert.match(asked(peerClock.judge, { status: status() }), /^not checked: no client has knocked/)
    assert.match(
      asked(peerClock.judge, { status: known({ socket: '/run/x', status: undefined }) }),
      /^not checked: no server/,
    )
    assert.match(asked(serverClock.judge, {}), /^not checked: a server never answers/)
  })
})

describe('NODE', () => {
  const at = (version: string, day: string, path = '/usr/bin/node'): string =>
    told(judgeNode({ version, path, now: Date.parse(day) }))
  it('is judged by the day', () => {
    assert.equal(at('24.21.0', '2026-11-26'), 'good: Node.js 24.21.0 is supported until 2028-04-30')
    assert.match(at('22.13.0', '2027-03-31'), /^hint: Node\.js 22 gets security fixes for 30 more days/)
    assert.match(
      at('22.13.0', '2027-05-01'),
      /^warning: Node\.js 22 gets no security fixes any more \| do: install a newer Node/,
    )
    assert.match(at('22.13.0', '2027-05-01', '/usr/lib/ghostport/node'), /install a newer ghostport$/)
    assert.match(at('99.0.0', '2026-11-26'), /^not checked: the end of support of Node\.js 99/)
  })
  it('knows the end of the one that runs this', () => {
    assert.ok(NODE_SUPPORT_ENDS.has(Number(process.versions.node.split('.')[0])))
    for (const day of NODE_SUPPORT_ENDS.values()) assert.ok(Number.isFinite(Date.parse(day)), day)
  })
})

describe('TWO_MANAGERS', () => {
  const managers = (names: readonly FirewallManagers['managers'][number]['name'][], nftablesFlushes = false) =>
    known({
      managers: names.map((name) => ({ name, evidence: ['seen'] as const })),
      legacyTables: [],
      iptables: known('nft' as const),
      nftablesFlushes: known(nftablesFlushes),
    })
  const enabled = units({ 'nftables.service': { UnitFileState: 'enabled' } })
  for (const [what, facts, pattern] of [
    ['nobody', { managers: managers([]), units: UNITS_UNKNOWN }, /^good: nobody manages it$/],
    ['one', { managers: managers(['ufw']), units: UNITS_UNKNOWN }, /^good: ufw$/],
    ['one with Docker', { managers: managers(['firewalld', 'docker']), units: enabled }, good],
    [
      'ufw and firewalld',
      { managers: managers(['ufw', 'firewalld']), units: UNITS_UNKNOWN },
      /^warning: ufw and firewalld write .*\| do: keep one of them: ufw disable, or systemctl disable --now firewalld$/,
    ],
    [
      'a flush',
      { managers: managers(['nft', 'docker'], true), units: enabled },
      /^warning: a restart of nftables\.service removes the rules of docker/,
    ],
    ['no flush: the service is off', { managers: managers(['nft', 'docker'], true), units: units({}) }, good],
    ['a flush of nobody', { managers: managers(['nft'], true), units: enabled }, good],
    ['unknown', { managers: notKnown('nft is not installed'), units: enabled }, /^not checked: nft is not installed$/],
  ] as const)
    it(what, () => {
      assert.match(asked(twoManagers.judge, facts), pattern)
    })
})

describe('POLICY', () => {
  const listing = (name: string) => parseListing(`table inet ${name} {\n}\n`)
  for (const [what, isInstalled, tables, pattern] of [
    ['no policy of ours', false, [], /^good: this host has none$/],
    ['in force', true, listing('ghostport_policy'), /^good: inet ghostport_policy$/],
    [
      'installed, and flushed by another program',
      true,
      listing('filter'),
      /^error: the policy of this host is not in force.* \| systemctl reload-or-restart ghostport-policy\.service$/,
    ],
  ] as const)
    it(what, () => {
      assert.match(told(judgePolicy(isInstalled, tables)), pattern)
    })
})

describe('SAVED_TABLES', () => {
  const LISTING = 'table inet ghostport { # progname ghostport\n\tflags owner,persist\n\tset open {\n\t}\n}\n'
  const enabled = units({ 'nftables.service': { UnitFileState: 'enabled' } })
  for (const [what, files, pattern] of [
    ['no file', {}, /^good: none has a copy$/],
    ['rules of others', { '/etc/nftables.conf': 'flush ruleset\ntable inet ghostport2 {\n}\n' }, good],
    ['a comment', { '/etc/nftables.conf': '# table inet ghostport {\n' }, good],
    [
      'a listing',
      { '/etc/nftables.conf': `flush ruleset\n${LISTING}` },
      /^error: \/etc\/nftables\.conf has an old copy of the table “inet ghostport”.* \| sed .* \/etc\/nftables\.conf$/,
    ],
    [
      'a listing that is included by a pattern',
      { '/etc/nftables.conf': ' include "nft.d/*.nft"\n', '/etc/nft.d/a.nft': LISTING, '/etc/nft.d/b.txt': LISTING },
      /^error: \/etc\/nft\.d\/a\.nft has an old copy[^\n]*$/,
    ],
    ['files that include each other', { '/etc/nftables.conf': 'include "/etc/nftables.conf"\n' }, good],
    [
      'written by hand',
      { '/etc/nftables.conf': '  add table inet ghostport_policy\n' },
      /^error: .*“inet ghostport_policy”.* \| do: remove/,
    ],
  ] as const)
    it(what, () => {
      assert.ok(enabled.known)
      const found = findSavedTables(hostOf({ files }), ['ghostport', 'ghostport_policy'])
      assert.ok(found.known)
      assert.match(told(judgeSavedTables(found.value, enabled.value)), pattern)
    })

  it('is a warning where nothing loads that file, and no text makes the reader throw', () => {
    const [saved] = [{ file: '/etc/nftables.conf', line: 1, table: 'ghostport', isListing: true }]
    assert.match(told(judgeSavedTables([saved], undefined)), /^warning: /)
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'grapheme' }), (text, name) => {
        const files = { '/etc/nftables.conf': `${text}\ninclude "${name}*"\n${text}`, '/etc/x': text }
        assert.ok(findSavedTables(hostOf({ files }), ['ghostport']).known)
      }),
    )
  })
})

describe('DEAD_MAN', () => {
  const at = Date.parse('2026-11-26T04:00:00Z') / 1000
  for (const [what, waiting, pattern] of [
    ['nothing waits', undefined, /^good: nothing waits$/],
    [
      'taken back, but for what is in the way',
      { of: 'policy', planned: at, takingBack: true },
      /^error: changes of “ghostport policy” are being taken back.* \| ghostport policy install --revert$/,
    ],
    [
      'armed',
      { of: 'init', planned: at, armed: at + 1 },
      /^warning: .* taken back at 2026-11-26T04:00:01\.000Z.* \| ghostport init --confirm$/,
    ],
    [
      'postponed',
      { of: 'init', planned: at, armed: at + 300 },
      /^error: the timer .* was postponed \| ghostport init --revert$/,
    ],
    ['no timer', { of: 'init', planned: at }, /^error: .* no timer takes them back.* \| ghostport init --revert$/],
    ['without a record', { of: 'init', armed: at }, /^warning/],
    [
      'a policy',
      { of: 'policy', planned: at, armed: at },
      /^warning: .*ghostport policy.* unless a new session confirms them \| ghostport policy install --confirm$/,
    ],
    ['a policy without a timer', { of: 'policy', planned: at }, /^error: .* \| ghostport policy install --revert$/],
  ] as const)
    it(what, () => {
      assert.match(told(judgeDeadMan(waiting)), pattern)
    })
})

describe('OLD_KEYS', () => {
  const now = unixSeconds(1_795_000_000)
  const DAY = 86_400
  const since = '2026-11-01T00:00:00Z'
  const knocked = { time: '2026-11-20T00:00:00Z', source: '192.0.2.7' }
  const old = 'ada.old-20261118' as StanzaName
  for (const [what, name, days, uses, pattern] of [
    ['no end, no use', 'ada', undefined, { ada: knocked }, /^good: no device used old keys since 2026-11-01T/],
    ['an overlap that nobody uses', old, 3, {}, /^good: 1 old keys still open, and no device used them/],
    ['an overlap that ends soon', old, 3, { [old]: knocked }, /^warning: a device of ada still uses the old keys/],
    ['an overlap that ends later', old, 30, { [old]: knocked }, /^hint: a device of ada still uses the old keys/],
    ['away for the whole overlap', old, -1, { [old]: knocked }, /^warning: .*ada knocks with old keys that have ended/],
    ['ended, and nobody came', old, -1, {}, /^good/],
    ['ended, and the last knock was in time', old, -1, { [old]: { ...knocked, time: since } }, /^good/],
    ['a user who ended after the last knock', 'bob', -1, { bob: { ...knocked, time: since } }, /^good/],
    ['a user who ends soon', 'bob', 3, {}, /^hint: bob ends within a week/],
    ['a user who ends later', 'bob', 30, {}, /^good/],
    ['a user who has ended', 'bob', -1, { bob: knocked }, /^warning: bob has ended, and still knocks/],
    ['disabled', 'bob', -30_000, { bob: knocked }, /^good/],
  ] as const)
    it(what, () => {
      const expires = days === undefined ? {} : { expires: unixSeconds(Math.max(1, Math.floor(now + days * DAY))) }
      const stanzas = [{ name: name as StanzaName, ...expires }]
      assert.match(told(judgeOldKeys(stanzas, known({ since, uses }), now)), pattern)
    })

  it('without a server, good only if no keys end', () => {
    const none = notKnown('no server runs')
    assert.equal(told(judgeOldKeys([{ name: 'ada' as StanzaName }], none, now)), 'good: no keys end')
    const ending = [{ name: old, expires: unixSeconds(now + 9 * DAY) }]
    assert.equal(told(judgeOldKeys(ending, none, now)), 'not checked: no server runs')
  })

  it('10 000 that end are told in a few lines', () => {
    const ending = Array.from({ length: 10_000 }, (_, i) => ({
      name: `u${i}` as StanzaName,
      expires: unixSeconds(now + 9),
    }))
    const lines = told(judgeOldKeys(ending, known({ since, uses: {} }), now)).split('\n')
    assert.deepEqual([lines.length, lines.at(-1)], [21, 'hint: 9980 more keys end, or have ended'])
  })
})
