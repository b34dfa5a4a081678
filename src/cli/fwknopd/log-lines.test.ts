import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import fc from 'fast-check'
import { describeOpening, type Opening } from '../../access/grant.ts'
import type { LogField, LogLevel } from '../../log.ts'
import type { IpAddress } from '../../packet/address.ts'
import { port } from '../../units.ts'
import { fwknopdLines, type LineContext, readOpening } from './log-lines.ts'

const context: LineContext = {
  places: {
    access: 'FWKNOP_INPUT',
    forward: 'FWKNOP_FORWARD',
    dnat: 'FWKNOP_PREROUTING',
    snat: 'FWKNOP_POSTROUTING',
    masquerade: 'FWKNOP_MASQUERADE',
  },
  now: 1000,
  filter: undefined,
  packetLimit: 3,
}
type Fields = { readonly [name: string]: LogField }
const lines = (level: LogLevel, event: string, fields: Fields): readonly string[] =>
  fwknopdLines(level, event, fields, context).map(({ priority, text }) => `${priority} ${text}`)

const from = { source: '1.2.3.4', sourcePort: 4000, destinationPort: 62201, stanza: 2 }
const MATCH = 'info (stanza #2) SPA Packet from IP: 1.2.3.4 received with access source match'
const granted = { verdict: 'granted', ...from, for: '5.6.7.8', lifetime: 30, user: 'ada' }
const refused = (code: string): Fields => ({
  verdict: 'refused',
  ...from,
  code,
  reason: 'the reason',
  detail: 'the detail',
  user: 'ada',
})

/** The message of a packet, as the warden has it. */
const opened = {
  ...{ kind: 'access', random: '1234567890123456', username: 'ada', timestamp: 1795410748, version: '3.0.0' },
  ...{ source: '5.6.7.8', ports: [{ protocol: 'tcp', port: 22 }], timeout: 30 },
}

