/**
 * The client waits in the dark: a server that drops what it does not know, ghostport behind it, over IPv4 and IPv6.
 *
 *   client 10.9.0.1 fd09::1 ── 10.9.0.2 fd09::2 server: ghostport serve, a greeting service on 22, a silent one on 80
 *
 * The host's name is `both.test`, with both addresses, in an /etc/hosts that only the client sees.
 */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { Daemon, dropByDefault, ghostportCommand, keys, stanza } from '../support/daemon.ts'
import { loseNext } from '../support/loss.ts'
import { type Host, Network, netnsUnavailable, type Outcome } from '../support/netns.ts'

const LIFETIME = 2
const KEYS = ['--key-rijndael', keys.key, '--key-hmac', keys.hmac] as const
const WRONG = ['--key-rijndael', 'no', '--key-hmac', 'nothing'] as const

describe('ghostport knock --wait', { skip: netnsUnavailable() }, () => {
  let net: Network
  let client: Host
  let server: Host
  let daemon: Daemon
  let hosts: string

  before(async () => {
    net = await Network.create()
    ;[client, server] = [await net.host('client'), await net.host('server')]
    await net.link(client, ['10.9.0.1/24', 'fd09::1/64'], server, ['10.9.0.2/24', 'fd09::2/64'])
    hosts = join(net.directory(), 'hosts')
    writeFileSync(hosts, '127.0.0.1 localhost\n10.9.0.2 both.test\nfd09::2 both.test\n')
    dropByDefault(server)
    server.must(['nft', 'insert', 'rule', 'inet', 'filter', 'input', 'tcp', 'dport', '80', 'accept'])
    await server.listen([{ protocol: 'tcp', port: 22, banner: 'ssh' }])
    const silent = server.start(['socat', 'TCP6-LISTEN:80,fork,reuseaddr,ipv6only=0', 'EXEC:cat'])
    assert.ok(silent.pid)
    daemon = await Daemon.start(net, server, {
      server: ['ENABLE_IPT_LOCAL_NAT Y'],
      access: stanza([`FW_ACCESS_TIMEOUT ${LIFETIME}`]),
    })
  })
  after(() => net?.close())

  const knock = (...argv: readonly string[]): Outcome => {
    const words = ghostportCommand('knock', '--no-rc-file', '-s', ...argv)
    return client.run(['unshare', '--mount', 'sh', '-c', 'mount --bind "$0" /etc/hosts && exec "$@"', hosts, ...words])
  }
  const allShut = async (): Promise<void> => {
    for (const at of ['10.9.0.2', 'fd09::2']) await client.until('timeout', { protocol: 'tcp', address: at, port: 22 })
  }

  for (const [at, family] of [
    ['10.9.0.2', 4],
    ['fd09::2', 6],
  ] as const) {
    it(`finds the door of ${at} open, though the kernel tries no connection again`, async () => {
      await allShut()
      // A second SYN from the same port does not leave.
      client.must(['nft', '-f', '-'], {
        input: `table inet once {
          set seen { type inet_service; flags dynamic; }
          chain out {
            type filter hook output priority 0
            tcp flags & (syn | ack) == syn tcp sport @seen drop
            tcp flags & (syn | ack) == syn add @seen { tcp sport }
          }
        }`,
      })
      const { status, stdout, stderr } = knock('-D', at, ...KEYS, '-A', 'tcp/22', '--wait', '--json')
      assert.equal(status, 0, stderr + daemon.program.output)
      const { open } = JSON.parse(stdout)
      client.must(['nft', 'delete', 'table', 'inet', 'once'])
      assert.deepEqual([open.address, open.port], [at, 22])
    })

    it(`sends only by IPv${family} where told`, async () => {
      await allShut()
      const { status, stdout, stderr } = knock(
        '-D',
        'both.test',
        `-${family}`,
        ...KEYS,
        '-A',
        'tcp/22',
        '--wait',
        '--json',
      )
      assert.equal(status, 0, stderr)
      assert.deepEqual(
        JSON.parse(stdout).packets.map((packet: { address: string }) => packet.address),
        [at],
      )
    })

    it(`tells the ghost service behind ${at} port 80 from the silent one`, async () => {
      await allShut()
      const { status, stdout, stderr } = knock(
        '-D',
        at,
        ...KEYS,
        '-A',
        'tcp/22',
        '--nat-local',
        '--nat-port',
        '80',
        '--wait',
        '--json',
      )
      assert.equal(status, 0, stderr)
      assert.equal(JSON.parse(stdout).open.port, 80)
    })
  }

  it('knocks at every address of a name, each packet granted for itself', async () => {
    await allShut()
    const from = daemon.events.length
    const { status, stdout, stderr } = knock('-D', 'both.test', ...KEYS, '-A', 'tcp/22', '--wait', '--json')
    assert.equal(status, 0, stderr)
    const addresses = JSON.parse(stdout).packets.map((packet: { address: string }) => packet.address)
    assert.deepEqual(addresses.sort(), ['10.9.0.2', 'fd09::2'])
    const granted = (source: string) =>
      daemon.until((event) => event.verdict === 'granted' && event['source'] === source, from)
    await Promise.all(['10.9.0.1', 'fd09::1'].map(granted))
  })

  describe('knocks again', () => {
    const seconds = (json: { open: { milliseconds: number } }): number => Math.floor(json.open.milliseconds / 1000)
    const run = (command: string, ...argv: readonly string[]): Outcome =>
      client.run(ghostportCommand(command, '--no-rc-file', '-s', ...KEYS, ...argv))

    for (const [at, lost, more] of [
      ['10.9.0.2', 1, []],
      ['fd09::2', 1, []],
      ['10.9.0.2', 2, []],
      ['fd09::2', 3, []],
    ] as const)
      it(`at ${at} where ${lost} packets are lost`, async () => {
        await allShut()
        const from = daemon.events.length
        using _ = loseNext(client, lost)
        const { status, stdout, stderr } = knock('-D', at, ...KEYS, '-A', 'tcp/22', '--wait', '--json', ...more)
        assert.equal(status, 0, stderr)
        const said = JSON.parse(stdout)
        assert.equal(said.packets.length, lost + 1)
        assert.equal(seconds(said), [0, 1, 2, 4][lost])
        await daemon.until(({ verdict }) => verdict !== undefined, from)
        const verdicts = daemon.events.slice(from).flatMap(({ verdict }) => verdict ?? [])
        assert.deepEqual(verdicts, ['granted'])
      })

    it('for the same random public port', async () => {
      await allShut()
      using _ = loseNext(client, 1)
      const ghost = ['--nat-local', '--nat-rand-port'] as const
      const { status, stdout, stderr } = knock('-D', '10.9.0.2', ...KEYS, '-A', 'tcp/22', ...ghost, '--wait', '--json')
      assert.equal(status, 0, stderr + daemon.program.output)
      const said = JSON.parse(stdout)
      assert.equal(said.packets.length, 2)
      assert.deepEqual(said.request.ports, [`tcp/${said.open.port}`])
    })

    it('also as proxy, and says so with -v', async () => {
      await allShut()
      using _ = loseNext(client, 1)
      const { status, stdout, stderr } = run('proxy', '-v', '10.9.0.2', '22')
      assert.equal(status, 0, stderr)
      assert.match(stdout, /^ssh/)
      assert.match(stderr, /^knock 2: sent to 10\.9\.0\.2 port 62201\/udp: tcp\/22 /m)
    })

    it('not with --knocks 0, and not without --wait', async () => {
      for (const more of [['--wait', '--wait-limit', '1.5', '--knocks', '0'], []]) {
        await allShut()
        using _ = loseNext(client, 1)
        const { stdout } = knock('-D', '10.9.0.2', ...KEYS, '-A', 'tcp/22', '--json', ...more)
        assert.equal(JSON.parse(stdout).packets.length, 1)
        assert.equal(await client.tcp('10.9.0.2', 22, { timeoutMs: 150 }), 'timeout')
      }
    })

    it('and refreshes the grant where only the service is late', async () => {
      const from = daemon.events.length
      const argv = ['-D', '10.9.0.2', '-A', 'tcp/2222', '-f', '2', '--wait', '--json']
      const knocking = client.start(ghostportCommand('knock', '--no-rc-file', '-s', ...KEYS, ...argv))
      const granted = (after: number) => daemon.until(({ verdict }) => verdict === 'granted', after)
      const first = await granted(from)
      await granted(daemon.events.indexOf(first) + 1)
      await server.listen([{ protocol: 'tcp', port: 2222, banner: 'late' }])
      assert.equal(await knocking.end(), 0, knocking.output)
      assert.equal(JSON.parse(knocking.output).open.port, 2222)
      await client.until('timeout', { protocol: 'tcp', address: '10.9.0.2', port: 2222 })
      await server.unlisten('tcp', 2222)
    })
  })

  it('says that nothing answers where no packet opens anything', async () => {
    await allShut()
    const { status, stderr } = knock('-D', '10.9.0.2', ...WRONG, '-A', 'tcp/22', '--wait', '--wait-limit', '0.4')
    assert.equal(status, 1)
    assert.match(stderr, /10\.9\.0\.2 port 22 does not answer \(0\.4 s, \d+ attempts\) \[PORT_NOT_OPEN\]/)
    assert.match(stderr, /keys, the HMAC digest type or the encryption mode/)
    assert.match(stderr, /ghostport is not running on the server/)
    assert.match(stderr, /firewall has no mark rule/)
  })

  it('takes no credit for a port that is open already', async () => {
    await allShut()
    const granted = knock('-D', '10.9.0.2', ...KEYS, '-f', '8', '-A', 'tcp/22', '--wait')
    assert.match(granted.stdout, /^open after [0-9.]+ ms: 10\.9\.0\.2 port 22$/m)
    const { status, stdout } = knock('-D', '10.9.0.2', ...WRONG, '-A', 'tcp/22', '--wait')
    assert.equal(status, 0)
    assert.match(stdout, /^was open already: 10\.9\.0\.2 port 22;/m)
  })

  describe('names the cause that fits the answer', () => {
    const first = (stderr: string): string => stderr.match(/^ {2}- (.*)$/m)?.[1] ?? ''
    const tried = (at: string, limit: string): Outcome =>
      knock('-D', at, ...WRONG, '-A', 'tcp/22', '--wait', '--wait-limit', limit)
    before(allShut)

    for (const at of ['10.9.0.99', 'fd09::99'])
      it(`nobody at ${at}`, () => {
        const { status, stderr } = tried(at, '4.5')
        assert.equal(status, 1)
        assert.match(stderr, /port 22 is not reachable \(EHOSTUNREACH\)/)
        assert.match(first(stderr), /^No route, or nobody at that address/)
      })

    it('a firewall that answers “host prohibited” for a port that is shut', () => {
      const rule = ['INPUT', '-p', 'tcp', '--dport', '22', '-j', 'REJECT', '--reject-with', 'icmp-host-prohibited']
      // By default the kernel sends few of these answers to one host.
      server.must(['sysctl', '-q', 'net.ipv4.icmp_ratelimit=0'])
      server.must(['iptables', '-I', ...rule])
      const { stderr } = tried('10.9.0.2', '1')
      server.must(['iptables', '-D', ...rule])
      assert.match(stderr, /host prohibited/)
      assert.match(stderr, /keys, the HMAC digest type/, 'which leaves the usual causes')
    })

    for (const [kind, answer, cause] of [
      ['unreachable', /has no route from here \(ENETUNREACH\)/, /^No route: this host, or a router on the way/],
      ['prohibit', /may not be connected to from here \(EACCES\)/, /^This host does not let the connection to .* out/],
    ] as const)
      it(`a route that says ${kind}, for connections only`, () => {
        client.must(['ip', 'rule', 'add', 'ipproto', 'tcp', 'dport', '22', 'priority', '10', kind])
        const { status, stderr } = tried('10.9.0.2', '0.4')
        client.must(['ip', 'rule', 'del', 'priority', '10'])
        assert.equal(status, 1)
        assert.match(stderr, answer)
        assert.match(first(stderr), cause)
        assert.doesNotMatch(stderr, /HMAC digest type/, 'keys do not explain what never left')
      })

    it('one address without a route, and another that does not answer', () => {
      client.must(['ip', '-6', 'rule', 'add', 'ipproto', 'tcp', 'dport', '22', 'priority', '10', 'prohibit'])
      const { stderr } = tried('both.test', '0.4')
      client.must(['ip', '-6', 'rule', 'del', 'priority', '10'])
      assert.match(stderr, /10\.9\.0\.2 port 22 does not answer/)
      assert.match(stderr, /fd09::2 port 22 may not be connected to from here \(EACCES\)/)
      assert.match(stderr, /HMAC digest type/)
    })
  })

  it('says why a packet cannot leave', () => {
    const { status, stderr } = knock('-D', '192.0.2.1', ...KEYS, '-A', 'tcp/22')
    assert.equal(status, 69)
    assert.match(stderr, /no IPv4 route there \(ENETUNREACH\) \[SEND_FAILED\]/)
    client.must(['iptables', '-A', 'OUTPUT', '-p', 'udp', '-d', '10.9.0.2', '-j', 'DROP'])
    const blocked = knock('-D', '10.9.0.2', ...KEYS, '-A', 'tcp/22')
    client.must(['iptables', '-F', 'OUTPUT'])
    assert.equal(blocked.status, 69)
    assert.match(blocked.stderr, /own firewall does not let the packet out \(EPERM\)/)
  })
})
