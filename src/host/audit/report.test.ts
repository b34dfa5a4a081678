import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { hostOf } from '../../../test/support/host-of-values.ts'
import { parseListing } from '../../firewall/host/ruleset.ts'
import type { IpAddress } from '../../packet/address.ts'
import type { PortState, ScanResult } from '../../scan/nmap-result.ts'
import { port } from '../../units.ts'
import type { Listening } from '../facts/listening.ts'
import { type Known, known, notKnown } from '../known.ts'
import { type Judged, judgeByKernel, judgeByRules } from './judge.ts'
import { parseAnswer, parseQuestion } from './prober-lines.ts'
import { type AuditFacts, audit, statusOf } from './report.ts'
import { type Target, targetsOf } from './target.ts'
import { parseTrace } from './trace.ts'
import { lookForUncovered } from './uncovered.ts'

const ip = (text: string) => text as IpAddress
const FOUR = ip('192.0.2.10')
const SIX = ip('2001:db8::10')

const listens = (protocol: 'tcp' | 'udp', address: string, number: number, ...names: string[]): Listening => ({
  ...{ protocol, family: address.includes(':') ? 6 : 4, address: ip(address), port: port(number) },
  programs: known(names.map((name, pid) => ({ name, pid }))),
})
const eth0 = {
  name: 'eth0',
  addresses: [FOUR, ip('fe80::1'), SIX].map((address) => ({ address, prefixLength: 64 })),
  defaultRoute: ['IPv4', 'IPv6'] as const,
}

describe('what the audit asks about', () => {
  test('each port that others reach, in both families for a socket on ::, and one that stands for all others', () => {
    const found = targetsOf(
      [
        listens('tcp', '::', 22, 'sshd'),
        listens('tcp', '0.0.0.0', 22, 'sshd'),
        listens('tcp', '127.0.0.1', 25, 'master'),
        listens('tcp', '::1', 25, 'master'),
        listens('udp', '192.0.2.99', 53, 'named'),
        listens('tcp', '0.0.0.0', 47_001, 'x'),
      ],
      [{ name: 'lo', addresses: [{ address: ip('127.0.0.1'), prefixLength: 8 }], defaultRoute: [] }, eth0],
    )
    assert.deepEqual(
      found.map(
        ({ family, protocol, port, address, listening }) => `${family} ${protocol}/${port} ${address} ${listening}`,
      ),
      [
        `4 tcp/22 ${FOUR} true`,
        `6 tcp/22 ${SIX} true`,
        `4 tcp/47001 ${FOUR} true`,
        '4 udp/53 192.0.2.99 true',
        `4 tcp/47002 ${FOUR} false`,
        `4 udp/47001 ${FOUR} false`,
        `6 tcp/47002 ${SIX} false`,
        `6 udp/47001 ${SIX} false`,
      ],
    )
  })
})

describe('what the kernel did', () => {
  const packet = (id: string, at: string, sport: number, flags = 'syn') =>
    `trace id ${id} ${at} packet: iif "gpa0" ether saddr 02:67:70:61:00:02 ip saddr 198.18.0.2 ip protocol tcp tcp sport ${sport} tcp dport 22 tcp flags == ${flags} tcp window 64240 \n`
  const TRACE = [
    packet('a1', 'inet ours first', 1),
    'trace id a1 inet ours first rule iifname "gpa0" meta nftrace set 1 (verdict continue)\n',
    'trace id a1 inet ours first policy accept \n',
    packet('a1', 'inet f input', 1),
    'trace id a1 inet f input rule tcp dport 22 counter packets 0 bytes 0 accept comment "x (y)" (verdict accept)\n',
    packet('b2', 'inet f input', 2),
    'trace id b2 inet f input rule jump other (verdict jump other)\n',
    'trace id b2 inet f other verdict return \n',
    'trace id b2 inet f input policy drop \n',
    packet('c3', 'inet f input', 3),
    'trace id c3 inet f input rule tcp dport 23 reject (verdict drop)\n',
    packet('d4', 'inet f input', 1, 'ack'),
    'trace id d4 inet f input policy drop \n',
    packet('e5', 'inet ours first', 5),
    'trace id e5 inet ours first policy accept \n',
    'trace id f6 inet ours first packet: iif "gpa0" ip protocol udp udp sport 6 udp dport 53 udp length 9 \n',
    'something else\n',
  ].join('')
  test('is read from the trace: the first packet of each probe', () => {
    assert.deepEqual(Object.fromEntries(parseTrace(TRACE, 'ours')), {
      'tcp 1': { end: 'accept', by: 'inet f input: tcp dport 22 accept comment "x (y)"' },
      'tcp 2': { end: 'drop', by: 'inet f input: policy drop' },
      'tcp 3': { end: 'drop', by: 'inet f input: tcp dport 23 reject' },
      'tcp 5': { end: 'accept' },
      'udp 6': { end: 'accept' },
    })
    assert.deepEqual(parseTrace(TRACE.slice(0, 20), 'ours'), new Map())
  })
  for (const [protocol, answer, traced, legacy, verdict] of [
    ['tcp', 'open', { end: 'accept' }, false, 'open'],
    ['tcp', 'open', undefined, false, 'open'],
    ['tcp', 'refused', { end: 'accept' }, false, 'open'],
    ['tcp', 'refused', { end: 'drop', by: 'reject with tcp reset' }, false, 'dropped'],
    ['tcp', 'silence', { end: 'drop', by: 'x' }, false, 'dropped'],
    ['tcp', 'silence', { end: 'accept' }, true, 'dropped'],
    ['tcp', 'silence', undefined, false, 'unclear'],
    ['tcp', 'open', { end: 'drop', by: 'x' }, false, 'unclear'],
    ['udp', 'silence', { end: 'accept' }, false, 'open'],
    ['udp', 'silence', { end: 'accept' }, true, 'unclear'],
    ['udp', 'refused', { end: 'accept' }, true, 'open'],
    ['udp', 'silence', { end: 'drop', by: 'x' }, true, 'dropped'],
    ['udp', 'silence', undefined, false, 'unclear'],
  ] as const)
    test(`${protocol}, ${answer}, traced: ${traced?.end}${legacy ? ', beside iptables-legacy' : ''}: ${verdict}`, () =>
      assert.equal(judgeByKernel({ protocol }, answer, traced, legacy).verdict, verdict))
  test('the lines of the prober are read strictly', () => {
    assert.ok(parseQuestion('{"id":1,"protocol":"tcp","address":"192.0.2.1","port":22,"sourcePort":20000,"time":700}'))
    for (const line of ['', '{}', '{"id":1,"protocol":"icmp","address":"192.0.2.1","port":22,"sourcePort":2,"time":7}'])
      assert.equal(parseQuestion(line), undefined)
    assert.equal(parseAnswer('{"id":1,"answer":"maybe"}'), undefined)
    assert.deepEqual(parseAnswer('{"id":1,"answer":"open"}'), { id: 1, answer: 'open' })
  })
})

