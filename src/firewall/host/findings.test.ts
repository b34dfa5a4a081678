import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { DEFAULT_MARK, DEFAULT_TABLE } from '../../config/server/firewall-settings.ts'
import type { ProtocolPort } from '../../packet/message.ts'
import { parseProtocolPorts } from '../../packet/protocol-port.ts'
import { type Finding, findings, type HostQuestion } from './findings.ts'
import { parseIptablesSave } from './iptables-save.ts'
import { parseListing, parseSet } from './ruleset.ts'

const NEIGHBOURS = 'icmpv6 type { 134, 135, 136 } accept'
const MARK = 'ct mark & 0x00200000 == 0x00200000 accept'

/** As nft 1.0.6 lists it. */
const chain = (name: string, ...rules: string[]): string =>
  [`\tchain ${name} {`, ...rules.map((rule) => `\t\t${rule}`), '\t}'].join('\n')
const input = (policy: string, ...rules: string[]): string =>
  chain('input', `type filter hook input priority 0; policy ${policy};`, ...rules)
const table = (head: string, ...chains: string[]): string => `table ${head} {\n${chains.join('\n\n')}\n}\n`
/** A default drop without fault except for the tested part. */
const dropping = (...rules: string[]): string => table('inet filter', input('drop', NEIGHBOURS, MARK, ...rules))

function judge(
  listing: string,
  question: Partial<HostQuestion> & { readonly asked?: string } = {},
): readonly Finding[] {
  const { asked = 'tcp/22', ...more } = question
  return findings(
    { tables: parseListing(listing), unread: [] },
    { table: DEFAULT_TABLE, mark: DEFAULT_MARK, ports: portsOf(asked), forwarding: false, ipv6: true, ...more },
  )
}

function portsOf(text: string): readonly ProtocolPort[] {
  const ports = parseProtocolPorts(text)
  assert.ok(ports.ok)
  return ports.value
}

function assertTexts(found: readonly Finding[], patterns: readonly RegExp[]): void {
  const said = found.map(({ code, text, cure }) => `${code}: ${text}${cure === undefined ? '' : ` | ${cure}`}`)
  assert.equal(found.length, patterns.length, said.join('\n'))
  for (const [i, pattern] of patterns.entries()) assert.match(said[i] ?? '', pattern)
}