const table: readonly (readonly [level: LogLevel, event: string, fields: Fields, lines: readonly string[]])[] = [
  ['info', 'starting', {}, ['info Starting fwknopd']],
  [
    'info',
    'ready',
    { capture: 'packet', interfaces: ['eth0', 'eth1'], ports: [62201, '4000-4010'], stanzas: 1 },
    [
      'info Sniffing interface: eth0,eth1',
      "info PCAP filter is: 'udp port 62201 or udp port 4000-4010'",
      'info Starting fwknopd main event loop.',
    ],
  ],
  [
    'info',
    'ready',
    { capture: 'udp', ports: [62201], stanzas: 1 },
    ['info Kicking off UDP server to listen on port 62201.', 'info Starting fwknopd main event loop.'],
  ],
  [
    'info',
    'ready',
    { capture: 'pcap-file', ports: [62201], file: '/tmp/a.pcap', stanzas: 1 },
    [
      'info Reading pcap file: /tmp/a.pcap',
      "info PCAP filter is: 'udp port 62201'",
      'info Starting fwknopd main event loop.',
    ],
  ],
  [
    'info',
    'ready',
    { capture: 'packet,tcp-server', interfaces: 'eth0', ports: [62201], tcpPorts: ['62202'], stanzas: 1 },
    [
      'info Kicking off TCP server to listen on port 62202.',
      'info Sniffing interface: eth0',
      "info PCAP filter is: 'udp port 62201'",
      'info Starting fwknopd main event loop.',
    ],
  ],
  ['info', 'signal', { signal: 'SIGHUP' }, ['warning Got SIGHUP. Re-reading configs.']],
  ['info', 'signal', { signal: 'SIGTERM' }, ['warning Got SIGTERM. Exiting...']],
  ['info', 'signal', { signal: 'SIGINT' }, ['warning Got SIGINT. Exiting...']],
  ['info', 'restarted', {}, ['info Re-starting fwknopd']],
  ['info', 'stopping', { again: true }, ['info Gracefully leaving the fwknopd event loop.']],
  [
    'info',
    'knock',
    { ...from, verdict: 'granted', command: 'id -u', job: 1, for: '5.6.7.8', user: 'ada' },
    [MATCH, "info [1.2.3.4] (stanza #2) Processing SPA Command message: command='id -u'."],
  ],
  ['info', 'knock', { ...granted, cycle: 'tcp/22', jobs: [1] }, [MATCH]],
  [
    'warning',
    'command',
    { job: 1, stanza: 2, command: 'x', for: '5.6.7.8', end: 'timeout', output: 'so far' },
    ['warning [5.6.7.8] (stanza #2) CMD_EXEC: command timeout, output: so far'],
  ],
  [
    'info',
    'cycle',
    {
      cycle: 'opened',
      stanza: 2,
      for: '5.6.7.8',
      lifetime: 30,
      ran: 'open 22',
      close: 'shut 22',
      end: 'exit',
      status: 0,
    },
    [
      'info [5.6.7.8] (stanza #2) Running CMD_CYCLE_OPEN command: open 22',
      'info [5.6.7.8] (stanza #2) Running CMD_CYCLE_CLOSE command in 30 seconds: shut 22',
    ],
  ],
  [
    'warning',
    'cycle',
    { cycle: 'not closed', stanza: '2', for: '5.6.7.8', ran: 'shut 22', end: 'exit', status: 3 },
    [
      'info [5.6.7.8] (stanza #2) Timer expired, running CMD_CYCLE_CLOSE command: shut 22',
      'warning [5.6.7.8] (stanza #2) The command returned 3: shut 22',
    ],
  ],
  [
    'warning',
    'knock',
    { ...refused('ACCESS_NAT_TARGET_INVALID'), detail: '“inner” is a name, and ENABLE_NAT_DNS is N' },
    [
      MATCH,
      'warning Received Hostname in NAT SPA message, but hostname is disabled.',
      'warning [1.2.3.4] (stanza #2) the reason: “inner” is a name, and ENABLE_NAT_DNS is N [ACCESS_NAT_TARGET_INVALID]',
    ],
  ],
  [
    'warning',
    'knock',
    { ...refused('ACCESS_NAT_TARGET_INVALID'), detail: '“inner” cannot be resolved: no answer' },
    [
      MATCH,
      'warning Unable to resolve Hostname in NAT SPA message',
      'warning [1.2.3.4] (stanza #2) the reason: “inner” cannot be resolved: no answer [ACCESS_NAT_TARGET_INVALID]',
    ],
  ],
  [
    'info',
    'knock',
    { ...granted, grant: 'tcp/22', renewed: true },
    [
      MATCH,
      'info A rule for 5.6.7.8 -> 0.0.0.0/0 tcp/22 already exists in FWKNOP_INPUT: its time starts again',
      'info Added access rule to FWKNOP_INPUT for 5.6.7.8 -> 0.0.0.0/0 tcp/22, expires at 1030',
    ],
  ],
  ['info', 'stopping', {}, ['info Shutting Down fwknopd.']],
  [
    'info',
    'knock',
    {
      ...granted,
      grant: 'tcp/80',
      tried: [{ stanza: 1, code: 'ACCESS_PORT_DENIED', reason: 'denied', detail: 'tcp/80 is not in OPEN_PORTS' }],
    },
    [
      'info (stanza #1) SPA Packet from IP: 1.2.3.4 received with access source match',
      'warning [1.2.3.4] (stanza #1) One or more requested protocol/ports was denied per access.conf.',
      MATCH,
      'info Added access rule to FWKNOP_INPUT for 5.6.7.8 -> 0.0.0.0/0 tcp/80, expires at 1030',
    ],
  ],
  [
    'info',
    'refused',
    {
      ...refused('SPA_MALFORMED'),
      tried: [
        { stanza: 1, code: 'SPA_HMAC_MISMATCH' },
        { stanza: 2, code: 'SPA_DECRYPT_FAILED' },
        { stanza: 3, code: 'SPA_MALFORMED' },
        { stanza: 4, code: 'SPA_LENGTH' },
      ],
    },
    [
      'info (stanza #1) SPA Packet from IP: 1.2.3.4 received with access source match',
      'warning [1.2.3.4] (stanza #1) Error creating fko context: Args contain invalid data: FKO_ERROR_INVALID_DATA_HMAC_COMPAREFAIL',
      MATCH,
      'warning [1.2.3.4] (stanza #2) Error creating fko context: Decryption failed or decrypted data is invalid',
      'info (stanza #3) SPA Packet from IP: 1.2.3.4 received with access source match',
      'warning [1.2.3.4] (stanza #3) Error creating fko context: not an SPA packet: the detail [SPA_MALFORMED]',
      'info (stanza #4) SPA Packet from IP: 1.2.3.4 received with access source match',
      'warning [1.2.3.4] (stanza #4) Error creating fko context: the length is not that of an SPA packet [SPA_LENGTH]',
    ],
  ],
  [
    'info',
    'knock',
    { ...granted, grant: 'tcp/22,udp/53' },
    [
      MATCH,
      'info Added access rule to FWKNOP_INPUT for 5.6.7.8 -> 0.0.0.0/0 tcp/22, expires at 1030',
      'info Added access rule to FWKNOP_INPUT for 5.6.7.8 -> 0.0.0.0/0 udp/53, expires at 1030',
    ],
  ],
  [
    'info',
    'knock',
    { ...granted, for: '2001:db8::1', grant: 'tcp/80→22' },
    [
      MATCH,
      'info Added local NAT rule to FWKNOP_INPUT for 2001:db8::1 -> ::/0 tcp/22, expires at 1030',
      'info Added DNAT rule to FWKNOP_PREROUTING for 2001:db8::1 -> ::/0 tcp/80, expires at 1030',
    ],
  ],
  [
    'warning',
    'knock',
    { ...granted, grant: 'tcp/443→10.0.0.5:8443~10.1.1.1', shutBy: 'HOST_SHUTS' },
    [
      MATCH,
      'info Added FORWARD rule to FWKNOP_FORWARD for 5.6.7.8 -> 0.0.0.0/0 tcp/443, expires at 1030',
      'info Added DNAT rule to FWKNOP_PREROUTING for 5.6.7.8 -> 0.0.0.0/0 tcp/443, expires at 1030',
      'info Added SNAT rule to FWKNOP_POSTROUTING for 5.6.7.8 -> 0.0.0.0/0 tcp/443, expires at 1030',
      'warning The host’s own firewall keeps this shut for 5.6.7.8: HOST_SHUTS',
    ],
  ],
  [
    'info',
    'knock',
    { ...granted, grant: 'tcp/22', text: '8abc+/', message: opened },
    [
      MATCH,
      "debug SPA Packet: '8abc+/'",
      'debug [1.2.3.4] (stanza #2) SPA Decode (res=0):',
      'debug SPA Field Values:',
      'debug =================',
      'debug    Random Value: 1234567890123456',
      'debug        Username: ada',
      'debug       Timestamp: 1795410748',
      'debug     FKO Version: 3.0.0',
      'debug    Message Type: 3 (Client timeout access msg)',
      'debug  Message String: 5.6.7.8,tcp/22',
      'debug      Nat Access: <NULL>',
      'debug     Server Auth: <NULL>',
      'debug  Client Timeout: 30',
      'debug  Final SPA Data: 8abc+/',
      'info Added access rule to FWKNOP_INPUT for 5.6.7.8 -> 0.0.0.0/0 tcp/22, expires at 1030',
    ],
  ],
  [
    'info',
    'refused',
    { source: '1.2.3.4', destinationPort: 62201, code: 'SPA_MALFORMED', detail: 'not base64' },
    ['debug [1.2.3.4] Error creating fko context: Args contain invalid data: Not SPA data: not base64'],
  ],
  [
    'info',
    'refused',
    { source: '1.2.3.4', destinationPort: 62201, code: 'ACCESS_NO_SOURCE', detail: 'x' },
    ['warning No access data found for source IP: 1.2.3.4'],
  ],
  [
    'info',
    'refused',
    refused('SPA_HMAC_MISMATCH'),
    [
      MATCH,
      'warning [1.2.3.4] (stanza #2) Error creating fko context: Args contain invalid data: FKO_ERROR_INVALID_DATA_HMAC_COMPAREFAIL',
    ],
  ],
  [
    'warning',
    'knock',
    refused('SPA_REPLAYED'),
    ['warning Replay detected from source IP: 1.2.3.4, Destination proto/port: 17/62201'],
  ],
  [
    'warning',
    'knock',
    { ...refused('SPA_STALE'), clock: { packet: 1000, server: 1200 } },
    [MATCH, 'warning [1.2.3.4] (stanza #2) SPA data time difference is too great (200 seconds).'],
  ],
  ['warning', 'knock', refused('ACCESS_EXPIRED'), [MATCH, 'info [1.2.3.4] (stanza #2) Access stanza has expired']],
  [
    'warning',
    'knock',
    refused('ACCESS_SOURCE_REQUIRED'),
    [MATCH, 'warning [1.2.3.4] (stanza #2) Got 0.0.0.0 when valid source IP was required.'],
  ],
  [
    'warning',
    'knock',
    refused('ACCESS_USERNAME_DENIED'),
    [MATCH, 'warning [1.2.3.4] (stanza #2) Username in SPA data (ada) does not match required username'],
  ],
  [
    'warning',
    'knock',
    refused('ACCESS_PORT_DENIED'),
    [MATCH, 'warning [1.2.3.4] (stanza #2) One or more requested protocol/ports was denied per access.conf.'],
  ],
  [
    'warning',
    'knock',
    refused('ACCESS_NAT_DISABLED'),
    [MATCH, 'warning (stanza #2) SPA packet from 1.2.3.4 requested NAT access, but is not enabled/supported'],
  ],
  [
    'info',
    'knock',
    { ...granted, grant: 'tcp/22', dryRun: true },
    [MATCH, 'warning [1.2.3.4] (stanza #2) --test mode enabled, skipping firewall manipulation.'],
  ],
  [
    'info',
    'grant expired',
    { grant: 'tcp/22,tcp/80→22', for: '5.6.7.8', until: 1030 },
    [
      'info Removed rule tcp/22 for 5.6.7.8 from FWKNOP_INPUT with expire time of 1030',
      'info Removed rule tcp/80 for 5.6.7.8 from FWKNOP_PREROUTING with expire time of 1030',
    ],
  ],
  [
    'info',
    'rule removed',
    { chain: 'FWKNOP_INPUT', rule: 2, until: 1234 },
    ['info Removed rule 2 from FWKNOP_INPUT with expire time of 1234'],
  ],
  [
    'info',
    'finished',
    { looked: 3 },
    [
      'warning * Incoming packet count limit of 3 reached',
      'info Gracefully leaving the fwknopd event loop.',
      'info Packet count limit (3) reached. Exiting...',
    ],
  ],
  // The file had fewer.
  [
    'info',
    'gate',
    {
      verdict: 'granted',
      by: 'web-1',
      stanza: 1,
      name: 'ada',
      grant: 'tcp/22',
      for: '192.0.2.7',
      lifetime: 30,
      user: 'u',
    },
    [
      'info gate: (verdict=granted, by=web-1, stanza=1, name=ada, grant=tcp/22, for=192.0.2.7, lifetime=30, user=u)',
      'info Added access rule to FWKNOP_INPUT for 192.0.2.7 -> 0.0.0.0/0 tcp/22, expires at 1030',
    ],
  ],
  ['info', 'finished', { looked: 2 }, ['info Gracefully leaving the fwknopd event loop.']],
  // A failure without words of fwknopd's.
  [
    'error',
    'knock',
    refused('FIREWALL_REFUSED'),
    [MATCH, 'error [1.2.3.4] (stanza #2) the reason: the detail [FIREWALL_REFUSED]'],
  ],
  // Events without words of fwknopd's.
  [
    'warning',
    'notice',
    { text: 'X has no effect', file: '/etc/fwknop/fwknopd.conf', line: 3 },
    ['warning /etc/fwknop/fwknopd.conf:3: X has no effect'],
  ],
  [
    'error',
    'receiver lost',
    { code: 'RECEIVER_GONE', reason: 'the receiver is gone', detail: 'signal SIGKILL', againInMs: 0 },
    ['error receiver lost: the receiver is gone: signal SIGKILL (code=RECEIVER_GONE, againInMs=0)'],
  ],
  [
    'warning',
    'suppressed',
    { counts: { SPA_HMAC_MISMATCH: 7, SPA_STALE: 2 } },
    ['warning suppressed: (counts=SPA_HMAC_MISMATCH=7 SPA_STALE=2)'],
  ],
]

