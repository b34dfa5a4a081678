import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { parseFwknopdConf } from '../../config/server/parse-fwknopd-conf.ts'
import { type BootFacts, bootGateNotices, gateUnit } from './boot-gate.ts'

function settings(text: string) {
  const parsed = parseFwknopdConf('fwknopd.conf', text)
  assert.ok(parsed.ok, JSON.stringify(parsed))
  return { server: parsed.value.config, at: parsed.value.at }
}

const loaded = settings('FIREWALL_MODE gate;\nPROTECTED_PORTS tcp/22, udp/1194;\nNFT_TABLE doors;\n')

function unitOf({ server }: typeof loaded): string {
  const { firewall } = server
  assert.ok(firewall.kind === 'nftables' && firewall.mode.kind === 'gate')
  return gateUnit({ table: firewall.table, mode: firewall.mode }, '/usr/sbin/nft')
}

describe('the unit of the gate', () => {
  it('tells nft the ports and the table, in one transaction', () => {
    const unit = unitOf(loaded)
    assert.match(unit, /^ExecStart=\/usr\/sbin\/nft 'add table inet doors; \\$/m)
    assert.match(unit, /elements = \{ 6 \. 22, 17 \. 1194 \}/)
    assert.match(unit, /^Before=network-pre\.target /m)
  })

  const systemd = spawnSync('systemd-analyze', ['--version']).status === 0
  it('is one that systemd takes', { skip: !systemd && 'there is no systemd-analyze' }, () => {
    const folder = mkdtempSync(join(tmpdir(), 'ghostport-gate-'))
    const file = join(folder, 'ghostport-gate.service')
    writeFileSync(file, unitOf(loaded).replace('/usr/sbin/nft', '/bin/true'))
    const { status, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', file], { encoding: 'utf8' })
    rmSync(folder, { recursive: true })
    assert.equal(status, 0, stderr)
    assert.doesNotMatch(stderr, /ghostport-gate/)
  })
})

describe('a server in gate mode', () => {
  const unit = unitOf(loaded)
  const cases: readonly (readonly [what: string, facts: BootFacts, says: RegExp | undefined])[] = [
    ['is content with its unit', { systemd: true, unit, enabled: true }, undefined],
    [
      'is content where the unit names another nft',
      { systemd: true, unit: unit.replace('/usr/sbin/nft', '/opt/nft'), enabled: true },
      undefined,
    ],
    ['says nothing of units where there is no systemd', { systemd: false, unit: undefined, enabled: false }, undefined],
    [
      'warns without the unit',
      { systemd: true, unit: undefined, enabled: false },
      /at boot, tcp\/22,udp\/1194 is open to everybody/,
    ],
    [
      'warns of a unit that is not enabled',
      { systemd: true, unit, enabled: false },
      /at boot, tcp\/22.*is open to everybody/,
    ],
    [
      'warns of other ports',
      { systemd: true, unit: unit.replace('6 . 22', '6 . 23'), enabled: true },
      /closes other ports than tcp\/22/,
    ],
    [
      'warns of another table',
      { systemd: true, unit: unit.replaceAll('doors', 'ghostport'), enabled: true },
      /another table than doors/,
    ],
  ]
  for (const [what, facts, says] of cases)
    it(what, () => {
      const [notice, ...more] = bootGateNotices(loaded, facts)
      assert.deepEqual(more, [])
      if (says === undefined) assert.equal(notice, undefined)
      else {
        assert.match(notice?.text ?? '', says)
        assert.match(notice?.cure ?? '', /^ghostport unit --gate > .* && systemctl enable ghostport-gate$/)
        assert.deepEqual(notice?.at, { file: 'fwknopd.conf', line: 1 })
      }
    })

  it('is the only one that needs it', () => {
    const facts = { systemd: true, unit: undefined, enabled: false }
    assert.deepEqual(bootGateNotices(settings(''), facts), [])
  })
})
