import assert from 'node:assert/strict'
import { test } from 'node:test'
import { defaultChains } from './firewall-settings.ts'
import { irrelevantSettings, refusedSettings, serverSettingNames, usedSettings } from './fwknopd-settings.ts'
import { parseFwknopdConf, type SettingOverride } from './parse-fwknopd-conf.ts'
import { formatFilter } from './pcap-filter.ts'

const FILE = '/etc/fwknop/fwknopd.conf'

function parse(text: string) {
  const parsed = parseFwknopdConf(FILE, text)
  assert(parsed.ok, parsed.ok ? '' : `${parsed.failure.code} ${parsed.failure.detail}`)
  return parsed.value
}

test('an empty file gives the defaults', () => {
  assert.deepEqual(parse(''), {
    config: {
      captures: [{ kind: 'packet', interfaces: 'any', ports: [62201], maxBytes: 1500 }],
      policy: {
        maxAge: 120,
        refuseReplays: true,
        http: 'off',
        nat: { forward: false, local: false, translation: 'none', resolveNames: true },
      },
      firewall: {
        kind: 'nftables',
        mode: { kind: 'mark' },
        mark: 0x200000,
        table: 'ghostport',
        owner: 'auto',
        maxGrants: 65535,
      },
      replay: {
        database: '/var/lib/ghostport/replay.db',
        packetsPerKey: 20_000,
        fwknopDigests: { path: '/run/fwknop/digest.cache', named: false },
      },
      accessFile: '/etc/fwknop/access.conf',
      auditLog: '/var/lib/ghostport/audit.log',
      controlSocket: '/run/ghostport/control.sock',
      interfaceChecks: { interval: 20, exists: true, running: true, bytes: true, addresses: true, received: true },
      commands: { sudo: '/usr/bin/sudo', timeout: 30 },
      gnupg: { home: '/root/.gnupg', program: '/usr/bin/gpg' },
      refusalsPerSecond: 10,
      lines: { verbosity: 0, identity: 'fwknopd', facility: 'LOG_DAEMON' },
    },
    notices: [],
    at: {},
    values: {},
    texts: {},
  })
})

test('everything set at once', () => {
  const { config, notices } = parse(`
PCAP_INTF                   eth0, wlan0;
INTF_CHECKS_INTERVAL        5;
ENABLE_INTF_BYTES_CHECK     N;
SPA_PORTS                   62201, 53, 53;
MAX_SNIFF_BYTES             2000;
ENABLE_SPA_PACKET_AGING     Y;
MAX_SPA_PACKET_AGE          30;
ENABLE_SPA_OVER_HTTP        Y;
ALLOW_ANY_USER_AGENT        yes;
ENABLE_IPT_FORWARDING       Y;
ENABLE_IPT_LOCAL_NAT        Y;
ENABLE_IPT_SNAT             Y;
SNAT_TRANSLATE_IP           192.0.2.1;
ENABLE_NAT_DNS              N;
FWKNOP_RUN_DIR              /var/run/fwknop;
FWKNOP_PID_FILE             $FWKNOP_RUN_DIR/fwknopd.pid;
DIGEST_FILE                 digest.cache;
ACCESS_FILE                 /etc/ghostport/access.conf;
FIREWALL_MODE               gate;
PROTECTED_PORTS             tcp/22, UDP/53;
CONNTRACK_MARK              1024;
NFT_TABLE                   doors;
NFT_TABLE_OWNER             y;
MAX_GRANTS                  100;
MAX_PACKETS_PER_KEY         500;
REPLAY_DB                   /srv/replay.db;
CONTROL_SOCKET              /run/doors.sock;
RECEIVER_USER               _spa;
LOG_LIMIT                   3;
`)
  assert.deepEqual(
    notices.map(({ text }) => text.split(':')[0]),
    ['ENABLE_SPA_OVER_HTTP'],
  )
  assert.deepEqual(config, {
    captures: [{ kind: 'packet', interfaces: ['eth0', 'wlan0'], ports: [62201, 53], maxBytes: 2000 }],
    policy: {
      maxAge: 30,
      refuseReplays: true,
      http: { anyUserAgent: true, trustForwardedFor: false },
      nat: { forward: true, local: true, translation: { snat: '192.0.2.1' }, resolveNames: false },
    },
    firewall: {
      kind: 'nftables',
      mode: {
        kind: 'gate',
        protectedPorts: [
          { protocol: 'tcp', port: 22 },
          { protocol: 'udp', port: 53 },
        ],
      },
      mark: 1024,
      table: 'doors',
      owner: 'Y',
      maxGrants: 100,
    },
    replay: {
      database: '/srv/replay.db',
      packetsPerKey: 500,
      fwknopDigests: { path: '/var/run/fwknop/digest.cache', named: true },
    },
    accessFile: '/etc/ghostport/access.conf',
    interfaceChecks: { interval: 5, exists: true, running: true, bytes: false, addresses: true, received: true },
    auditLog: '/srv/audit.log',
    controlSocket: '/run/doors.sock',
    gnupg: { home: '/root/.gnupg', program: '/usr/bin/gpg' },
    pidFile: '/var/run/fwknop/fwknopd.pid',
    receiverUser: '_spa',
    commands: { sudo: '/usr/bin/sudo', timeout: 30 },
    refusalsPerSecond: 3,
    lines: { verbosity: 0, identity: 'fwknopd', facility: 'LOG_DAEMON' },
  })
})

