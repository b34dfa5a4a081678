/**
 * `ghostport outside` on a real network: a server that drops all but a web server, looked at by its own scan and by
 * nmap.
 *
 *   outside 10.9.0.66 fd09::66 ── 10.9.0.2 fd09::2 server: web on 80 (silent), tcp/113 refused, ssh on 22 (dropped)
 */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { dropByDefault, ghostportCommand } from '../support/daemon.ts'
import { type Host, Network, netnsUnavailable, type Outcome } from '../support/netns.ts'

const FOUR = '10.9.0.2'
const SIX = 'fd09::2'

describe('the view from outside', { skip: netnsUnavailable() }, () => {
  let net: Network
  let server: Host
  let stranger: Host
  let folder: string
  let hosts: string

  before(async () => {
    net = await Network.create()
    ;[server, stranger] = [await net.host('server'), await net.host('stranger')]
    await net.link(stranger, ['10.9.0.66/24', '10.9.0.67/24', 'fd09::66/64'], server, [`${FOUR}/24`, `${SIX}/64`])
    folder = net.directory()
    hosts = join(folder, 'hosts')
    writeFileSync(hosts, `127.0.0.1 localhost\n${FOUR} both.test\n${SIX} both.test\n`)
    dropByDefault(server)
    const rule = (...words: readonly string[]) =>
      server.must(['nft', 'insert', 'rule', 'inet', 'filter', 'input', ...words])
    rule('tcp', 'dport', '80', 'accept')
    rule('tcp', 'dport', '113', 'reject', 'with', 'tcp', 'reset')
    await server.listen([
      { protocol: 'tcp', port: 22, banner: 'SSH-2.0-test' },
      { protocol: 'tcp', port: 2525, banner: 'evil \x1b]0;owned\x07 %peer' },
    ])
    assert.ok(server.start(['socat', 'TCP6-LISTEN:80,fork,reuseaddr,ipv6only=0', 'EXEC:cat']).pid)
    await stranger.until('open', { protocol: 'tcp', address: FOUR, port: 80 })
  })
  after(() => net?.close())

  const outside = (...argv: readonly string[]): Outcome => {
    const words = ghostportCommand('outside', ...argv)
    const inside = ['unshare', '--mount', 'sh', '-c', 'mount --bind "$0" /etc/hosts && exec "$@"', hosts, ...words]
    return stranger.run(inside, { cwd: folder, timeoutMs: 60_000 })
  }
  const file = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text)
    return name
  }
  const fast = ['--timeout', '0.5', '-p', '22,80,113,2525'] as const
  /** The server lets this port in, for as long as the work takes. */
  const letIn = (port: number, work: () => void): void => {
    server.must(['nft', 'insert', 'rule', 'inet', 'filter', 'input', 'tcp', 'dport', String(port), 'accept'])
    try {
      work()
    } finally {
      const rules = server.must(['nft', '-a', 'list', 'chain', 'inet', 'filter', 'input'])
      const [, handle = ''] = new RegExp(`tcp dport ${port} accept # handle (\\d+)`).exec(rules) ?? []
      server.must(['nft', 'delete', 'rule', 'inet', 'filter', 'input', 'handle', handle])
    }
  }

  it('shows both addresses of a name, and what they answer', () => {
    const said = outside('both.test', '--timeout', '0.5')
    assert.deepEqual([said.status, said.stderr], [0, ''])
    assert.match(
      said.stdout,
      /^10\.9\.0\.2, seen from 10\.9\.0\.6[67]: \d+ ports asked\n {2}tcp\/80: open\n {2}1 closed\n {2}\d+ filtered\n/,
    )
    assert.match(said.stdout, /\nfd09::2, seen from fd09::66: \d+ ports asked\n {2}tcp\/80: open\n/)
    const { scan, warnings, status } = JSON.parse(outside('both.test', '--json', ...fast).stdout)
    assert.deepEqual([warnings, status], [[], 0])
    assert.deepEqual(
      scan.hosts.map(({ address, ports }: { address: string; ports: unknown }) => ({ address, ports })),
      [FOUR, SIX].map((address) => ({
        address,
        ports: [
          { port: 'tcp/22', state: 'filtered', says: null },
          { port: 'tcp/80', state: 'open', says: null },
          { port: 'tcp/113', state: 'closed', says: null },
          { port: 'tcp/2525', state: 'filtered', says: null },
        ],
      })),
    )
  })

  it('is as expected, or not: exactly tcp/80 is open', () => {
    const web = file('web.txt', '# outsiders\n80/tcp\n')
    const good = outside('both.test', '--expect', web, ...fast)
    assert.deepEqual([good.status, good.stderr], [0, ''])
    assert.match(good.stdout, /as expected by web\.txt\n$/)
    letIn(22, () => {
      const bad = outside('both.test', '--expect', web, ...fast)
      assert.equal(bad.status, 1)
      assert.match(
        bad.stdout,
        /not as expected by web\.txt:\n {2}10\.9\.0\.2: tcp\/22 is open, and not expected to be\n {2}fd09::2: tcp\/22 is open/,
      )
    })
    const more = outside(FOUR, '--expect', file('more.txt', 'tcp/80\ntcp/113 closed\ntcp/443\n'), '--json', ...fast)
    assert.equal(more.status, 1)
    assert.deepEqual(JSON.parse(more.stdout).surprises, ['10.9.0.2: tcp/443 is filtered, and expected to be open'])
  })

  it('is not known where an expected family cannot be asked', () => {
    const both = file('six.txt', 'tcp/80 ipv4\ntcp/80 ipv6\n')
    assert.equal(outside('both.test', '--expect', both, ...fast).status, 0)
    const said = outside('both.test', '-4', '--expect', both, ...fast)
    assert.equal(said.status, 2)
    assert.match(said.stdout, /not known: no address of IPv6 was scanned/)
    stranger.must(['ip', '-6', 'route', 'del', 'fd09::/64', 'dev', 'eth0'])
    try {
      const without = outside('both.test', '--expect', file('four.txt', 'tcp/80\n'), ...fast)
      assert.equal(without.status, 2)
      assert.match(without.stdout, /not known: fd09::2 was not scanned: /)
      const warned = outside('both.test', ...fast)
      assert.equal(warned.status, 0)
      assert.match(warned.stderr, /warning: fd09::2 was not scanned: /)
      const none = outside(SIX, ...fast)
      assert.equal(none.status, 2)
      assert.match(none.stderr, /\[SCAN_FAILED\]/)
    } finally {
      stranger.must(['ip', '-6', 'route', 'add', 'fd09::/64', 'dev', 'eth0'])
    }
  })

  it('is kept in a file that shows later what changed, which ndiff reads too', () => {
    assert.equal(outside('both.test', '--save', 'one.xml', ...fast).status, 0)
    assert.equal(outside('both.test', '--save', 'two.xml', ...fast).status, 0)
    assert.equal(outside('--compare', 'one.xml', 'two.xml').stdout, 'the same: one.xml and two.xml\n')
    const same = stranger.run(['ndiff', 'one.xml', 'two.xml'], { cwd: folder })
    assert.equal(same.status, 0, same.stdout + same.stderr)
    letIn(2525, () => assert.equal(outside('both.test', '--save', 'three.xml', ...fast).status, 0))
    const said = outside('--compare', 'one.xml', 'three.xml')
    assert.equal(said.status, 1)
    assert.equal(
      said.stdout,
      'different: one.xml → three.xml\n10.9.0.2\n  tcp/2525: filtered → open\nfd09::2\n  tcp/2525: filtered → open\n',
    )
    const differing = stranger.run(['ndiff', 'one.xml', 'three.xml'], { cwd: folder })
    assert.equal(differing.status, 1, differing.stderr)
    assert.match(differing.stdout, /\+2525\/tcp open/)
    assert.match(differing.stdout, /banner: evil \\x1b\]0;owned\\x07/)
    assert.equal(outside('--compare', 'three.xml', '--expect', 'web.txt').status, 1)
    const hasty = outside('both.test', '--save', 'hasty.xml', '--timeout', '0.4', '-p', '22,80,113,2525')
    assert.equal(hasty.status, 0)
    assert.match(
      outside('--compare', 'one.xml', 'hasty.xml').stderr,
      /--timeout 0\.5 → --timeout 0\.4\): with less time/,
    )
  })

  it('lets no greeting touch the terminal or the file', () => {
    letIn(2525, () => {
      const said = outside(FOUR, '--save', 'evil.xml', ...fast)
      assert.match(said.stdout, /tcp\/2525: open, says “evil \\x1b\]0;owned\\x07 10\.9\.0\.6[67]”/)
      assert.ok(!said.stdout.includes('\x1b'))
    })
  })

  it('comes from the address that is named', () => {
    letIn(2525, () => {
      const said = outside(FOUR, '--from', '10.9.0.67', ...fast)
      assert.match(said.stdout, /^10\.9\.0\.2, seen from 10\.9\.0\.67: /)
      assert.match(said.stdout, /owned\\x07 10\.9\.0\.67”/)
    })
    for (const [argv, status, pattern] of [
      [['--from', '192.0.2.9'], 2, /192\.0\.2\.9 is no address of this host/],
      [['--from', 'fd09::66'], 64, /--from fd09::66 has no effect: no address of IPv6/],
    ] as const) {
      const said = outside(FOUR, ...argv, ...fast)
      assert.deepEqual([said.status, said.stdout], [status, ''])
      assert.match(said.stderr, pattern)
    }
  })

  it('is never of this host itself, and of a host that is down says that it may be down', () => {
    for (const own of ['10.9.0.66', 'fd09::66', '127.0.0.1', '::1', 'localhost']) {
      const said = outside(own, ...fast)
      assert.equal(said.status, 2, own)
      assert.match(said.stderr, /A host that scans itself proves nothing.*\[SCAN_FAILED\]/)
    }
    const down = outside('10.9.0.99', ...fast)
    assert.equal(down.status, 0)
    assert.match(down.stderr, /warning: no port of 10\.9\.0\.99 answered\. A host that is down/)
  })

  it('takes one connection for an open port, and keeps to its rate', () => {
    const began = performance.now()
    server.must(['nft', 'add', 'table', 'inet', 'counted'])
    server.must(['nft', '-f', '-'], {
      input:
        'table inet counted { chain in { type filter hook input priority -10; tcp dport 80 tcp flags & (syn | ack) == syn counter; }; }\n',
    })
    assert.equal(outside(FOUR, '-p', '80,1001-1020', '--timeout', '0.3', '--rate', '10').status, 0)
    assert.ok(performance.now() - began > 2_000)
    assert.match(server.must(['nft', 'list', 'table', 'inet', 'counted']), /counter packets 1 /)
  })
})
