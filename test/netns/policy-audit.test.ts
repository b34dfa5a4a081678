/**
 * `ghostport policy audit` on hosts with real rules: the kernel is asked by real packets, a real nmap scans from
 * outside, and nothing is left behind, also when the audit is killed.
 */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, beforeEach, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Daemon, ghostportCommand, stanza } from '../support/daemon.ts'
import { type Host, Network, netnsUnavailable } from '../support/netns.ts'

const skip = netnsUnavailable()
const TCX_PROGRAM = fileURLToPath(new URL('../support/tcx-program.ts', import.meta.url))
const NETFILTER_PROGRAM = fileURLToPath(new URL('../support/netfilter-program.ts', import.meta.url))
const FOUR = '192.0.2.10'
const SIX = '2001:db8::10'

interface Report {
  readonly status: number
  readonly families: readonly { family: string; filtered: string; because: string }[]
  readonly ports: readonly {
    family: string
    protocol: string
    port: number
    listening: boolean
    rules: { verdict: string; by?: string }
    kernel: { verdict: string; by?: string }
    outside: string | null
  }[]
  readonly differences: readonly string[]
  readonly opens: readonly string[]
  readonly unknown: readonly string[]
  readonly uncovered: readonly { about: string; found: readonly string[] | null }[]
}