test('each event has the lines of fwknopd, or plain words', () => {
  for (const [level, event, fields, expected] of table) assert.deepEqual(lines(level, event, fields), expected)
})

test('the filter for fail2ban knows the packets that no key opened, and no other line', () => {
  const filter = readFileSync(new URL('../../../packaging/fail2ban/fwknopd.conf', import.meta.url), 'utf8')
  const [, patterns = ''] = /^failregex = (.*?)^ignoreregex/ms.exec(filter) ?? []
  const regexes = patterns
    .trim()
    .split('\n')
    .map((line) => new RegExp(line.trim().replace('%(__prefix_line)s', '').replace('<HOST>', '(?<host>[\\d.:a-f]+)')))
  assert.equal(regexes.length, 3)
  const banned = table.flatMap(([level, event, fields]) =>
    fwknopdLines(level, event, fields, context).flatMap(({ text }) =>
      regexes.some((regex) => regex.exec(text)?.groups?.['host'] === '1.2.3.4') ? [fields['code']] : [],
    ),
  )
  const codes = ['ACCESS_NO_SOURCE', 'SPA_HMAC_MISMATCH', 'SPA_MALFORMED', 'SPA_REPLAYED']
  assert.deepEqual([...new Set(banned)].sort(), codes)
})

test('a server-auth text is never shown: it may be a password', () => {
  const message = { ...opened, serverAuth: 'crypt,hunter2' }
  const shown = lines('info', 'knock', { ...granted, grant: 'tcp/22', text: 'AAAA', message })
  assert.ok(shown.includes('debug     Server Auth: <hidden>'))
  assert.doesNotMatch(shown.join(), /hunter2/)
})