describe('mark mode: the rule for the mark', () => {
  const nothingDrops =
    /^HOST_OPEN_PORT: tcp\/22 is open to everybody.*: no rule of the host’s firewall drops it \| drop by default/
  const drops = /^HOST_DROPS_MARK: inet filter input drops what ghostport opens/
  for (const [what, listing, patterns] of [
    ['nothing at all', '', [nothingDrops]],
    ['all is accepted', table('inet filter', input('accept', 'tcp dport 80 accept')), [nothingDrops]],
    ['only our own gate drops', table('inet ghostport', input('drop')), [nothingDrops]],
    ['it drops and knows the mark', dropping(), []],
    [
      'iptables drops and knows the mark',
      table('ip filter', input('drop', 'ct mark and 0x200000 == 0x200000 counter packets 1 bytes 60 accept')) +
        table('ip6 filter', input('drop', 'ct mark and 0x200000 == 0x200000 accept', 'meta l4proto ipv6-icmp accept')),
      [],
    ],
    ['the exact mark', table('inet filter', input('drop', NEIGHBOURS, 'ct mark 0x00200000 accept')), []],
    [
      'it drops and does not know',
      table('inet filter', input('drop', NEIGHBOURS, 'tcp dport 80 accept')),
      [/\| nft insert rule inet filter input ct mark and 0x200000 == 0x200000 accept$/],
    ],
    [
      'it wants more bits',
      table('inet filter', input('drop', NEIGHBOURS, 'ct mark & 0x00300000 == 0x00300000 accept')),
      [drops],
    ],
    ['it drops the mark', table('inet filter', input('drop', NEIGHBOURS, 'ct mark 0x00200000 drop')), [drops]],
    [
      'it rejects by its last rule',
      table('inet filter', input('accept', NEIGHBOURS, 'iifname "lo" accept', 'reject with icmpx admin-prohibited')),
      [drops],
    ],
    [
      'the mark is known in a chain that it jumps to',
      table(
        'ip filter',
        input('drop', 'counter packets 0 bytes 0 jump before'),
        chain('before', 'ct mark 0x00200000 accept'),
      ) + table('ip6 filter', input('drop', MARK, NEIGHBOURS)),
      [],
    ],
    [
      'the chain that knows the mark is not jumped to',
      table('inet filter', input('drop', NEIGHBOURS), chain('before', MARK)),
      [drops],
    ],
    [
      'a rule for the port comes before',
      table('inet filter', input('drop', NEIGHBOURS, 'tcp dport 22 counter packets 0 bytes 0 reject', MARK)),
      [/^HOST_DROPS_MARK: tcp\/22 is dropped also where.*“inet filter input: tcp dport 22 reject” comes before/],
    ],
    [
      'the policy of ghostport itself drops, and knows another mark',
      table('inet ghostport_policy', input('drop', NEIGHBOURS, 'ct mark 0x00000001 accept')),
      [/\| run “ghostport policy install” again, with the options/],
    ],
    [
      'only IPv6 is dropped',
      table('ip filter', input('drop', MARK)) +
        table('ip6 filter', input('drop', NEIGHBOURS).replace('input {', 'INPUT {')),
      [/^HOST_DROPS_MARK: ip6 filter INPUT.*\| ip6tables -I INPUT 1 -m connmark --mark 0x200000\/0x200000 -j ACCEPT$/],
    ],
  ] as const) {
    test(`${what}: ${patterns.length === 0 ? 'fine' : 'a warning'}`, () => {
      assertTexts(judge(listing), patterns)
    })
  }

  test('a forward chain that drops matters where there may be grants for inner hosts', () => {
    const forward = table('inet docker', input('drop').replaceAll('input', 'forward'))
    assertTexts(judge(dropping() + forward), [])
    assertTexts(judge(dropping() + forward, { forwarding: true }), [/^HOST_DROPS_MARK: inet docker forward/])
    const led = forward.replace('policy drop;', 'policy drop;\n\t\tct status dnat accept')
    assertTexts(judge(dropping() + led, { forwarding: true }), [])
  })
})

