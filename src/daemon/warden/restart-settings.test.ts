import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseFwknopdConf } from '../../config/server/fwknopd-conf.ts'
import { needsRestart } from './restart-settings.ts'

function config(text: string) {
  const parsed = parseFwknopdConf('/etc/fwknop/fwknopd.conf', text)
  assert.ok(parsed.ok, parsed.ok ? '' : parsed.failure.detail)
  return parsed.value.config
}

/** Each is a change of one setting, from its default. */
const changes: readonly [line: string, named: RegExp | undefined][] = [
  ['', undefined],
  ['FWKNOP_PID_FILE /run/a.pid;', /FWKNOP_PID_FILE/],
  ['CAPTURE udp;', /CAPTURE/],
  ['PCAP_INTF eth0;', /PCAP_INTF/],
  ['SPA_PORTS 53;', /SPA_PORTS/],
  ['MAX_SNIFF_BYTES 1000;', /MAX_SNIFF_BYTES/],
  ['FIREWALL_MODE gate;\nPROTECTED_PORTS tcp/22;', /FIREWALL_MODE/],
  ['CONNTRACK_MARK 1;', /CONNTRACK_MARK/],
  ['NFT_TABLE other;', /NFT_TABLE/],
  ['MAX_GRANTS 5;', /MAX_GRANTS/],
  ['REPLAY_DB /tmp/r.db;', /REPLAY_DB/],
  ['MAX_PACKETS_PER_KEY 100;', /MAX_PACKETS_PER_KEY/],
  ['DIGEST_FILE /tmp/d;', /DIGEST_FILE/],
  ['CONTROL_SOCKET /tmp/c.sock;', /CONTROL_SOCKET/],
  ['RECEIVER_USER daemon;', /RECEIVER_USER/],
  ['ENABLE_SPA_PACKET_AGING N;', /ENABLE_SPA_PACKET_AGING/],
  ['MAX_SPA_PACKET_AGE 60;', /MAX_SPA_PACKET_AGE/],
  ['ENABLE_DIGEST_PERSISTENCE N;', /ENABLE_DIGEST_PERSISTENCE/],
  ['ACCESS_FILE other.conf;', undefined],
  ['LOG_LIMIT 5;', undefined],
  ['ENABLE_SPA_OVER_HTTP Y;', undefined],
  ['ENABLE_IPT_FORWARDING Y;', undefined],
]
for (const [line, named] of changes)
  test(`a reload that brings “${line}” ${named === undefined ? 'counts' : 'is refused by name'}`, () => {
    const said = needsRestart(config(''), config(line))
    if (named === undefined) assert.deepEqual(said, [])
    else assert.match(said.join(), named)
    assert.equal(said.length, named === undefined ? 0 : 1)
  })

test('a process id’s file that is taken out again is noticed', () => {
  assert.match(needsRestart(config('FWKNOP_PID_FILE /run/a.pid;'), config('')).join(), /FWKNOP_PID_FILE/)
})