test('a refusal never says that something was added', () => {
  for (const [level, event, fields, expected] of table)
    if (fields['verdict'] === 'refused')
      assert.ok(!lines(level, event, fields).some((line) => /Added|Removed/.test(line)), expected.join())
})

test('the text of an opening says which kind it is', () => {
  const address = '10.0.0.5' as IpAddress
  const openings: readonly (readonly [Opening, ReturnType<typeof readOpening>])[] = [
    [
      { kind: 'access', protocol: 'tcp', port: port(22) },
      { kind: 'access', publicPort: 'tcp/22', rest: '' },
    ],
    [
      { kind: 'ghost', protocol: 'udp', publicPort: port(80), localPort: port(22) },
      { kind: 'ghost', publicPort: 'udp/80', rest: 'udp/22' },
    ],
    [
      {
        kind: 'forward',
        protocol: 'tcp',
        publicPort: port(80),
        target: { address, port: port(8443) },
        translation: 'masquerade',
      },
      { kind: 'forward', publicPort: 'tcp/80', rest: '10.0.0.5:8443~masquerade' },
    ],
  ]
  for (const [opening, read] of openings) assert.deepEqual(readOpening(describeOpening(opening)), read)
})

test('no event makes it throw', () => {
  const value = fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.constant(undefined), fc.array(fc.string()))
  const name = fc.oneof(
    fc.constantFrom('verdict', 'code', 'stanza', 'source', 'grant', 'clock', 'ports', 'capture'),
    fc.string(),
  )
  fc.assert(
    fc.property(
      fc.constantFrom('ready', 'knock', 'refused', 'signal', 'reload', 'grant expired', 'rule removed', 'other'),
      fc.dictionary(name, value),
      (event, fields) => {
        assert.ok(Array.isArray(fwknopdLines('info', event, fields as Fields, context)))
      },
    ),
  )
})

test('the chain of iptables is told once it is there, for a reader who asks for more', () => {
  const places = { ...context.places, table: 'filter' }
  const [first] = fwknopdLines('info', 'ready', { capture: 'udp', ports: [1] }, { ...context, places })
  assert.deepEqual(first, { priority: 'debug', text: "'filter' table 'FWKNOP_INPUT' chain exists" })
})