test('a relay', () => {
  const { config } = parse(
    'FIREWALL relay;\nRELAY 8080 decoy=127.0.0.1:8000;\nRELAY [::1]:8443 decoy=reset service=127.0.0.1:22;\nMAX_GRANTS 9;',
  )
  assert.deepEqual(config.firewall, {
    kind: 'relay',
    listeners: [
      { port: 8080, decoy: { host: '127.0.0.1', port: 8000 } },
      { address: '::1', port: 8443, decoy: 'reset', service: { host: '127.0.0.1', port: 22 } },
    ],
    maxGrants: 9,
  })
})

const captures: [text: string, kind: string, ports: (number | { first: number; last: number })[]][] = [
  ['PCAP_FILTER udp port 62201;', 'packet', [62201]],
  ['PCAP_FILTER udp dst port 53 or udp port 62201;', 'packet', [53, 62201]],
  ['PCAP_FILTER udp port 53;\nSPA_PORTS 53;', 'packet', [53]],
  ['ENABLE_UDP_SERVER Y;\nUDPSERV_PORT 40000;', 'udp', [40000]],
  ['CAPTURE udp;', 'udp', [62201]],
  ['SPA_PORTS 62201, 10000-65534, 53-53;', 'packet', [62201, { first: 10_000, last: 65_534 }, 53]],
  ['PCAP_FILTER udp dst portrange 10000-65534;', 'packet', [{ first: 10_000, last: 65_534 }]],
  [
    'PCAP_FILTER udp portrange 10-20 or udp port 53;\nSPA_PORTS 53, 10-20, 10-20;',
    'packet',
    [53, { first: 10, last: 20 }],
  ],
  ['CAPTURE udp;\nSPA_PORTS 40000-40000;', 'udp', [40_000]],
  ['CAPTURE udp;\nENABLE_UDP_SERVER Y;\nSPA_PORTS 1,2;', 'udp', [1, 2]],
]
for (const [text, kind, ports] of captures) {
  test(`captured: ${text.replace('\n', ' ')}`, () => {
    const { captures } = parse(text).config
    assert.deepEqual(
      captures.map((capture) => [capture.kind, capture.ports]),
      [[kind, ports]],
    )
  })
}

const together: [text: string, captures: string[]][] = [
  ['ENABLE_TCP_SERVER Y;', ['packet 62201', 'tcp-server 62201']],
  ['ENABLE_TCP_SERVER Y;\nTCPSERV_PORT 8000;\nENABLE_UDP_SERVER Y;', ['udp 62201', 'tcp-server 8000']],
  ['CAPTURE tcp;', ['tcp-server 62201']],
  [
    'CAPTURE packet, tcp;\nPCAP_FILTER tcp port 62201;',
    ['packet tcp port 62201 and not tcp port 62201', 'tcp-server 62201'],
  ],
  ['CAPTURE packet, tcp;\nPCAP_FILTER icmp;', ['packet icmp', 'tcp-server 62201']],
  ['CAPTURE udp, packet;\nPCAP_FILTER tcp port 80;\nSPA_PORTS 53;', ['packet tcp port 80', 'udp 53']],
  ['CAPTURE udp, packet;\nPCAP_FILTER port 53;\nSPA_PORTS 53;', ['packet port 53 and not udp port 53', 'udp 53']],
]
for (const [text, expected] of together)
  test(`captured together: ${text.replaceAll('\n', ' ')}`, () => {
    const { captures } = parse(text).config
    assert.deepEqual(
      captures.map(
        ({ kind, ports, filter }) => `${kind} ${filter === undefined ? ports.join() : formatFilter(filter)}`,
      ),
      expected,
    )
  })

test('a filter that asks for more than UDP ports is what is captured', () => {
  const { captures } = parse('PCAP_FILTER tcp port 80 or icmp;\nENABLE_SPA_OVER_HTTP Y;').config
  assert.deepEqual(
    captures.map(({ ports, filter }) => [ports, filter && formatFilter(filter)]),
    [[[], 'tcp port 80 or icmp']],
  )
})

