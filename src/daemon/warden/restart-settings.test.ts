import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseFwknopdConf } from '../../config/server/parse-fwknopd-conf.ts'
import { needsRestart } from './restart-settings.ts'

function config(text: string) {
  const parsed = parseFwknopdConf('/etc/fwknop/fwknopd.conf', text)
  assert.ok(parsed.ok, parsed.ok ? '' : parsed.failure.detail)
  return { server: parsed.value.config, values: parsed.value.values }
}

/** Changes from the defaults. docs/CONFIG.md has each setting alone (test/architecture/config-page.test.ts). */
const changes: readonly [text: string, named: readonly string[]][] = [
  ['', []],
  ['FWKNOP_PID_FILE /run/a.pid;', ['FWKNOP_PID_FILE']],
  ['FWKNOP_PID_FILE a.pid;', ['FWKNOP_PID_FILE']],
  ['FWKNOP_RUN_DIR /run/other;', ['FWKNOP_RUN_DIR']],
  ['SPA_PORTS 53;', ['SPA_PORTS']],
  ['PCAP_FILTER udp port 53;', ['PCAP_FILTER']],
  ['CAPTURE udp;\nUDPSERV_PORT 53;', ['CAPTURE', 'UDPSERV_PORT']],
  ['FIREWALL_MODE gate;\nPROTECTED_PORTS tcp/22;', ['FIREWALL_MODE', 'PROTECTED_PORTS']],
  ['FIREWALL relay;\nRELAY 22 decoy=reset;', ['FIREWALL', 'RELAY']],
  ['NFT_TABLE other;\nACCESS_FILE other.conf;', ['NFT_TABLE']],
  ['NFT_TABLE other;\nMAX_SPA_PACKET_AGE 60;', ['NFT_TABLE', 'MAX_SPA_PACKET_AGE']],
  ['GPG_HOME_DIR /tmp;\nREPLAY_DB $GPG_HOME_DIR/r.db;', ['REPLAY_DB']],
  ['ACCESS_FILE other.conf;\nLOG_LIMIT 5;\nENABLE_SPA_OVER_HTTP Y;\nENABLE_IPT_FORWARDING Y;', []],
  ['NFT_TABLE ghostport;\nMAX_GRANTS 65535;', []],
]
for (const [text, named] of changes)
  test(`a reload that brings “${text.replaceAll('\n', ' ')}” ${named.length === 0 ? 'counts' : 'is refused by name'}`, () => {
    assert.deepEqual(needsRestart(config(''), config(text)), named)
    assert.deepEqual(needsRestart(config(text), config('')), named)
  })

test('of several settings that make one thing, only those that changed are named', () => {
  const before = 'FIREWALL_MODE gate;\nPROTECTED_PORTS tcp/22;\nFWKNOP_RUN_DIR /run/a;\nFWKNOP_PID_FILE a.pid;\n'
  assert.deepEqual(needsRestart(config(before), config(before.replace('22', '23'))), ['PROTECTED_PORTS'])
  assert.deepEqual(needsRestart(config(before), config(before.replace('a.pid', 'b.pid'))), ['FWKNOP_PID_FILE'])
  // Both the file of process ids and fwknop’s record of used packets are elsewhere then.
  assert.deepEqual(needsRestart(config(before), config(before.replace('run/a', 'run/b'))), ['FWKNOP_RUN_DIR'])
})