describe('ports that are open to everybody', () => {
  for (const [rules, open] of [
    [['tcp dport 22 accept'], /“inet filter input: tcp dport 22 accept”/],
    [
      ['meta l4proto tcp tcp dport { 22, 80 } ct state 0x8 counter packets 0 bytes 0 accept comment "ssh, web"'],
      /\{ 22, 80 \}/,
    ],
    [['tcp dport 20-30 ct state new,untracked accept'], /20-30/],
    [
      ['ct state vmap { 0x1 : drop, 0x2 : accept, 0x4 : accept }', 'tcp dport vmap { 22 : accept, 80 : drop }'],
      /vmap \{ 22/,
    ],
    [['iifname != "lo" meta nfproto ipv4 accept'], /^IPv4: tcp\/22/],
    [['ip saddr 192.0.2.7 tcp dport 22 drop', 'tcp dport 22 limit rate 10/minute accept'], /limit/],
    [['ip saddr @banned drop', 'ip6 saddr @banned6 drop', 'th dport 22 log prefix "in: " accept'], /th dport/],
    [
      ['fib daddr type != local drop', 'tcp flags & (fin | syn | rst | ack) != syn drop', 'tcp dport 22 accept'],
      /tcp dport/,
    ],
    [['tcp flags 0x2 / 0x1,0x2,0x4,0x10 tcp dport 22 accept'], /tcp flags/],
    [['tcp flags syn / fin,syn,rst,ack tcp dport 22 accept'], /tcp flags/],
    [['tcp flags 0x2 tcp dport 22 accept'], /tcp flags/],
    [['tcp flags == syn tcp dport 22 accept'], /tcp flags/],
    [['tcp flags != 0x2 drop', 'tcp flags != syn / fin,syn,rst,ack drop', 'tcp dport 22 accept'], /tcp dport/],
    [['tcp flags ack tcp dport 22 accept', 'tcp flags 0x12 / 0x12 accept', 'tcp flags == 0x12 accept'], undefined],
    [['tcp flags != 0x10 drop', 'tcp dport 22 accept'], undefined],
    [['tcp dport 22 meter x { ip saddr timeout 60s limit rate 5/minute } accept'], /meter/],
    [['tcp dport 22 ct count 3 accept'], /ct count/],
    [['tcp dport 22 drop', 'tcp dport 22 accept'], undefined],
    [['ip saddr 10.0.0.0/8 tcp dport 22 accept', 'ip6 saddr fd00::/8 tcp dport 22 accept'], undefined],
    [['ip saddr . tcp dport @friends accept'], undefined],
    [['iifname "wg0" accept', 'iif "lo" accept'], undefined],
    [['udp dport 22 accept', 'tcp dport 2222 accept', 'tcp sport 22 accept'], undefined],
    [
      ['ct state 0x2,0x4 accept', 'icmp type echo-request accept', 'meta l4proto { icmp, ipv6-icmp } accept'],
      undefined,
    ],
    [['tcp dport @services accept'], undefined],
  ] as const)
    test(`${rules.join('; ')}: ${open === undefined ? 'not said to be open' : 'open'}`, () => {
      const found = judge(dropping(...rules))
      assertTexts(found, open === undefined ? [] : [/^HOST_OPEN_PORT/])
      if (open !== undefined) assert.match(found[0]?.text ?? '', open)
    })

  test('a table with an owner is judged too: nft names its program', () => {
    const owned = table('inet firewalld', input('drop')).replace(
      'firewalld {',
      'firewalld { # progname firewalld\n\tflags owner,persist\n',
    )
    assertTexts(judge(owned), [/^HOST_DROPS_MARK: inet firewalld input/, /^HOST_DROPS_NEIGHBOURS/])
  })

  test('another ghostport on the host leads no stranger elsewhere', () => {
    const other = table(
      'inet doors',
      chain(
        'nat_pre',
        'type nat hook prerouting priority -105; policy accept;',
        'dnat ip to ip saddr . meta l4proto . th dport map @dnat4',
        'meta l4proto { 6, 17 } meta nfproto 2 redirect to :ip saddr . meta l4proto . th dport map @redir4',
      ),
    )
    assertTexts(judge(dropping('tcp dport 22 accept') + other), [/^HOST_OPEN_PORT: tcp\/22 is open/])
    assertTexts(judge(dropping() + other), [])
  })

  test('where a UDP socket waits for knocks, the port has to be open', () => {
    const knocks = portsOf('udp/62201')
    assertTexts(judge(dropping()), [])
    assertTexts(judge(dropping('udp dport 62201 accept'), { knocks }), [])
    assertTexts(judge(dropping('iifname "eth0" udp dport 62201 accept'), { knocks }), [])
    assertTexts(judge(dropping(), { knocks }), [
      /^HOST_DROPS_KNOCKS: inet filter input drops udp\/62201.* \| nft insert rule inet filter input udp dport 62201 accept$/,
    ])
    assertTexts(judge(dropping('udp dport 62201 accept'), { knocks, protectedPorts: portsOf('tcp/22,udp/62201') }), [
      /^HOST_DROPS_KNOCKS: udp\/62201 is in PROTECTED_PORTS.* \| take udp\/62201 out/,
    ])
  })

  test('where the TCP server waits for knocks, the port has to be open too: CAPTURE packet does not help it', () => {
    const knocks = portsOf('tcp/62201')
    assertTexts(judge(dropping('tcp dport 62201 accept'), { knocks }), [])
    assertTexts(judge(dropping(), { knocks }), [
      /^HOST_DROPS_KNOCKS: inet filter input drops tcp\/62201, where the TCP server waits for knocks: none arrives \| nft insert rule inet filter input tcp dport 62201 accept$/,
    ])
    assertTexts(judge(dropping('tcp dport 62201 accept'), { knocks, protectedPorts: portsOf('tcp/22,tcp/62201') }), [
      /^HOST_DROPS_KNOCKS: tcp\/62201 is in PROTECTED_PORTS.* \| take tcp\/62201 out of PROTECTED_PORTS$/,
    ])
  })

  test('the public port of a ghost service may be open: a note, and no advice to shut it', () => {
    const found = judge(dropping('tcp dport { 22, 80 } accept'), { asked: 'tcp/22,tcp/80', decoys: portsOf('tcp/80') })
    assertTexts(found, [
      /^HOST_OPEN_PORT: tcp\/22 is open.* \| delete that rule/,
      /^HOST_OPEN_PORT: tcp\/80 is open.* \| nothing if a public service answers there beside a ghost service; otherwise/,
    ])
    assert.deepEqual(
      found.map(({ level }) => level),
      ['warning', 'info'],
    )
  })

  test('what is not understood is not judged, and named', () => {
    for (const rule of ['tcp dport 22 xt match recent counter packets 0 bytes 0 drop', 'iifname "eth0" drop', 'queue'])
      assertTexts(judge(dropping(rule, 'tcp dport 22 accept')), [
        /^HOST_NOT_JUDGED: whether tcp\/22 is open to everybody was not/,
      ])
    const led = table(
      'ip nat',
      chain('PREROUTING', 'type nat hook prerouting priority -100; policy accept;', 'tcp dport 22 dnat to 10.0.0.2:22'),
    )
    assertTexts(judge(dropping('tcp dport 22 accept') + led, { ipv6: false }), [/^HOST_NOT_JUDGED.*dnat to/])
  })

  for (const rule of [
    'ip daddr 192.0.2.10 tcp dport 22 accept',
    'iifname "eth0" tcp dport 22 accept',
    'tcp dport 22 xt match "connlimit" accept',
  ])
    test(`${rule}: not judged, and said so`, () =>
      assertTexts(judge(dropping(rule)), [/^HOST_NOT_JUDGED: .*tcp\/22.*it depends on/]))

  test('a named set of ports is looked into, where it can be', () => {
    const rules = dropping('tcp dport @services accept')
    const holding = (set: string): readonly Finding[] =>
      findings(
        {
          tables: parseListing(rules, (...name) =>
            name.join(' ') === 'inet filter services' ? parseSet(set) : undefined,
          ),
          unread: [],
        },
        { table: DEFAULT_TABLE, mark: DEFAULT_MARK, ports: portsOf('tcp/22'), forwarding: false, ipv6: true },
      )
    const listed = (elements: string): string =>
      `table inet filter {\n\tset services {\n\t\ttype inet_service${elements}\n\t}\n}\n`
    assertTexts(holding(listed('\n\t\telements = { 22 timeout 5m expires 3m2s,\n\t\t\t     80-90 }')), [
      /^HOST_OPEN_PORT.*“inet filter input: tcp dport @services accept”/,
    ])
    assertTexts(holding(listed('\n\t\telements = { 80, 443 }')), [])
    assertTexts(holding(listed('')), [])
  })

  test('a set of pairs is not looked into: it may hold all that is open, and lists no ports', () => {
    const asked: string[] = []
    parseListing(
      dropping(
        'ip saddr . meta l4proto . th dport @accept4 ct mark set ct mark | 0x00200000 accept',
        'tcp flags & (syn | ack) == ack ip saddr . tcp sport . tcp dport @known4 accept',
        'tcp dport . ip saddr @friends accept',
        'ip saddr 10.0.0.0/8 tcp dport @services accept',
        'th dport != @others drop',
      ),
      (_family, _table, name) => {
        asked.push(name)
        return undefined
      },
    )
    assert.deepEqual(asked, ['services', 'others'])
  })

  test('firewalld: a zone that is gone to from two rules', () => {
    const zone = (...rules: string[]): string =>
      table(
        'inet firewalld',
        chain(
          'filter_INPUT',
          'type filter hook input priority 10; policy accept;',
          'ct state { established, related } accept',
          'ct status dnat accept',
          'iifname "lo" accept',
          'ct state invalid drop',
          'jump filter_INPUT_ZONES',
          'reject with icmpx admin-prohibited',
        ),
        chain('filter_INPUT_ZONES', 'iifname "eth0" goto filter_IN_public', 'goto filter_IN_public'),
        chain(
          'filter_IN_public',
          'jump filter_IN_public_allow',
          'meta l4proto { icmp, ipv6-icmp } accept',
          'reject with icmpx admin-prohibited',
        ),
        chain('filter_IN_public_allow', ...rules),
      )
    const protectedPorts = portsOf('tcp/22')
    assertTexts(judge(zone('tcp dport 22 accept')), [
      /^HOST_DROPS_MARK: inet firewalld filter_INPUT/,
      /^HOST_OPEN_PORT.*filter_IN_public_allow/,
    ])
    assert.match(judge(zone('tcp dport 22 accept'))[0]?.cure ?? '', /firewall-cmd --permanent .* FIREWALL_MODE gate/)
    assertTexts(judge(zone('tcp dport 22 accept'), { protectedPorts }), [])
    assertTexts(judge(zone('tcp dport 80 accept'), { protectedPorts }), [
      /^HOST_DROPS_PORT: inet firewalld filter_INPUT drops tcp\/22/,
    ])
  })

  test('another base chain that drops shuts it', () => {
    const early = table(
      'inet early',
      chain('pre', 'type filter hook prerouting priority -300; policy accept;', 'tcp dport 22 drop'),
    )
    const found = judge(dropping('tcp dport 22 accept') + early)
    assert.deepEqual(
      found.filter(({ code }) => code === 'HOST_OPEN_PORT'),
      [],
    )
  })

  test('ports that share a reason share a line; others have their own', () => {
    const found = judge(dropping('tcp dport { 22, 80 } accept', 'udp dport 53 accept'), {
      asked: 'tcp/22,tcp/80,udp/53,tcp/25',
    })
    assertTexts(found, [/tcp\/22,tcp\/80 are open/, /udp\/53 is open/])
  })

  test('gate mode: of the ports that it does not protect', () => {
    const found = judge('', { asked: 'tcp/22,tcp/25', protectedPorts: portsOf('tcp/22') })
    assertTexts(found, [/^HOST_OPEN_PORT: tcp\/25 is open.*\| add it to PROTECTED_PORTS/])
  })

  test('gate mode: a protected port that the host drops is no use to those who have a grant', () => {
    const protectedPorts = portsOf('tcp/22')
    assertTexts(judge(table('inet filter', input('drop', NEIGHBOURS)), { protectedPorts }), [
      /^HOST_DROPS_PORT: inet filter input drops tcp\/22.*\| nft insert rule inet filter input tcp dport 22 accept$/,
    ])
    assertTexts(judge(dropping('tcp dport 22 accept'), { protectedPorts }), [])
    assertTexts(
      judge(table('inet filter', input('drop', NEIGHBOURS, 'iifname "eth0" tcp dport 22 accept')), { protectedPorts }),
      [],
    )
  })
})

describe('ports that are not tracked', () => {
  const raw = (hook: string, ...rules: string[]): string =>
    table('inet raw', chain('r', `type filter hook ${hook} priority -300; policy accept;`, ...rules))
  test('by their port, by a set, in answers, and by iptables’ words', () => {
    for (const rule of ['tcp dport 22 notrack', 'tcp dport { 22, 80 } counter packets 0 bytes 0 notrack', 'notrack'])
      assertTexts(judge(dropping() + raw('prerouting', rule)), [
        /^HOST_NOTRACK: “inet raw r: .*notrack” keeps tcp\/22 from/,
      ])
    assertTexts(judge(dropping() + raw('output', 'tcp sport 22 notrack')), [/^HOST_NOTRACK.*a grant cannot open/])
  })
  test('gate mode: what it means there', () => {
    const found = judge(raw('prerouting', 'tcp dport 22 notrack'), {
      protectedPorts: portsOf('tcp/22'),
      asked: 'tcp/22',
    })
    assertTexts(found, [/^HOST_NOTRACK.*a session there ends together with its grant/])
  })
  test('others are nobody’s business', () => {
    assertTexts(
      judge(dropping() + raw('prerouting', 'udp dport 53 notrack', 'iif "lo" notrack', 'tcp dport 80 notrack')),
      [],
    )
  })
})

describe('IPv6 neighbour discovery', () => {
  const inputs = (...rules: string[]): string => table('inet filter', input('drop', MARK, ...rules))
  for (const rule of [
    NEIGHBOURS,
    'icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-advert } accept',
    'meta l4proto ipv6-icmp accept',
    'meta l4proto 58 counter packets 3 bytes 9 accept',
    'meta l4proto { icmp, ipv6-icmp } accept',
    'ip6 nexthdr ipv6-icmp accept',
    'ip6 nexthdr 58 ip6 hoplimit 255 icmpv6 type { 135, 136 } accept',
    'ct state untracked accept',
    'ct state 0x2,0x4,0x40 accept',
    'icmpv6 type vmap { 135 : accept, 136 : accept, 128 : drop }',
    'ip6 saddr fe80::/10 accept',
    'meta l4proto ipv6-icmp xt match icmp6 accept',
    'ip6 hoplimit 255 accept',
  ])
    test(`${rule}: lets it in`, () => assertTexts(judge(inputs(rule)), []))
  for (const rules of [
    [],
    ['icmpv6 type echo-request accept', 'icmp type echo-request accept'],
    ['ct state established,related,new tcp dport 80 accept', 'ip protocol icmp accept'],
    ['icmpv6 type 135 accept'],
    ['meta l4proto ipv6-icmp drop', NEIGHBOURS],
  ])
    test(`${rules.join('; ') || 'nothing'}: does not`, () => {
      assertTexts(judge(inputs(...rules)), [
        /^HOST_DROPS_NEIGHBOURS: inet filter input drops.*\| nft insert rule inet filter input icmpv6 type \{ nd-n/,
      ])
      assertTexts(judge(inputs(...rules), { ipv6: false }), [])
    })
})

test('iptables-legacy’s rules are judged in the same way, and shown in their own words', () => {
  const save = (rules: string) =>
    `# Generated\n*raw\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -p tcp -m tcp --dport 2222 -j CT --notrack\nCOMMIT\n` +
    `*filter\n:INPUT DROP [0:0]\n:FORWARD ACCEPT [0:0]\n:mine - [0:0]\n-A INPUT -i lo -j ACCEPT\n${rules}-A INPUT -j mine\n` +
    '-A mine -p tcp -m multiport --dports 22,80:90 -m comment --comment "the \\"usual\\" ones" -j ACCEPT\nCOMMIT\n'
  const judged = (rules: string) =>
    findings(
      { tables: parseIptablesSave(save(rules), 'ip'), unread: ['ip6tables-legacy was not read'] },
      { table: DEFAULT_TABLE, mark: DEFAULT_MARK, ports: portsOf('tcp/85,tcp/2222'), forwarding: false, ipv6: false },
    )
  assertTexts(judged(''), [
    /^HOST_NOTRACK: “iptables-legacy -t raw: -A PREROUTING -p tcp .*--notrack” keeps tcp\/2222/,
    /^HOST_DROPS_MARK: iptables-legacy filter INPUT drops.*\| iptables-legacy -t filter -I INPUT 1 -m connmark/,
    /^HOST_OPEN_PORT: tcp\/85 is open.*“iptables-legacy -t filter: -A mine/,
    /^HOST_NOT_JUDGED: ip6tables-legacy was not read$/,
  ])
  const known = judged(
    '-A INPUT -m connmark --mark 0x200000/0x200000 -j ACCEPT\n-A INPUT ! -s 10.0.0.0/8 -p tcp --dport 85 -j DROP\n',
  )
  assertTexts(known, [/^HOST_NOTRACK/, /^HOST_NOT_JUDGED: ip6/])
  const unclear = judged(
    '-A INPUT -m connmark --mark 0x200000/0x200000 -j ACCEPT\n-A INPUT -m recent --rcheck --name x -j DROP\n',
  )
  assertTexts(unclear, [/^HOST_NOTRACK/, /^HOST_NOT_JUDGED: whether tcp\/85.*recent/, /^HOST_NOT_JUDGED/])
})