const places: [file: string, text: string, accessFile: string, digests: string, pidFile?: string][] = [
  ['/etc/f/fwknopd.conf', '', '/etc/f/access.conf', '/run/fwknop/digest.cache'],
  ['/fwknopd.conf', '', '/access.conf', '/run/fwknop/digest.cache'],
  ['fwknopd.conf', '', 'access.conf', '/run/fwknop/digest.cache'],
  ['f/fwknopd.conf', '', 'f/access.conf', '/run/fwknop/digest.cache'],
  ['fwknopd.conf', 'ACCESS_FILE $FWKNOP_CONF_DIR/a.conf', './a.conf', '/run/fwknop/digest.cache'],
  ['f/fwknopd.conf', 'ACCESS_FILE $FWKNOP_CONF_DIR/a.conf', 'f/a.conf', '/run/fwknop/digest.cache'],
  ['f/fwknopd.conf', 'ACCESS_FILE ./a.conf', 'f/a.conf', '/run/fwknop/digest.cache'],
  ['/f/fwknopd.conf', 'ACCESS_FILE ../a.conf', '/f/../a.conf', '/run/fwknop/digest.cache'],
  ['f/fwknopd.conf', 'DIGEST_FILE $FWKNOP_CONF_DIR/d', 'f/access.conf', 'f/d'],
  ['f/fwknopd.conf', 'DIGEST_FILE ./d', 'f/access.conf', '/run/fwknop/d'],
  ['f/fwknopd.conf', 'FWKNOP_PID_FILE $FWKNOP_CONF_DIR/p', 'f/access.conf', '/run/fwknop/digest.cache', 'f/p'],
  ['f/fwknopd.conf', 'FWKNOP_CONF_DIR /x;\nACCESS_FILE $FWKNOP_CONF_DIR/a', '/x/a', '/run/fwknop/digest.cache'],
]
for (const [file, text, accessFile, digests, pidFile] of places) {
  test(`of ${file}${text === '' ? '' : ` with ${text}`}, the stanzas are in ${accessFile}`, () => {
    const parsed = parseFwknopdConf(file, text)
    assert(parsed.ok)
    const { config } = parsed.value
    assert.deepEqual([config.accessFile, config.replay.fwknopDigests.path], [accessFile, digests])
    assert.equal(config.pidFile, pidFile)
  })
}

test('variables for a firewalld build say the same as those for iptables', () => {
  const { nat } = parse('ENABLE_FIREWD_FORWARDING Y;\nENABLE_FIREWD_LOCAL_NAT Y;\nENABLE_FIREWD_SNAT Y;').config.policy
  assert.deepEqual(nat, { forward: true, local: true, translation: 'masquerade', resolveNames: true })
})

