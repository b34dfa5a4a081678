import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { hostOf, unitsText } from '../../../test/support/host-of-values.ts'
import { parseIptablesSave } from '../../firewall/host/iptables-save.ts'
import { parseListing } from '../../firewall/host/ruleset.ts'
import { known, notKnown } from '../known.ts'
import { flushes, iptablesKind, isUfwEnabled, judgeManagers, lookAtManagers } from './managers.ts'
import { parseUnits } from './systemd.ts'

const base = (hook: string, policy = 'accept', type = 'filter'): string =>
  `type ${type} hook ${hook} priority 0; policy ${policy};`
const chain = (name: string, ...lines: string[]): string =>
  `\tchain ${name} {\n${lines.map((line) => `\t\t${line}\n`).join('')}\t}\n`
const table = (head: string, ...chains: string[]): string => `table ${head} {\n${chains.join('\n')}}\n`

const PLAIN = table('inet filter', chain('input', base('input', 'drop'), 'ct state established accept'))
const IPTABLES = table('ip filter', chain('INPUT', base('input'), 'tcp dport 22 counter packets 0 bytes 0 accept'))
const UFW = table(
  'ip filter',
  chain('INPUT', base('input', 'drop'), 'counter packets 1 bytes 2 jump ufw-before-input'),
  chain('FORWARD', base('forward', 'drop'), 'counter packets 0 bytes 0 jump ufw-before-forward'),
  chain('ufw-before-input', 'iifname "lo" accept'),
  chain('ufw-before-forward'),
)
const FIREWALLD = table('inet firewalld', chain('filter_INPUT', base('input'), 'ct state established accept'))
const DOCKER =
  table(
    'ip filter',
    chain('INPUT', base('input')),
    chain('FORWARD', base('forward', 'drop'), 'counter jump DOCKER-USER', 'oifname "docker0" accept'),
    chain('DOCKER-USER', 'return'),
    chain('DOCKER'),
  ) +
  table(
    'ip nat',
    chain('DOCKER', 'iifname "docker0" return'),
    chain('PREROUTING', base('prerouting', 'accept', 'nat'), 'jump DOCKER'),
  )
const OURS = table(
  'inet mygate',
  chain('onwards'),
  chain('gate', base('prerouting'), 'tcp dport @protected drop'),
  chain('nat_pre', base('prerouting', 'accept', 'nat')),
  chain('delivered'),
)
const LEGACY = '*filter\n:INPUT DROP [0:0]\n:FORWARD ACCEPT [0:0]\n-A INPUT -i lo -j ACCEPT\nCOMMIT\n'
const EMPTY_LEGACY = '*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\nCOMMIT\n'
const NO_UNITS = notKnown('systemd does not run this host')

describe('who manages the firewall', () => {
  for (const [what, listing, legacy, wanted] of [
    ['nobody', '', '', []],
    ['only ghostport', OURS + table('inet ghostport_boot', chain('x', base('input', 'drop'))), '', []],
    ['nobody: an empty table of iptables', table('ip filter', chain('INPUT', base('input'))), '', []],
    ['nobody: an empty legacy table', '', EMPTY_LEGACY, []],
    ['nft', PLAIN, '', ['nft: chain input in inet filter']],
    ['iptables-nft', IPTABLES, '', ['iptables-nft: chain INPUT in ip filter']],
    ['iptables-legacy', '', LEGACY, ['iptables-legacy: chain INPUT in iptables-legacy ip filter']],
    ['ufw, and not iptables besides', UFW, '', ['ufw: chain ufw-before-input in ip filter']],
    ['firewalld', FIREWALLD, '', ['firewalld: table inet firewalld']],
    [
      'Docker',
      DOCKER,
      '',
      ['docker: chain DOCKER-USER in ip filter, chain DOCKER in ip filter, chain DOCKER in ip nat'],
    ],
    [
      'fail2ban beside nft',
      PLAIN + table('inet f2b-table', chain('f2b-chain', base('input'), 'tcp dport 22 ip saddr @addr-set-sshd reject')),
      '',
      ['nft: chain input in inet filter', 'fail2ban: table inet f2b-table, chain f2b-chain in inet f2b-table'],
    ],
    [
      'two at once',
      PLAIN,
      LEGACY,
      ['nft: chain input in inet filter', 'iptables-legacy: chain INPUT in iptables-legacy ip filter'],
    ],
  ] as const)
    it(what, () => {
      const found = judgeManagers({
        tables: parseListing(listing),
        legacy: parseIptablesSave(legacy, 'ip'),
        units: NO_UNITS,
      })
      assert.deepEqual(
        found.map(({ name, evidence }) => `${name}: ${evidence.join(', ')}`),
        wanted,
      )
    })

  it('a running service counts, also where its rules are elsewhere', () => {
    const units = known(parseUnits(unitsText({ 'firewalld.service': { ActiveState: 'active' } })) ?? new Map())
    assert.deepEqual(judgeManagers({ tables: [], legacy: [], units }), [
      { name: 'firewalld', evidence: ['firewalld.service is active'] },
    ])
  })

  it('iptables-legacy is asked only for a table that the kernel has', async () => {
    const rules = { 'rules of nft': PLAIN }
    const none = await lookAtManagers(hostOf({ said: rules }))
    assert.ok(none.known)
    assert.deepEqual(none.value.legacyTables, [])
    // Not installed, so that to ask it would be seen.
    const files = { '/proc/self/net/ip_tables_names': 'filter\nnat\n' }
    assert.deepEqual(await lookAtManagers(hostOf({ files, said: rules })), {
      known: false,
      because: 'legacy rules of IPv4: not installed',
    })
    const asked = await lookAtManagers(hostOf({ files, said: { ...rules, 'legacy rules of IPv4': LEGACY } }))
    assert.ok(asked.known)
    assert.deepEqual(asked.value.legacyTables, ['ip filter', 'ip nat'])
    assert.deepEqual(
      asked.value.managers.map(({ name }) => name),
      ['nft', 'iptables-legacy'],
    )
  })

  it('is not known without the rules', async () => {
    const said = { 'rules of nft': { status: 1, output: '', complaint: 'Operation not permitted' } }
    assert.deepEqual(await lookAtManagers(hostOf({ said })), {
      known: false,
      because: 'the rules of nftables cannot be read: Operation not permitted',
    })
  })

  it('the files of ufw and nftables, and the link of iptables', () => {
    assert.deepEqual(['ENABLED=yes\n', '# ENABLED=yes\nENABLED=no\n', ''].map(isUfwEnabled), [true, false, false])
    assert.deepEqual(['#!/usr/sbin/nft -f\n\nflush ruleset\n', '# flush ruleset\n', ''].map(flushes), [
      true,
      false,
      false,
    ])
    assert.deepEqual(iptablesKind(known('/usr/sbin/xtables-nft-multi')), known('nft'))
    assert.deepEqual(iptablesKind(known(undefined), known('/usr/sbin/xtables-legacy-multi')), known('legacy'))
    assert.deepEqual(iptablesKind(known(undefined)), known('not installed'))
    assert.equal(iptablesKind(known('/opt/iptables')).known, false)
  })
})