describe('an audit', { skip }, () => {
  let net: Network
  let server: Host
  let outside: Host
  let folder: string
  before(async () => {
    net = await Network.create()
    server = await net.host('server')
    outside = await net.host('outside')
    await net.link(server, [`${FOUR}/24`, `${SIX}/64`], outside, ['192.0.2.66/24', '2001:db8::66/64'])
    await server.listen([
      { protocol: 'tcp', port: 22, banner: 'ssh' },
      { protocol: 'tcp', port: 80, banner: 'web' },
      { protocol: 'udp', port: 53, banner: 'dns' },
      { protocol: 'tcp', port: 25, banner: 'mail', address: '127.0.0.1' },
    ])
    folder = net.directory()
    writeFileSync(join(folder, 'empty.conf'), '', { mode: 0o600 })
  })
  after(() => net?.close())
  beforeEach(() => server.must(['nft', 'flush ruleset']))

  const words = (...argv: string[]): readonly string[] =>
    ghostportCommand('policy', 'audit', ...(argv.includes('-c') ? [] : ['-c', join(folder, 'empty.conf')]), ...argv)
  const run = (...argv: string[]): Report => {
    const { status, stdout, stderr } = server.run(words('--json', ...argv), { timeoutMs: 60_000 })
    assert.ok(stdout.startsWith('{'), stderr)
    const report = JSON.parse(stdout) as Report
    assert.equal(report.status, status)
    return report
  }
  const filtered = ({ families }: Report) => families.map((each) => each.filtered)
  const answersFor = ({ ports }: Report, name: string) =>
    ports
      .filter(({ protocol, port, listening }) => (listening ? `${protocol}/${port}` : `${protocol} others`) === name)
      .map(({ rules, kernel }) => `${rules.verdict} ${kernel.verdict}`)
  const load = (text: string): string => server.must(['nft', '-f', '-'], { input: text })
  const loadPolicy = (...argv: string[]): void => {
    load(server.must(ghostportCommand('policy', 'show', '-c', join(folder, 'empty.conf'), ...argv)))
  }
  const isClean = (): void => {
    assert.doesNotMatch(server.must(['ip', '-br', 'link']), /gpa/)
    assert.doesNotMatch(server.must(['nft', 'list', 'tables']), /audit/)
  }

  it('of a host without rules: both families are open, and each port is', () => {
    const report = run()
    assert.equal(report.status, 1)
    assert.deepEqual(filtered(report), ['no', 'no'])
    for (const name of ['tcp/22', 'tcp/80', 'udp/53', 'tcp others', 'udp others'])
      assert.deepEqual(answersFor(report, name), ['open open', 'open open'], name)
    assert.deepEqual(answersFor(report, 'tcp/25'), [])
    assert.equal(report.opens.length, 6)
    isClean()
  })

  it('of a host with the policy: filtered, but for what the policy and the administrator let in', () => {
    loadPolicy('--allow', 'tcp/80')
    const report = run('--allow', 'tcp/80')
    assert.deepEqual([report.differences, report.opens, report.unknown], [[], [], []])
    assert.equal(report.status, 0)
    assert.deepEqual(filtered(report), ['yes', 'yes'])
    assert.deepEqual(answersFor(report, 'tcp/80'), ['open open', 'open open'])
    for (const name of ['tcp/22', 'udp/53', 'tcp others', 'udp others'])
      assert.deepEqual(answersFor(report, name), ['dropped dropped', 'dropped dropped'], name)
    assert.equal(run().status, 1)
    isClean()
  })

  it('finds the hole of IPv6 where only IPv4 has rules', () => {
    load('table ip filter { chain input { type filter hook input priority 0; policy drop; iif lo accept; }; }\n')
    const report = run()
    assert.deepEqual(filtered(report), ['yes', 'no'])
    assert.deepEqual(answersFor(report, 'tcp/22'), ['dropped dropped', 'open open'])
    const { status, stdout } = server.run(words(), { timeoutMs: 60_000 })
    assert.equal(status, 1)
    assert.match(stdout, /^Is IPv4 filtered on this host\? yes .*\nIs IPv6 filtered on this host\? no /)
  })

  it('says where the rules are not what the kernel does: a rule for one interface', () => {
    load(
      'table inet filter { chain input { type filter hook input priority 0; policy drop; iif lo accept; iifname "gpa*" tcp dport 22 accept; iifname "eth0" tcp dport 80 accept; }; }\n',
    )
    const report = run()
    // By the rules as they are read, either may be open.
    assert.deepEqual(answersFor(report, 'tcp/22'), ['unclear open', 'unclear open'])
    assert.deepEqual(answersFor(report, 'tcp/80'), ['unclear dropped', 'unclear dropped'])
    load(
      'flush ruleset\ntable inet filter { chain input { type filter hook input priority 0; tcp dport 22 reject with tcp reset; udp dport 53 reject; }; }\n',
    )
    const rejecting = run()
    assert.deepEqual(answersFor(rejecting, 'tcp/22'), ['dropped dropped', 'dropped dropped'])
    assert.deepEqual(answersFor(rejecting, 'udp/53'), ['dropped dropped', 'dropped dropped'])
  })

  it('asks the kernel also where neighbour discovery is dropped, and where iptables-legacy decides', (t) => {
    load('table inet filter { chain input { type filter hook input priority 0; policy drop; iif lo accept; }; }\n')
    assert.deepEqual(answersFor(run(), 'tcp/22'), ['dropped dropped', 'dropped dropped'])
    server.must(['nft', 'flush ruleset'])
    if (server.run(['iptables-legacy', '-A', 'INPUT', '-p', 'tcp', '--dport', '22', '-j', 'DROP']).status !== 0)
      return t.diagnostic('this kernel has no iptables-legacy')
    const report = run()
    assert.deepEqual(answersFor(report, 'tcp/22'), ['dropped dropped', 'open open'])
    assert.match(report.ports.find(({ port }) => port === 22)?.kernel.by ?? '', /nftables does not trace/)
    assert.deepEqual(answersFor(report, 'udp/53'), ['open unclear', 'open unclear'])
    server.must(['iptables-legacy', '-F', 'INPUT'])
  })

  it('knows the gate of ghostport, and that its receiver reads packets before the rules', async () => {
    const daemon = await Daemon.start(net, server, {
      access: stanza(['OPEN_PORTS tcp/22']),
      server: ['FIREWALL_MODE gate', 'PROTECTED_PORTS tcp/22'],
    })
    const report = run('-c', daemon.path('fwknopd.conf'))
    assert.deepEqual(answersFor(report, 'tcp/22'), ['dropped dropped', 'dropped dropped'])
    assert.deepEqual(answersFor(report, 'tcp/80'), ['open open', 'open open'])
    const sockets = report.uncovered.find(({ about }) => about === 'packet sockets')?.found ?? []
    assert.match(sockets.join(), /reads packets before any rule/)
    assert.match(
      report.uncovered.find(({ about }) => about === 'provider')?.found?.join() ?? '',
      /cannot be seen from here/,
    )
    await daemon.stop()
  })

  it('sees a program of eBPF that hangs at an interface by a link, where tc does not show it', async () => {
    const about = (name: string) => run().uncovered.find((each) => each.about === name)?.found
    assert.deepEqual(about('tcx'), [])
    const held = server.start([process.execPath, '--conditions=ghostport-source', TCX_PROGRAM, 'eth0'])
    await held.says(/attached|failed/)
    assert.match(held.output, /attached/)
    assert.deepEqual(about('tc'), [])
    assert.match(about('tcx')?.join() ?? '', /^eth0: a program of eBPF \(tcx\) may decide about packets/)
    await held.stop()
    assert.deepEqual(about('tcx'), [])
  })

  it('sees a program of eBPF at a hook of netfilter, which no list of rules shows', async () => {
    const found = () =>
      run()
        .uncovered.find((each) => each.about === 'netfilter')
        ?.found?.join() ?? ''
    const ours = /at the hook input of netfilter \(ipv4, priority -10\)/
    assert.doesNotMatch(found(), ours)
    const held = server.start([process.execPath, '--conditions=ghostport-source', NETFILTER_PROGRAM])
    await held.says(/attached|failed/)
    assert.match(held.output, /attached/)
    assert.match(found(), ours)
    await held.stop()
    assert.doesNotMatch(found(), ours)
  })

  it('prints what to run outside, and compares with what nmap found there', () => {
    loadPolicy('--allow', 'tcp/80')
    const { commands } = JSON.parse(server.must(words('--from-outside', '--json'))) as { commands: string[] }
    assert.deepEqual(commands, [
      `nmap -n -Pn -sS -p- -oX ghostport-scan-4.xml ${FOUR}`,
      `nmap -6 -n -Pn -sS -p- -oX ghostport-scan-6.xml ${SIX}`,
    ])
    assert.match(server.run(words('--from-outside')).stderr, /proves nothing: loopback is let in/)
    const files = commands.map((command, i) => {
      const file = join(folder, `scan-${i}`)
      // Fewer ports: each silent one takes its time.
      const [program = '', ...argv] = command
        .replace('-p-', '-p 20-90')
        .replace(/-oX \S+/, `-oX ${file}.xml -oG ${file}.gnmap`)
        .split(' ')
      outside.must([program, ...argv], { timeoutMs: 60_000 })
      return file
    })
    for (const ending of ['xml', 'gnmap']) {
      const report = run('--allow', 'tcp/80', ...files.flatMap((file) => ['--scan-result', `${file}.${ending}`]))
      assert.deepEqual([report.differences, report.opens], [[], []])
      assert.equal(report.status, 0, ending)
      const seen = report.ports.filter(({ port, listening }) => listening && port !== 53)
      assert.deepEqual(
        seen.map(({ port, outside }) => `${port} ${outside}`),
        // The grepable text does not say which ports it sums up, unless all were scanned.
        ending === 'xml'
          ? ['22 filtered', '22 filtered', '80 open', '80 open']
          : ['22 null', '22 null', '80 open', '80 open'],
      )
    }
    // The host changed after the scan: as if something on the way answered.
    loadPolicy()
    const later = run('--scan-result', `${files[1]}.xml`)
    assert.equal(later.status, 1)
    assert.match(
      later.differences.join('\n'),
      /^IPv6: tcp\/80 answers from outside \(open\), and is dropped \(inet ghostport_policy/,
    )
  })

  it('refuses a scan of loopback, a scan that is broken off, and a file that is none: the audit failed', () => {
    const file = join(folder, 'own.xml')
    server.must(['nmap', '-n', '-Pn', '-6', '-sS', '-p', '22', '-oX', file, '::1'], { timeoutMs: 60_000 })
    const refused = (path: string, pattern: RegExp): void => {
      const { status, stdout, stderr } = server.run(words('--json', '--scan-result', path))
      assert.equal(status, 2, stderr)
      assert.match(stderr, pattern)
      assert.equal(JSON.parse(stdout).error.exit, 2)
    }
    refused(file, /scanned itself \(::1\).*proves nothing.*--from-outside \[SCAN_INVALID\]/)
    writeFileSync(file, readFileSync(file, 'utf8').slice(0, -200))
    refused(file, /\[SCAN_INVALID\]/)
    refused(join(folder, 'absent.xml'), /there is no such file \[CONFIG_UNREADABLE\]/)
    refused(folder, /is not a regular file/)
  })

  it('leaves nothing behind when it is killed half way', async () => {
    const probers = (): string =>
      server.run([
        'sh',
        '-c',
        'grep -l audit/prober /proc/[0-9]*/cmdline 2>/dev/null | while read f; do tr "\\0" " " < $f; done',
      ]).stdout
    const isLeft = (): boolean =>
      /gpa/.test(server.must(['ip', '-br', 'link'])) || /audit/.test(server.must(['nft', 'list', 'tables']))
    const within = async (what: () => boolean, why: string): Promise<void> => {
      const deadline = performance.now() + 15_000
      while (!what()) {
        assert.ok(performance.now() < deadline, why)
        await delay(20)
      }
    }
    for (const wait of [0, 100, 300, 700]) {
      const program = server.start(words())
      await within(isLeft, 'it made no interface')
      await delay(wait)
      await program.stop('SIGKILL')
      await within(() => !isLeft(), `left behind after ${wait} ms: ${probers()}`)
    }
    isClean()
    assert.equal(run().status, 1)
  })
})