/** Each is put into line 2. */
const malformed: [line: string, code: string, suggestion?: string][] = [
  ['PCAP_INTF', 'CONFIG_SYNTAX'],
  ['PCAP_INTF ;', 'CONFIG_SYNTAX'],
  ['PCAP_INTF=eth0', 'CONFIG_SYNTAX', 'PCAP_INTF …'],
  ['PCAP_INTF eth0; wlan0;', 'CONFIG_SYNTAX'],
  ['{', 'CONFIG_SYNTAX'],
  ['PCAP_INT eth0;', 'CONFIG_UNKNOWN_KEY', 'PCAP_INTF'],
  ['PCAPINTF eth0;', 'CONFIG_UNKNOWN_KEY', 'PCAP_INTF'],
  ['pcap_intf eth0;', 'CONFIG_UNKNOWN_KEY', 'PCAP_INTF'],
  ['ENABLE_IPT_LOCALNAT Y;', 'CONFIG_UNKNOWN_KEY', 'ENABLE_IPT_LOCAL_NAT'],
  ['FROBNICATE Y;', 'CONFIG_UNKNOWN_KEY'],
  ['toString Y;', 'CONFIG_UNKNOWN_KEY'],
  ['SOURCE ANY', 'CONFIG_UNKNOWN_KEY'],
  ['PCAP_INTF a/b;', 'CONFIG_INVALID_VALUE'],
  ['PCAP_INTF eth0,;', 'CONFIG_INVALID_VALUE'],
  ['PCAP_INTF anamethatistoolong;', 'CONFIG_INVALID_VALUE'],
  ['PCAP_INTF eth0, ääääääää;', 'CONFIG_INVALID_VALUE'],
  ['PCAP_INTF .;', 'CONFIG_INVALID_VALUE'],
  ['PCAP_INTF ..;', 'CONFIG_INVALID_VALUE'],
  ['PCAP_INTF eth0:1;', 'CONFIG_INVALID_VALUE', 'eth0'],
  ['PCAP_INTF eth0.100000000@eth0;', 'CONFIG_INVALID_VALUE', 'eth0.100000000'],
  ['PCAP_INTF eth0, any;', 'CONFIG_INVALID_VALUE', 'any'],
  ['PCAP_FILTER udp port 0;', 'CONFIG_INVALID_VALUE'],
  ['SPA_PORTS 0;', 'CONFIG_INVALID_VALUE'],
  ['SPA_PORTS udp/62201, 53/udp;', 'CONFIG_INVALID_VALUE', '62201, 53'],
  ['SPA_SERVER 192.0.2.1;', 'CONFIG_UNKNOWN_KEY'],
  ['SPA_PORTS 65536;', 'CONFIG_INVALID_VALUE'],
  ['SPA_PORTS 62201;53;', 'CONFIG_SYNTAX'],
  ['SPA_PORTS 62201 53;', 'CONFIG_INVALID_VALUE', '62201, 53'],
  ['PCAP_INTF eth0 wlan0;', 'CONFIG_INVALID_VALUE', 'eth0, wlan0'],
  [`SPA_PORTS ${Array.from({ length: 65 }, (_, i) => i + 1)};`, 'CONFIG_INVALID_VALUE'],
  ['SPA_PORTS 20-10;', 'CONFIG_INVALID_VALUE', '10-20'],
  ['SPA_PORTS 10000-65536;', 'CONFIG_INVALID_VALUE'],
  ['SPA_PORTS 0-10;', 'CONFIG_INVALID_VALUE'],
  ['SPA_PORTS 10-;', 'CONFIG_INVALID_VALUE'],
  ['SPA_PORTS 10-20-30;', 'CONFIG_INVALID_VALUE'],
  ['PCAP_FILTER udp port 10-20;', 'CONFIG_INVALID_VALUE', 'portrange 10-20'],
  ['PCAP_FILTER udp port spa;', 'CONFIG_INVALID_VALUE'],
  ['ENABLE_UDP_SERVER = Y;', 'CONFIG_SYNTAX', 'ENABLE_UDP_SERVER …'],
  ['PCAP_FILTER udp dst portrange 20-10;', 'CONFIG_INVALID_VALUE', '10-20'],
  ['UDPSERV_PORT 65536;', 'CONFIG_INVALID_VALUE'],
  ['ENABLE_UDP_SERVER true;', 'CONFIG_INVALID_VALUE', 'Y'],
  ['ENABLE_UDP_SERVER off;', 'CONFIG_INVALID_VALUE', 'N'],
  ['ENABLE_UDP_SERVER maybe;', 'CONFIG_INVALID_VALUE'],
  ['MAX_SPA_PACKET_AGE 0;', 'CONFIG_INVALID_VALUE'],
  ['MAX_SPA_PACKET_AGE 120s;', 'CONFIG_INVALID_VALUE', '120'],
  ['MAX_SPA_PACKET_AGE 2 minutes;', 'CONFIG_INVALID_VALUE', '120'],
  ['MAX_SPA_PACKET_AGE 100001;', 'CONFIG_INVALID_VALUE'],
  ['MAX_SNIFF_BYTES 40000;', 'CONFIG_INVALID_VALUE'],
  ['SNAT_TRANSLATE_IP example.org;', 'CONFIG_INVALID_VALUE'],
  ['SNAT_TRANSLATE_IP fe80::1;', 'CONFIG_INVALID_VALUE'],
  ['SNAT_TRANSLATE_IP __CHANGEME__;', 'CONFIG_INVALID_VALUE'],
  ['FWKNOP_RUN_DIR run;', 'CONFIG_INVALID_VALUE', '/run'],
  ['FIREWALL nftable;', 'CONFIG_INVALID_VALUE', 'nftables'],
  ['FIREWALL iptable;', 'CONFIG_INVALID_VALUE', 'iptables'],
  [
    'ENABLE_DESTINATION_RULE Y;',
    'CONFIG_CONFLICT',
    'ENABLE_DESTINATION_RULE N; DESTINATION chooses which packets count',
  ],
  [
    'IPT_INPUT_ACCESS ACCEPT, filter, INPUT, 1, FWKNOP_INPUT;',
    'CONFIG_INVALID_VALUE',
    'ACCEPT, filter, INPUT, 1, FWKNOP_INPUT, 1',
  ],
  [
    'IPT_INPUT_ACCESS DROP, filter, INPUT, 1, FWKNOP_INPUT, 1;',
    'CONFIG_INVALID_VALUE',
    'ACCEPT, filter, INPUT, 1, FWKNOP_INPUT, 1',
  ],
  [
    'IPT_INPUT_ACCESS ACCEPT, filter, INPUT, 0, FWKNOP_INPUT, 1;',
    'CONFIG_INVALID_VALUE',
    'ACCEPT, filter, INPUT, 1, FWKNOP_INPUT, 1',
  ],
  [
    'IPT_INPUT_ACCESS ACCEPT, filter, INPUT, 1, INPUT, 1;',
    'CONFIG_INVALID_VALUE',
    'ACCEPT, filter, INPUT, 1, FWKNOP_INPUT, 1',
  ],
  [
    'IPT_INPUT_ACCESS ACCEPT, nat, INPUT, 1, FWKNOP_INPUT, 1;',
    'CONFIG_INVALID_VALUE',
    'ACCEPT, filter, INPUT, 1, FWKNOP_INPUT, 1',
  ],
  [
    'IPT_DNAT_ACCESS DNAT, filter, INPUT, 1, A, 1;',
    'CONFIG_INVALID_VALUE',
    'DNAT, nat, PREROUTING, 1, FWKNOP_PREROUTING, 1',
  ],
  ['FIREWALL relay;', 'CONFIG_MISSING_KEY', 'RELAY 80 decoy=127.0.0.1:8080;'],
  ['FIREWALL_MODE gates;', 'CONFIG_INVALID_VALUE', 'gate'],
  ['FIREWALL_MODE gate;', 'CONFIG_MISSING_KEY', 'PROTECTED_PORTS tcp/22;'],
  ['PROTECTED_PORTS 22;', 'CONFIG_INVALID_VALUE', 'tcp/22'],
  ['PROTECTED_PORTS tpc/22;', 'CONFIG_INVALID_VALUE', 'tcp/22'],
  ['PROTECTED_PORTS tcp/0;', 'CONFIG_INVALID_VALUE'],
  ['CONNTRACK_MARK 3;', 'CONFIG_INVALID_VALUE', '0x200000'],
  ['CONNTRACK_MARK 0;', 'CONFIG_INVALID_VALUE', '0x200000'],
  ['CONNTRACK_MARK 0x100000000;', 'CONFIG_INVALID_VALUE', '0x200000'],
  ['NFT_TABLE drop;table;', 'CONFIG_SYNTAX'],
  ['NFT_TABLE my table;', 'CONFIG_INVALID_VALUE'],
  ['MAX_GRANTS 0;', 'CONFIG_INVALID_VALUE'],
  ['MAX_PACKETS_PER_KEY 0;', 'CONFIG_INVALID_VALUE'],
  ['MAX_PACKETS_PER_KEY 10000001;', 'CONFIG_INVALID_VALUE'],
  ['RELAY 80 decoy=reset;', 'CONFIG_CONFLICT', 'FIREWALL relay;'],
  ['RELAY 80;', 'CONFIG_INVALID_VALUE', '80 decoy=reset'],
  ['GATEWAY_ADDRESSES ANY;', 'CONFIG_INVALID_VALUE'],
  ['GATEWAY_ADDRESSES gate.example;', 'CONFIG_INVALID_VALUE'],
  ['GATEWAY_MAX_SPA_PACKET_AGE 121;\nGATEWAY_ADDRESSES 192.0.2.7;', 'CONFIG_CONFLICT'],
  ['GATEWAY_MAX_SPA_PACKET_AGE 0;\nGATEWAY_ADDRESSES 192.0.2.7;', 'CONFIG_INVALID_VALUE'],
  ['GATEWAY_RECEIPTS Y;\nGATEWAY_ADDRESSES 192.0.2.7;\nENABLE_DIGEST_PERSISTENCE N;', 'CONFIG_CONFLICT'],
  ['RELAY 80 dekoy=127.0.0.1:1;', 'CONFIG_INVALID_VALUE', '80 decoy=127.0.0.1:1'],
  ['RELAY 80 decoy=localhost:1;', 'CONFIG_INVALID_VALUE'],
  ['RELAY 80 decoy=reset 127.0.0.1:22;', 'CONFIG_INVALID_VALUE', '80 decoy=reset service=127.0.0.1:22'],
  ['RELAY 80 decoy=reset servce=127.0.0.1:22;', 'CONFIG_INVALID_VALUE', '80 decoy=reset service=127.0.0.1:22'],
  ['RELAY 80 decoy=reset service=127.0.0.1;', 'CONFIG_INVALID_VALUE'],
  ['RELAY 80 decoy=reset service=127.0.0.1:22 more;', 'CONFIG_INVALID_VALUE', '80 decoy=reset service=127.0.0.1:22'],
  ['RELAY 0 decoy=reset;', 'CONFIG_INVALID_VALUE'],
  ['RELAY ::1:80 decoy=reset;', 'CONFIG_INVALID_VALUE', '[::1]:80'],
  ['CAPTURE pcap;', 'CONFIG_INVALID_VALUE'],
  ['CAPTURE packets;', 'CONFIG_INVALID_VALUE', 'packet'],
  ['REPLAY_DB replay.db;', 'CONFIG_INVALID_VALUE', '/var/lib/ghostport/replay.db'],
  ['REPLAY_DB srv/replay.db;', 'CONFIG_INVALID_VALUE', '/srv/replay.db'],
  ['CONTROL_SOCKET ./control.sock;', 'CONFIG_INVALID_VALUE', '/run/ghostport/control.sock'],
  [`CONTROL_SOCKET /${'s'.repeat(107)};`, 'CONFIG_INVALID_VALUE'],
  ['RECEIVER_USER root;', 'CONFIG_INVALID_VALUE', 'ghostport'],
  ['RECEIVER_USER no body;', 'CONFIG_INVALID_VALUE'],
  ['LOG_LIMIT 0;', 'CONFIG_INVALID_VALUE'],
  ['FWKNOP_PID_FILE $FWKNOP_RUN_DIRS/x.pid;', 'CONFIG_UNKNOWN_KEY', '$FWKNOP_RUN_DIR/x.pid'],
  ['FWKNOP_PID_FILE $FWKNOP_PID_FILE;', 'CONFIG_SYNTAX'],
  ['PCAP_FILE a.pcap;', 'CONFIG_INVALID_VALUE', '/var/tmp/a.pcap'],
  ['CAPTURE tpc;', 'CONFIG_INVALID_VALUE', 'tcp'],
  ['ENABLE_NFQ_CAPTURE Y;', 'CONFIG_UNSUPPORTED_KEY'],
  ['BLACKLIST 10.0.0.1;', 'CONFIG_UNSUPPORTED_KEY'],
]
for (const [line, code, suggestion] of malformed) {
  test(`“${line.slice(0, 60)}” is refused: ${code}`, () => {
    const parsed = parseFwknopdConf(FILE, `# the server\n${line}\n\n`)
    assert(!parsed.ok)
    assert.equal(parsed.failure.code, code, parsed.failure.detail)
    assert.deepEqual(parsed.failure.at, { file: FILE, line: 2 })
    assert.equal(parsed.failure.suggestion, suggestion)
  })
}

