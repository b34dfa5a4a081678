import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseFwknopdConf } from './parse-fwknopd-conf.ts'

const FILE = '/etc/fwknop/fwknopd.conf'
const read = (text: string, more: readonly string[] = []) => {
  const parsed = parseFwknopdConf(FILE, text, {
    dialect: 'fwknopd',
    layers: more.map((text, n) => ({ file: `/more${n}.conf`, text })),
  })
  assert.ok(parsed.ok, parsed.ok ? '' : parsed.failure.detail)
  const { config, notices } = parsed.value
  return {
    config,
    warnings: notices.filter(({ level }) => level === 'warning').map(({ text, at }) => `${at?.line}: ${text}`),
  }
}

test('what fwknopd passes over is passed over with a warning', () => {
  const tables: readonly (readonly [text: string, warning: string])[] = [
    ['ENABLE_FOO Y;', "1: Ignoring unknown configuration parameter: 'ENABLE_FOO': there is no such variable"],
    [
      'PCAP_INFT eth1;',
      "1: Ignoring unknown configuration parameter: 'PCAP_INFT': there is no such variable — perhaps: PCAP_INTF",
    ],
    ['BLACKLIST 1.2.3.4;', '1: BLACKLIST is ignored: fwknopd 2.6 does not know it either'],
    [
      'ENABLE_NFQ_CAPTURE Y;',
      '1: ENABLE_NFQ_CAPTURE is ignored: packets are captured from the interface, and need no rule of NFQUEUE',
    ],
    ['garbage', '1: Ignoring unknown configuration parameter: …: there is no such variable'],
    ['PCAP_FILTER ;', '1: Invalid config file entry: the line is ignored: PCAP_FILTER has no value'],
    ['ACCESS_FILE $NO_SUCH/x;', '1: Invalid embedded variable: the line is ignored: no line before it sets $NO_SUCH'],
    [
      'PCAP_INTF=eth1;',
      '1: Invalid config file entry: the line is ignored: a blank separates name and value, not an equals sign — perhaps: PCAP_INTF …',
    ],
    ['\nOPEN_PORTS tcp/22', "2: Ignoring unknown configuration parameter: 'OPEN_PORTS': it belongs in access.conf"],
    [
      'SPA_SERVER x',
      "1: Ignoring unknown configuration parameter: 'SPA_SERVER': it belongs in ~/.fwknoprc, on the client",
    ],
  ]
  for (const [text, warning] of tables) {
    const { config, warnings } = read(text)
    assert.deepEqual(warnings, [warning])
    assert.deepEqual(config, read('').config)
  }
})

test('a misspelt setting that protects, and that fwknopd does not have, is refused', () => {
  for (const [text, meant] of [
    ['TRUSTED_PROXY 10.0.0.1;', 'TRUSTED_PROXIES'],
    ['FIREWALL_MOD gate;', 'FIREWALL_MODE'],
    ['PROTECTED_PORT tcp/22;', 'PROTECTED_PORTS'],
  ] as const) {
    const parsed = parseFwknopdConf(FILE, text, { dialect: 'fwknopd' })
    assert(!parsed.ok && parsed.failure.code === 'CONFIG_UNKNOWN_KEY', text)
    assert.deepEqual([parsed.failure.suggestion, parsed.failure.at], [meant, { file: FILE, line: 1 }])
  }
})

test('the last of several values counts', () => {
  const { config, warnings } = read('PCAP_INTF eth1;\nPCAP_INTF eth2;')
  assert.deepEqual(config.captures[0]?.interfaces, ['eth2'])
  assert.deepEqual(warnings, ['2: PCAP_INTF is set twice: this value counts, and not the one in line 1'])
})

test('a word that is neither yes nor no is a no, except where that would let used or old packets in', () => {
  const { config, warnings } = read('ENABLE_DIGEST_PERSISTENCE 1;\nENABLE_SPA_PACKET_AGING true;\nENABLE_NAT_DNS on;')
  assert.equal(config.policy.refuseReplays, true)
  assert.equal(config.policy.maxAge, 120)
  assert.equal(config.policy.nat.resolveNames, false)
  assert.equal(warnings.length, 3)
  assert.equal(read('ENABLE_NAT_DNS yep;').config.policy.nat.resolveNames, true)
  assert.equal(read('ENABLE_DIGEST_PERSISTENCE nope;').config.policy.refuseReplays, false)
})

test('the defaults are those of fwknopd', () => {
  const { config } = read('')
  assert.deepEqual(config.captures[0]?.interfaces, ['eth0'])
  assert.equal(config.pidFile, '/run/fwknop/fwknopd.pid')
  assert.equal(config.replay.database, '/var/lib/ghostport/replay.db')
  const other = read('FWKNOP_RUN_DIR /run/other;').config
  assert.equal(other.pidFile, '/run/other/fwknopd.pid')
  assert.equal(other.controlSocket, '/run/other/control.sock')
  assert.equal(other.replay.database, '/run/other/digest.cache.db')
})

test('a later file replaces what an earlier one sets', () => {
  const { config, warnings } = read('PCAP_INTF eth1;\nMAX_SPA_PACKET_AGE 60;', [
    'PCAP_INTF eth2;',
    'PCAP_INTF eth3;\nUDPSERV_PORT 7;',
  ])
  assert.deepEqual(config.captures[0]?.interfaces, ['eth3'])
  assert.equal(config.policy.maxAge, 60)
  assert.deepEqual(warnings, [])
})

test('the firewall is that of fwknopd, and keeps nothing over a start and a stop, unless told otherwise', () => {
  const firewall = (text: string) => {
    const { firewall: found } = read(text).config
    return found.kind === 'iptables' ? [found.flushAtStart, found.flushAtEnd] : found.kind
  }
  assert.deepEqual(firewall(''), [true, true])
  assert.deepEqual(firewall('FLUSH_IPT_AT_INIT N;'), [false, true])
  assert.deepEqual(firewall('FIREWALL nftables;'), 'nftables')
})