describe('what the rules say', () => {
  const table = (policy: string, ...rules: string[]) =>
    parseListing(
      `table ip filter {\n\tchain INPUT {\n\t\ttype filter hook input priority 0; policy ${policy};\n${rules.map((rule) => `\t\t${rule}\n`).join('')}\t}\n}\n`,
    )
  for (const [family, tables, verdict] of [
    [4, table('drop'), 'dropped'],
    [6, table('drop'), 'open'],
    [4, table('drop', 'tcp dport 22 accept'), 'open'],
    [4, table('drop', 'iifname "eth1" tcp dport 22 accept'), 'unclear'],
    [4, table('accept', 'meta mark 7 drop'), 'unclear'],
    [4, table('accept', 'fib saddr type local drop'), 'open'],
    [4, table('drop', 'ip saddr 192.0.2.0/24 accept'), 'dropped'],
  ] as const)
    test(`IPv${family}: ${tables[0]?.chains.get('INPUT')?.rules.join('; ') || 'no rule'}: ${verdict}`, () =>
      assert.equal(judgeByRules(tables, { family, protocol: 'tcp', port: port(22) }).verdict, verdict))
})

describe('the three answers', () => {
  const target = (family: 4 | 6, number: number, listening = true): Target => ({
    ...{ family, protocol: 'tcp', port: port(number), listening, programs: listening ? ['sshd'] : [] },
    address: family === 4 ? FOUR : SIX,
  })
  const TARGETS = [target(4, 22), target(6, 22), target(4, 47_001, false), target(6, 47_001, false)]
  const judged = (verdict: Judged['verdict']): Judged => ({ verdict, by: `rule ${verdict}` })
  const scan = (
    address: IpAddress,
    listed: Readonly<Record<string, PortState>>,
    rest: PortState = 'filtered',
  ): ScanResult => ({
    ...{ address, listed: new Map(Object.entries(listed)), services: new Map(), counted: [], fromItself: false },
    others: [{ protocol: 'tcp', state: rest, ports: [[1, 65_535]] }],
  })
  const made = (more: Partial<AuditFacts>) =>
    audit({
      targets: TARGETS,
      rules: () => judged('dropped'),
      kernel: () => known(judged('dropped')),
      scans: [],
      addresses: [FOUR, SIX],
      intended: new Set(),
      ...more,
    })
  const six = (verdict: Judged['verdict']) => (each: Target) => judged(each.family === 6 ? verdict : 'dropped')

  for (const [what, more, status, said] of [
    ['agree: filtered', {}, 0, ''],
    ['agree with the scan', { scans: [scan(FOUR, {}), scan(SIX, {})] }, 0, ''],
    [
      'a port is open, as intended',
      {
        rules: (each: Target) => judged(each.listening ? 'open' : 'dropped'),
        kernel: (each: Target) => known(judged(each.listening ? 'open' : 'dropped')),
        intended: new Set(['tcp/22']),
      },
      0,
      '',
    ],
    [
      'a port is open, and nobody asked for it',
      {
        rules: (each: Target) => judged(each.listening ? 'open' : 'dropped'),
        kernel: (each: Target) => known(judged(each.listening ? 'open' : 'dropped')),
      },
      1,
      'IPv4: tcp/22 is open to everybody (sshd)',
    ],
    [
      'IPv6 is open',
      { rules: six('open'), kernel: (each: Target) => known(six('open')(each)) },
      1,
      'IPv6: tcp/22 is open',
    ],
    [
      'the kernel lets in what the rules seem to drop',
      { kernel: (each: Target) => known(six('open')(each)) },
      1,
      'IPv6: tcp/22 is dropped (rule dropped) by the rules, and open (rule open) by the kernel',
    ],
    ['the rules are unclear, the kernel is not', { rules: () => judged('unclear') }, 0, ''],
    ['the kernel was not asked', { kernel: () => notKnown('no unshare') }, 2, 'the kernel was not asked: no unshare'],
    ['the kernel is unclear', { kernel: () => known(judged('unclear')) }, 2, 'what the kernel does is unclear'],
    [
      'a port answers outside',
      { scans: [scan(SIX, { 'tcp/22': 'open' })] },
      1,
      'IPv6: tcp/22 answers from outside (open), and is dropped (rule dropped) on this host',
    ],
    [
      'all ports are closed outside, where they should be silent',
      { scans: [scan(FOUR, {}, 'closed')] },
      1,
      'any other port, such as tcp/47001 answers from outside (closed)',
    ],
    [
      'a port of nobody answers outside',
      { scans: [scan(FOUR, { 'tcp/8080': 'open' })] },
      1,
      'tcp/8080 is open from outside, and no socket of this host listens there',
    ],
    [
      'something on the way drops',
      {
        rules: () => judged('open'),
        kernel: () => known(judged('open')),
        intended: new Set(['tcp/22']),
        scans: [scan(FOUR, {})],
      },
      1,
      'something on the way drops it',
    ],
    [
      'the scan is of another host',
      { scans: [scan(ip('203.0.113.1'), {})] },
      2,
      '203.0.113.1 is no address of this host',
    ],
    [
      'this host has no IPv6',
      {
        targets: TARGETS.map(({ address, ...each }) =>
          each.family === 6 ? each : { ...each, ...(address && { address }) },
        ),
        kernel: (each: Target): Known<Judged> => (each.family === 6 ? notKnown('none') : known(judged('dropped'))),
      },
      0,
      '',
    ],
  ] as const)
    test(what, () => {
      const report = made(more as Partial<AuditFacts>)
      const all = [...report.differences, ...report.opens, ...report.unknown].join('\n')
      assert.equal(statusOf(report), status, all)
      if (said === '') assert.equal(all, '')
      else assert.ok(all.includes(said), all)
    })
  test('say for each family whether it is filtered', () => {
    const report = made({ rules: six('open'), kernel: (each) => known(six('open')(each)) })
    assert.deepEqual(
      report.families.map(({ family, filtered }) => `${family} ${filtered}`),
      ['4 yes', '6 no'],
    )
  })
})