test('a flag is read as its variable is, and the file’s own value then does not count', () => {
  const under = (text: string, ...overrides: SettingOverride[]) => parseFwknopdConf(FILE, text, { overrides })
  const captures = (text: string, ...overrides: SettingOverride[]) => {
    const parsed = under(text, ...overrides)
    assert(parsed.ok, parsed.ok ? '' : parsed.failure.detail)
    return parsed.value.config.captures.flatMap(({ kind, interfaces, ports }) => [kind, interfaces, ports])
  }
  const i = (value: string) => ({ name: 'PCAP_INTF', value, flag: '-i' }) as const
  const udp = { name: 'CAPTURE', value: 'udp', flag: '-U' } as const
  assert.deepEqual(captures('', i('any')), ['packet', 'any', [62201]])
  assert.deepEqual(captures('PCAP_INTF wlan0;', i('eth0, lo')), ['packet', ['eth0', 'lo'], [62201]])
  assert.deepEqual(captures('PCAP_INTF not/a/name;', i('eth0')), ['packet', ['eth0'], [62201]])
  assert.deepEqual(captures('ENABLE_UDP_SERVER N;\nUDPSERV_PORT 5000;', udp), ['udp', 'any', [5000]])
  assert.deepEqual(captures('CAPTURE packet;\nUDPSERV_PORT 5000;', udp), ['udp', 'any', [5000]])
  const refused = under('PCAP_INTF eth0;', i('eth0/1'))
  assert(!refused.ok)
  assert.equal(refused.failure.code, 'CONFIG_INVALID_VALUE')
  assert.match(refused.failure.detail, /^-i: .*“eth0\/1”/)
  assert.equal(refused.failure.at, undefined)
  const both = under('', i('eth0'), udp)
  assert(both.ok)
  assert.match(both.value.notices.map(({ text }) => text).join(), /^-i has no effect/)
})

