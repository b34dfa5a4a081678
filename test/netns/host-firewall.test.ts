/**
 * What ghostport reports of the host's own rules, as nft, iptables-nft and iptables-legacy write them: at the start, in
 * the status, in the configuration check and when they change. One server, one client.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { Daemon, dropByDefault, ghostportCommand, knock, stanza } from '../support/daemon.ts'
import { type Host, Network, netnsUnavailable } from '../support/netns.ts'

const skip = netnsUnavailable()
let net: Network
let server: Host
let client: Host
let daemon: Daemon

/** Built like ufw's rules: user rules two jumps below INPUT, and a default drop by policy. */
const ufwLike = (ufw: string, echo: string, mask: string): string => `*filter
:INPUT DROP [0:0]
:FORWARD DROP [0:0]
:${ufw}-before-input - [0:0]
:${ufw}-not-local - [0:0]
:${ufw}-user-input - [0:0]
:${ufw}-user-limit - [0:0]
-A INPUT -j ${ufw}-before-input
-A ${ufw}-before-input -i lo -j ACCEPT
-A ${ufw}-before-input -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A ${ufw}-before-input -m connmark --mark 0x200000/0x200000 -j ACCEPT
-A ${ufw}-before-input -m conntrack --ctstate INVALID -j DROP
-A ${ufw}-before-input ${echo} -j ACCEPT
-A ${ufw}-before-input -j ${ufw}-not-local
-A ${ufw}-before-input -j ${ufw}-user-input
-A ${ufw}-not-local -m addrtype --dst-type LOCAL -j RETURN
-A ${ufw}-not-local -m addrtype --dst-type MULTICAST -j RETURN
-A ${ufw}-not-local -m limit --limit 3/min --limit-burst 10 -j LOG --log-prefix "[UFW BLOCK] "
-A ${ufw}-not-local -j DROP
-A ${ufw}-user-input -p tcp -m tcp --dport 22 -j ACCEPT
-A ${ufw}-user-input -p tcp -m tcp --dport 2222 -m conntrack --ctstate NEW -m recent --update --seconds 30 --hitcount 6 --name DEFAULT --mask ${mask} --rsource -j ${ufw}-user-limit
-A ${ufw}-user-input -p tcp -m tcp --dport 2222 -j ACCEPT
-A ${ufw}-user-limit -j REJECT
COMMIT
`

interface Warning {
  readonly code: string
  readonly level: string
  readonly text: string
  readonly cure?: string
}

if (skip === false) {
  before(async () => {
    net = await Network.create()
    server = await net.host('server')
    client = await net.host('client')
    await net.link(client, ['10.9.0.2/24', 'fd09::2/64'], server, ['10.9.0.1/24', 'fd09::1/64'])
    await server.listen([{ protocol: 'tcp', port: 22, banner: 'ssh' }])
    dropByDefault(server)
    daemon = await Daemon.start(net, server, { access: stanza(['OPEN_PORTS tcp/22, tcp/2222']) })
  })
  after(() => net.close())
}

const words = (): string[] => ['serve', '-c', daemon.path('fwknopd.conf'), '-a', daemon.path('access.conf')]
const nft = (...argv: string[]): string => server.must(['nft', ...argv])

/**
 * Changes the host's rules. They are not read again within a second after a look, so the status is repeated until it is
 * as wanted.
 */
async function warningsUntil(are: (codes: readonly string[]) => boolean): Promise<readonly Warning[]> {
  const deadline = performance.now() + 20_000
  for (;;) {
    const found = daemon.status()['warnings'] as readonly Warning[]
    if (are(found.map(({ code }) => code))) return found
    assert.ok(performance.now() < deadline, JSON.stringify(found))
    await delay(100)
  }
}