describe('what rules do not cover', () => {
  test('docker-proxy, packet sockets, XDP and tc; and what could not be looked for', async () => {
    const host = hostOf({
      files: {
        '/proc/self/net/packet': 'sk RefCnt Type Proto Iface R Rmem User Inode\n0000 3 3 0003 2 1 0 0 4711\n',
        '/proc/7/stat': '7 (tcpdump) S 1 ',
        '/proc/self/net/dev': 'Inter-|\n face |\n  lo: 0\n  eth0: 0\n',
      },
      links: { '/proc/7/fd/3': 'socket:[4711]' },
      tcxPrograms: { eth0: 1 },
      netfilterPrograms: known([{ family: 'ipv4', hook: 'input', priority: -10 }]),
      said: {
        links: '[{"ifname":"lo"},{"ifname":"eth0","xdp":{"mode":1}}]',
        queues: '[{"kind":"clsact","dev":"eth0"},{"kind":"noqueue","dev":"lo"}]',
      },
    })
    const found = await lookForUncovered(host, [listens('tcp', '0.0.0.0', 8080, 'docker-proxy')])
    const text = found
      .map(({ about, found }) => `${about}: ${found.known ? found.value.join('; ') : found.because}`)
      .join('\n')
    assert.match(
      text,
      /^docker-proxy: docker-proxy listens on tcp\/8080: .*\npacket sockets: tcpdump \(7\) reads packets/,
    )
    assert.match(
      text,
      /\nXDP: eth0: an XDP program .*\ntc: eth0: filters of tc \(clsact\).*\ntcx: eth0: a program of eBPF .*\nnetfilter: a program of eBPF .* hook input of netfilter \(ipv4, priority -10\).*\nprovider: a firewall/,
    )
    const bare = await lookForUncovered(hostOf({}), [])
    assert.deepEqual(
      bare.filter(({ found }) => !found.known).map(({ about }) => about),
      ['XDP', 'tc'],
    )
  })
})