/** The second line contradicts the first. */
const contradictions: [first: string, second: string][] = [
  ['PCAP_INTF eth0;', 'PCAP_INTF eth1;'],
  ['ENABLE_IPT_SNAT Y;', 'ENABLE_FIREWD_SNAT N;'],
  ['ENABLE_UDP_SERVER Y;', 'CAPTURE packet;'],
  ['PCAP_FILTER udp port 62201;', 'SPA_PORTS 53;'],
  ['PCAP_FILTER udp portrange 10-20;', 'SPA_PORTS 10-21;'],
  ['PCAP_FILTER tcp port 80;', 'SPA_PORTS 53;'],
  ['ENABLE_TCP_SERVER Y;', 'CAPTURE packet;'],
  ['SPA_PORTS 53;', 'CAPTURE udp, packet;'],
  ['CAPTURE udp;', 'SPA_PORTS 53, 10000-65534;'],
  ['ENABLE_UDP_SERVER Y;', 'SPA_PORTS 10000-65534;'],
  ['FIREWALL nftables;', 'RELAY 80 decoy=reset;'],
]
for (const [first, second] of contradictions) {
  test(`${first} ${second} contradict each other`, () => {
    const parsed = parseFwknopdConf(FILE, `${first}\n${second}`)
    assert(!parsed.ok)
    assert.equal(parsed.failure.code, 'CONFIG_CONFLICT')
    assert.deepEqual(parsed.failure.at, { file: FILE, line: 2 })
  })
}