describe('the host’s own rules', { skip }, () => {
  it('are good: nothing is said', async () => {
    assert.deepEqual(await warningsUntil((codes) => codes.length === 0), [])
    assert.deepEqual(
      daemon.events.filter(({ event }) => event.startsWith('host firewall')),
      [],
    )
    const check = server.run(ghostportCommand(...words(), '--exit-parse-config'))
    assert.equal(check.status, 0)
    assert.doesNotMatch(check.stderr, /HOST_/)
  })

  it('lose the rule for the mark, and get it back: the log, the status and the check say so', async () => {
    const listing = nft('-a', 'list', 'chain', 'inet', 'filter', 'input')
    const handle = /ct mark .*# handle (\d+)/.exec(listing)?.[1] ?? ''
    const from = daemon.events.length
    nft('delete', 'rule', 'inet', 'filter', 'input', 'handle', handle)
    const lost = await daemon.until(({ event }) => event === 'host firewall', from)
    assert.deepEqual([lost.code, lost.level], ['HOST_DROPS_MARK', 'warning'])
    const [warning] = await warningsUntil((codes) => codes.length === 1)
    assert.equal(warning?.code, 'HOST_DROPS_MARK')
    const socket = daemon.path('state/control.sock')
    assert.match(
      server.must(ghostportCommand('status', '-s', socket)),
      /warning: inet filter input drops.*\n {4}do: nft /,
    )
    const check = server.run(ghostportCommand(...words(), '--exit-parse-config'))
    assert.equal(check.status, 0)
    assert.match(check.stderr, /warning: inet filter input drops .* \[HOST_DROPS_MARK\]/)

    const before = daemon.events.length
    server.must((warning?.cure ?? '').split(' '))
    const mended = await daemon.until(({ event }) => event === 'host firewall mended', before)
    assert.equal(mended['text'], lost['text'])
    await warningsUntil((codes) => codes.length === 0)
  })

  it('let no neighbour discovery in: the line to add is said, and does it', async () => {
    const rule = /icmp.*# handle (\d+)/.exec(nft('-a', 'list', 'chain', 'inet', 'filter', 'input'))?.[1] ?? ''
    nft('delete', 'rule', 'inet', 'filter', 'input', 'handle', rule)
    const [warning] = await warningsUntil((codes) => codes.includes('HOST_DROPS_NEIGHBOURS'))
    server.must((warning?.cure ?? '').split(' '))
    await warningsUntil((codes) => codes.length === 0)
  })

  it('let everybody in', async () => {
    nft('add', 'rule', 'inet', 'filter', 'input', 'tcp', 'dport', '{', '22,', '80', '}', 'accept')
    const [warning] = await warningsUntil((codes) => codes.length > 0)
    assert.equal(warning?.code, 'HOST_OPEN_PORT')
    assert.match(
      warning?.text ?? '',
      /^tcp\/22 is open to everybody.*“inet filter input: tcp dport \{ 22, 80 \} accept”$/,
    )
  })

  for (const target of [['CT', '--notrack'], ['NOTRACK']])
    it(`take the port from connection tracking by iptables-nft, ${target.join(' ')}`, async () => {
      const rule = ['-t', 'raw', '-A', 'PREROUTING', '-p', 'tcp', '--dport', '22', '-j', ...target]
      server.must(['iptables-nft', ...rule])
      const [warning] = await warningsUntil((codes) => codes.includes('HOST_NOTRACK'))
      assert.match(warning?.text ?? '', /^“ip raw PREROUTING: .*notrack” keeps tcp\/22 from connection tracking/)
      const shut = await daemon.verdictAfter(() => knock(client, '10.9.0.1', '-s', '-A', 'tcp/22'))
      assert.deepEqual([shut.verdict, shut.level, shut['shutBy']], ['granted', 'warning', 'HOST_NOTRACK'])
      const other = await daemon.verdictAfter(() => knock(client, 'fd09::1', '-s', '-A', 'tcp/22'))
      assert.deepEqual([other.verdict, other.level, other['shutBy']], ['granted', 'info', undefined])
      server.must(['iptables-nft', '-t', 'raw', '-F', 'PREROUTING'])
      await warningsUntil((codes) => !codes.includes('HOST_NOTRACK'))
    })

  for (const [what, mark, command] of [
    ['nftables', 'table inet filter', ['nft', '-f', '-']],
    ['iptables', 'iptables -A', ['sh', '-e']],
  ] as const)
    it(`are those that docs/OPERATING.md shows for ${what}: nothing is left to say, and a knock opens`, async () => {
      const text = readFileSync(new URL('../../docs/OPERATING.md', import.meta.url), 'utf8')
      const block = text.split('```').find((one) => one.startsWith(`\n${mark}`)) ?? ''
      assert.match(block, /ct mark|connmark/)
      server.must(['nft', 'flush', 'ruleset'])
      await delay(100) // our table is put back before a knock needs it
      server.must(command, { input: block })
      await warningsUntil((codes) => codes.length === 0)
      for (const address of ['10.9.0.1', 'fd09::1']) {
        await daemon.verdictAfter(() => knock(client, address, '-s', '-A', 'tcp/22'))
        assert.equal(await client.tcp(address, 22), 'ssh')
      }
    })

  it('are ufw’s: its allow is found below its jumps, its limit is not judged', async () => {
    nft('flush', 'ruleset')
    server.must(['iptables-nft-restore'], {
      input: ufwLike('ufw', '-p icmp -m icmp --icmp-type 8', '255.255.255.255'),
    })
    server.must(['ip6tables-nft-restore'], {
      input: ufwLike('ufw6', '-p ipv6-icmp', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'),
    })
    const found = await warningsUntil((codes) => codes.length === 4)
    assert.deepEqual(
      found.map(({ code, text }) => `${code} ${/“ip.*”/.exec(text)?.[0]}`),
      [
        'HOST_OPEN_PORT “ip filter ufw-user-input: tcp dport 22 accept”',
        'HOST_OPEN_PORT “ip6 filter ufw6-user-input: tcp dport 22 accept”',
        'HOST_NOT_JUDGED “ip filter ufw-user-limit: reject”',
        'HOST_NOT_JUDGED “ip6 filter ufw6-user-limit: reject”',
      ],
    )
  })

  it('are iptables-legacy’s: they are judged, and no table of its appears by looking', async () => {
    const names = (): string => server.must(['sh', '-c', 'cat /proc/net/ip_tables_names 2>/dev/null || true']).trim()
    assert.equal(names(), '')
    server.must([
      'iptables-legacy',
      '-t',
      'raw',
      '-A',
      'PREROUTING',
      '-p',
      'tcp',
      '--dport',
      '22',
      '-j',
      'CT',
      '--notrack',
    ])
    const [warning] = await warningsUntil((codes) => codes.includes('HOST_NOTRACK'))
    assert.match(warning?.text ?? '', /^“iptables-legacy -t raw: -A PREROUTING .*--notrack” keeps tcp\/22/)
    assert.equal(names(), 'raw')
  })
})
