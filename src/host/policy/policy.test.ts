import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { hostOf } from '../../../test/support/host-of-values.ts'
import { DEFAULT_MARK } from '../../config/server/firewall-settings.ts'
import { port } from '../../units.ts'
import { type HostPolicy, parseAllowedSource, parseInterface, parsePorts, policyWords } from './policy.ts'
import { renderPolicy, wordsInFile } from './render.ts'
import { lookWhatFits } from './surroundings.ts'

const tcp = (...numbers: number[]) => numbers.map((number) => ({ protocol: 'tcp', port: port(number) }) as const)

describe('the options of a policy', () => {
  for (const [text, network, ports] of [
    ['192.0.2.7', '192.0.2.7/32', ''],
    ['192.0.2.7/24', '192.0.2.0/24', ''],
    ['2001:DB8::7/32,tcp/22', '2001:db8::/32', 'tcp22'],
    ['192.0.2.7,tcp/22,udp/53', '192.0.2.7/32', 'tcp22 udp53'],
  ] as const)
    test(`--allow-from ${text}`, () => {
      const read = parseAllowedSource('--allow-from', text)
      assert.ok(read.ok)
      assert.equal(`${read.value.network.prefix}/${read.value.network.length}`, network)
      assert.equal(read.value.ports.map((each) => `${each.protocol}${each.port}`).join(' '), ports)
    })
  for (const [text, detail, suggestion] of [
    ['tcp/22', /has no address: the address comes first/, '--allow-from 192.0.2.7,tcp/22'],
    ['192.0.2.300', /is not an IP address/, undefined],
    ['192.0.2.7/33', /the mask is not valid/, undefined],
    ['0.0.0.0/0', /every address/, '--allow tcp/22'],
    ['::/0,udp/53', /every address/, '--allow udp/53'],
    ['192.0.2.7,22', /“22” is not a protocol and port/, undefined],
    ['192.0.2.7,', /“” is not a protocol and port/, undefined],
    ['192.0.2.7; drop', /is not an IP address/, undefined],
  ] as const)
    test(`--allow-from ${text} is refused`, () => {
      const read = parseAllowedSource('--allow-from', text)
      assert.ok(!read.ok)
      assert.equal(read.failure.code, 'VALUE_INVALID')
      assert.match(read.failure.detail, detail)
      if (suggestion !== undefined) assert.equal(read.failure.suggestion, suggestion)
    })
  test('the names of interfaces cannot be rules', () => {
    for (const name of ['wg0', 'br-1', 'eth0.7', 'a@b', 'x:1']) assert.ok(parseInterface('--trust', name).ok, name)
    for (const name of ['', 'lo', '"x"', 'a b', 'wg0" accept', 'x'.repeat(16), 'ü', 'a;b', 'a\nb', 'a*', 'a/b'])
      assert.ok(!parseInterface('--trust', name).ok, name)
  })
  test('ports are those of the other commands', () => {
    assert.ok(parsePorts('--allow', 'tcp/80,udp/53').ok)
    for (const text of ['80', 'tcp/0', 'tcp/65536', 'sctp/1', 'tcp/80-90', 'tcp/80 udp/53', ''])
      assert.ok(!parsePorts('--allow', text).ok, text)
  })
})

describe('the file of a policy', () => {
  const policy: HostPolicy = {
    mark: DEFAULT_MARK,
    allow: tcp(80, 443),
    allowFrom: [{ network: { prefix: '2001:db8::' as never, length: 32 }, ports: tcp(22) }],
    trusted: ['wg0' as never],
    ping: false,
    reversePath: 'loose',
    forward: 'leave',
    out: tcp(443),
  }
  test('says with which options it was made', () => {
    const words = [
      ...['--allow', 'tcp/80,tcp/443', '--allow-from', '2001:db8::/32,tcp/22', '--trust', 'wg0', '--no-ping'],
      ...['--reverse-path', 'loose', '--forward', 'leave', '--out', 'tcp/443'],
    ]
    assert.deepEqual(policyWords(policy), words)
    assert.deepEqual(wordsInFile(renderPolicy(policy)), words)
    assert.equal(wordsInFile('table inet filter {\n}\n'), undefined)
  })
  test('has no chain for what it leaves alone', () => {
    assert.doesNotMatch(renderPolicy(policy), /hook forward/)
    assert.match(renderPolicy({ ...policy, forward: 'drop' }), /hook forward priority filter; policy drop;/)
    const { out: _, ...anywhere } = policy
    assert.doesNotMatch(renderPolicy(anywhere), /hook output/)
  })
})

describe('what fits a host', () => {
  const devices = (...names: string[]) => ({
    '/proc/self/net/dev': `Inter-|   Receive\n face |bytes\n${names.map((name) => `  ${name}: 0 0\n`).join('')}`,
  })
  const host = (files: Readonly<Record<string, string>>) =>
    lookWhatFits(hostOf({ files: { ...devices('lo', 'eth0', 'eth1'), ...files } }))
  const ROUTE = 'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n'
  const four = (name: string) => `${name}\t00000000\t0100000A\t0003\t0\t0\t0\t00000000\t0\t0\t0\n`
  const six = (name: string) =>
    `${'0'.repeat(32)} 00 ${'0'.repeat(32)} 00 fe80${'0'.repeat(27)}1 00000400 00000001 00000000 00000003     ${name}\n`

  test('one way out: strict, and drop what passes through', () => {
    const fits = host({
      '/proc/self/net/route': ROUTE + four('eth0'),
      '/proc/self/net/ipv6_route': six('eth0') + six('lo'),
    })
    assert.deepEqual(fits, { forward: 'drop', reversePath: 'strict' })
  })
  test('several ways out, of either family: loose', () => {
    const { reversePath, reversePathNote = '' } = host({
      '/proc/self/net/route': ROUTE + four('eth0'),
      '/proc/self/net/ipv6_route': six('eth1'),
    })
    assert.equal(reversePath, 'loose')
    assert.match(reversePathNote, /eth0 and eth1/)
  })
  for (const [name, path] of [
    ['net.ipv4.ip_forward', '/proc/sys/net/ipv4/ip_forward'],
    ['net.ipv6.conf.all.forwarding', '/proc/sys/net/ipv6/conf/all/forwarding'],
  ] as const)
    test(`${name}: what passes through is left alone`, () => {
      const { forward, forwardNote = '' } = host({ [path]: '1\n' })
      assert.equal(forward, 'leave')
      assert.ok(forwardNote.includes(name))
    })
})