test('authorities are for a webhook over https', () => {
  const settings = (url: string): string => `WEBHOOK_URL ${url};\nWEBHOOK_KEY_FILE /k;\nWEBHOOK_CA_FILE /ca.pem;`
  const parsed = parseFwknopdConf(FILE, settings('http://localhost/'))
  assert(!parsed.ok)
  assert.deepEqual([parsed.failure.code, parsed.failure.at], ['CONFIG_CONFLICT', { file: FILE, line: 3 }])
  const good = parseFwknopdConf(FILE, settings('https://localhost/'))
  assert(good.ok)
  assert.deepEqual(good.value.config.hooks?.webhook?.authoritiesFile, '/ca.pem')
})

const socketRanges: [text: string, suggestion: string][] = [
  ['CAPTURE udp;\nSPA_PORTS 1-9;', 'CAPTURE packet;'],
  ['ENABLE_UDP_SERVER Y;\nSPA_PORTS 1-9;', 'ENABLE_UDP_SERVER N;'],
]
for (const [text, suggestion] of socketRanges)
  test(`${text.replace('\n', ' ')}: the suggestion is about the line that asks for the socket`, () => {
    const parsed = parseFwknopdConf(FILE, text)
    assert(!parsed.ok)
    assert.equal(parsed.failure.suggestion, suggestion)
  })

test('-U with a range of ports is told from the file’s own choice', () => {
  const parsed = parseFwknopdConf(FILE, 'SPA_PORTS 1-9;', {
    overrides: [{ name: 'CAPTURE', value: 'udp', flag: '-U' }],
  })
  assert(!parsed.ok)
  assert.match(parsed.failure.suggestion ?? '', /leave out -U/)
})

test('two relays of one port contradict each other', () => {
  const parsed = parseFwknopdConf(FILE, 'FIREWALL relay;\nRELAY 80 decoy=reset;\nRELAY 80 decoy=127.0.0.1:1;')
  assert(!parsed.ok && parsed.failure.code === 'CONFIG_CONFLICT' && parsed.failure.at?.line === 3)
})

/** A notice for each, of this level, about line 1. */
const noticed: [text: string, level: 'info' | 'warning'][] = [
  ...Object.keys(irrelevantSettings).map((name): [string, 'info'] => [`${name} 1;`, 'info']),
  ['ENABLE_DIGEST_PERSISTENCE N;', 'warning'],
  ['ENABLE_SPA_PACKET_AGING N;', 'warning'],
  ['ENABLE_X_FORWARDED_FOR Y;\nENABLE_SPA_OVER_HTTP Y;', 'warning'],
  ['ENABLE_X_FORWARDED_FOR Y;', 'info'],
  ['ENABLE_SPA_OVER_HTTP Y;', 'warning'],
  ['ENABLE_SPA_OVER_HTTP Y;\nPCAP_FILTER udp port 80;', 'warning'],
  ['TRUSTED_PROXIES 10.0.0.1;\nENABLE_SPA_OVER_HTTP Y;', 'info'],
  ['MAX_SPA_PACKET_AGE 5;\nENABLE_SPA_PACKET_AGING N;', 'info'],
  ['GATEWAY_RECEIPTS Y;', 'info'],
  ['GATEWAY_MAX_SPA_PACKET_AGE 5;', 'info'],
  ['GATEWAY_RECEIPTS Y;\nGATEWAY_ADDRESSES 192.0.2.7;\nCAPTURE tcp;', 'info'],
  ['SNAT_TRANSLATE_IP 10.0.0.1;', 'info'],
  ['UDPSERV_PORT 5;', 'info'],
  ['PCAP_FILTER udp port 62201;\nCAPTURE udp;', 'info'],
  ['PROTECTED_PORTS tcp/22;', 'info'],
  ['NFT_TABLE a;\nFIREWALL relay;\nRELAY 80 decoy=reset;', 'info'],
]
for (const [text, level] of noticed) {
  test(`noticed: ${text.replaceAll('\n', ' ')}`, () => {
    const { notices } = parse(text)
    assert(
      notices.some((notice) => notice.level === level && notice.at?.line === 1),
      JSON.stringify(notices),
    )
  })
}

for (const more of ['PCAP_FILTER tcp port 80;', 'ENABLE_TCP_SERVER Y;', 'PCAP_FILE /x.pcap;\nPCAP_FILTER tcp port 80;'])
  test(`HTTP requests can come with ${more.replaceAll('\n', ' ')}`, () => {
    const { notices } = parse(`ENABLE_SPA_OVER_HTTP Y;\n${more}`)
    assert.equal(
      notices.find(({ text }) => text.startsWith('ENABLE_SPA_OVER_HTTP')),
      undefined,
    )
  })

test('what is not built yet may be said not to be wanted, and is refused otherwise', () => {
  for (const [name, { mayBeNo }] of Object.entries(refusedSettings)) {
    assert.equal(parseFwknopdConf(FILE, `${name} N;`).ok, mayBeNo, name)
    const parsed = parseFwknopdConf(FILE, `${name} Y;`)
    assert(!parsed.ok && parsed.failure.code === 'CONFIG_UNSUPPORTED_KEY')
  }
})

test('each name stands in one part of the table only', () => {
  assert.equal(new Set(serverSettingNames).size, serverSettingNames.length)
  assert(Object.keys(usedSettings).length > 30)
})

test('interface checks: what has no effect is told, and why', () => {
  const checksOf = (text: string) => {
    const { config, notices } = parse(text)
    return [config.interfaceChecks, ...notices.map(({ text }) => text)]
  }
  const named = 'it checks the interfaces that PCAP_INTF names, and there are none'
  const all = { interval: 20, exists: true, running: true, bytes: true, addresses: true, received: true }
  assert.deepEqual(checksOf('PCAP_INTF eth0;\nENABLE_INTF_EXISTS_CHECK Y;'), [all])
  assert.deepEqual(checksOf('ENABLE_INTF_CHECKS Y;\nENABLE_INTF_RUNNING_CHECK N;'), [
    { ...all, running: false },
    `ENABLE_INTF_RUNNING_CHECK has no effect: ${named}`,
  ])
  assert.deepEqual(checksOf('PCAP_INTF eth0;\nENABLE_INTF_CHECKS N;\nINTF_CHECKS_INTERVAL 5;'), [
    undefined,
    'INTF_CHECKS_INTERVAL has no effect: ENABLE_INTF_CHECKS is N',
  ])
  assert.deepEqual(checksOf('PCAP_FILE /a;\nENABLE_INTF_CHECKS Y;'), [
    undefined,
    'ENABLE_INTF_CHECKS has no effect: packets come from PCAP_FILE',
  ])
})

test('FIREWALL iptables has fwknop’s chains, and what only another firewall has is told of', () => {
  const { config, notices } = parse('FIREWALL iptables;\nFIREWALL_EXE /sbin/iptables-legacy;\nNFT_TABLE doors;\n')
  assert.deepEqual(config.firewall, {
    kind: 'iptables',
    program: '/sbin/iptables-legacy',
    chains: defaultChains,
    output: false,
    prepend: false,
    check: true,
    flushAtStart: false,
    flushAtEnd: false,
    maxGrants: 1000,
  })
  assert.deepEqual(
    notices.map(({ text }) => text),
    ['NFT_TABLE has no effect: FIREWALL is iptables'],
  )
  const other = parse('IPT_INPUT_ACCESS ACCEPT, filter, INPUT, 3, DOORS, 1;\nFLUSH_IPT_AT_EXIT Y;\n')
  assert.deepEqual(
    other.notices.map(({ text }) => text),
    ['IPT_INPUT_ACCESS has no effect: FIREWALL is nftables', 'FLUSH_IPT_AT_EXIT has no effect: FIREWALL is nftables'],
  )
})

for (const [line, suggestion] of [
  ['FIREWALL_EXE /usr/bin/firewall-cmd;', 'FIREWALL_EXE /usr/sbin/iptables;'],
  ['IPT_OUTPUT_ACCESS ACCEPT, filter, OUTPUT, 1, FWKNOP_INPUT, 1;', undefined],
] as const)
  test(`with FIREWALL iptables, “${line}” is a conflict`, () => {
    const read = parseFwknopdConf(FILE, `FIREWALL iptables;\n${line}\n`)
    assert.ok(!read.ok)
    const { code, at, suggestion: cure } = read.failure
    assert.deepEqual([code, at?.line, cure], ['CONFIG_CONFLICT', 2, suggestion])
  })
