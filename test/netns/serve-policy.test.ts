/**
 * access.conf with real packets. Each case has a stanza with its own keys, and each knock has its own ports. So a port
 * can only have been opened by this packet, through this stanza.
 *
 *   client 10.9.0.1 ──┐
 *                      ├ server 10.9.0.2 / 10.9.2.2 (10.9.1.1, 10.9.1.9) ── inner 10.9.1.2
 *   other  10.9.2.1 ──┘
 *
 * The server drops by default, but for “web” on 80, and accepts ghostport's mark.
 */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { Daemon, dropByDefault, ghostportCommand, type LogEvent } from '../support/daemon.ts'
import { type Host, Network, netnsUnavailable, type Reach } from '../support/netns.ts'

interface Knock {
  /** Default `client`. */
  readonly from?: 'client' | 'other'
  readonly argv: readonly string[]
  /** Why it is refused. Absent: it is granted. */
  readonly refused?: string
  /** What answers on the server's ports afterwards, to the client that knocked. */
  readonly reach: Readonly<Record<number, Reach>>
}
interface Case {
  readonly name: string
  /** The stanza, without its keys; `SOURCE ANY` unless it says otherwise. */
  readonly stanza: readonly string[]
  readonly knocks: readonly Knock[]
}

const cases: readonly Case[] = [
  {
    name: 'FORCE_NAT: what is asked for leads to its inner host, which sees the client',
    stanza: ['FORCE_NAT 10.9.1.2 8444'],
    knocks: [
      { argv: ['-s', '-A', 'tcp/5000'], reach: { 5000: 'inner sees 10.9.0.1', 8444: 'timeout' } },
      { from: 'other', argv: ['-s', '-A', 'tcp/5000'], reach: { 5000: 'inner sees 10.9.2.1' } },
    ],
  },
  {
    name: 'FORCE_NAT: also what is asked for at another inner host, or on the server itself',
    stanza: ['FORCE_NAT 10.9.1.2 8444', 'NAT_TARGETS local:22'],
    knocks: [
      { argv: ['-s', '-A', 'tcp/5001', '-N', '10.9.1.3:22'], reach: { 5001: 'inner sees 10.9.0.1' } },
      { argv: ['-s', '-A', 'tcp/22', '--nat-local', '--nat-port', '5002'], reach: { 5002: 'inner sees 10.9.0.1' } },
    ],
  },
  {
    name: 'FORCE_NAT 127.0.0.1: a ghost service, on a port where all others meet the web server',
    stanza: ['FORCE_NAT 127.0.0.1 22'],
    knocks: [{ argv: ['-s', '-A', 'tcp/80'], reach: { 80: 'ssh', 22: 'timeout' } }],
  },
  {
    name: 'FORCE_NAT to an address of the server’s own, where it was not written as one: refused',
    stanza: ['FORCE_NAT 10.9.1.1 22'],
    knocks: [{ argv: ['-s', '-A', 'tcp/5003'], refused: 'ACCESS_NAT_TARGET_INVALID', reach: { 5003: 'timeout' } }],
  },
  {
    name: 'FORCE_SNAT: the inner host sees that address',
    stanza: ['FORCE_NAT 10.9.1.2 8445', 'FORCE_SNAT 10.9.1.9'],
    knocks: [{ argv: ['-s', '-A', 'tcp/5004'], reach: { 5004: 'inner sees 10.9.1.9' } }],
  },
  {
    name: 'FORCE_MASQUERADE: the inner host sees the server',
    stanza: ['FORCE_NAT 10.9.1.2 8446', 'FORCE_MASQUERADE Y'],
    knocks: [{ argv: ['-s', '-A', 'tcp/5005'], reach: { 5005: 'inner sees 10.9.1.1' } }],
  },
  {
    name: 'DESTINATION: counts by where the packet was sent',
    stanza: ['DESTINATION 10.9.0.0/24'],
    knocks: [
      {
        from: 'other',
        argv: ['-s', '-A', 'tcp/5006'],
        refused: 'ACCESS_DESTINATION_DENIED',
        reach: { 5006: 'timeout' },
      },
      { argv: ['-s', '-A', 'tcp/5006'], reach: { 5006: 'service-5006' } },
    ],
  },
  {
    name: 'OPEN_PORTS: what it does not name is refused, also beside what it names',
    stanza: ['OPEN_PORTS tcp/5007, udp/5008'],
    knocks: [
      {
        argv: ['-s', '-A', 'tcp/5007,tcp/5008'],
        refused: 'ACCESS_PORT_DENIED',
        reach: { 5007: 'timeout', 5008: 'timeout' },
      },
      { argv: ['-s', '-A', 'tcp/5007'], reach: { 5007: 'service-5007', 5008: 'timeout' } },
    ],
  },
  {
    name: 'RESTRICT_PORTS: what it names is refused, also beside what it does not name',
    stanza: ['RESTRICT_PORTS tcp/22, udp/5009'],
    knocks: [
      {
        argv: ['-s', '-A', 'tcp/5009,tcp/22'],
        refused: 'ACCESS_PORT_DENIED',
        reach: { 22: 'timeout', 5009: 'timeout' },
      },
      { argv: ['-s', '-A', 'tcp/5009'], reach: { 5009: 'service-5009', 22: 'timeout' } },
    ],
  },
  {
    name: 'ACCESS_EXPIRE: a day that is past',
    stanza: ['ACCESS_EXPIRE 12/31/2020'],
    knocks: [{ argv: ['-s', '-A', 'tcp/5010'], refused: 'ACCESS_EXPIRED', reach: { 5010: 'timeout' } }],
  },
  {
    name: 'ACCESS_EXPIRE: a day to come',
    stanza: ['ACCESS_EXPIRE 12/31/2099'],
    knocks: [{ argv: ['-s', '-A', 'tcp/5011'], reach: { 5011: 'service-5011' } }],
  },
  {
    name: 'ACCESS_EXPIRE_EPOCH: a second that is past',
    stanza: ['ACCESS_EXPIRE_EPOCH 1600000000'],
    knocks: [{ argv: ['-s', '-A', 'tcp/5012'], refused: 'ACCESS_EXPIRED', reach: { 5012: 'timeout' } }],
  },
  {
    name: 'REQUIRE_USERNAME: nobody else, and not in other letters',
    stanza: ['REQUIRE_USERNAME ada'],
    knocks: [
      { argv: ['-s', '-A', 'tcp/5013', '-U', 'eve'], refused: 'ACCESS_USERNAME_DENIED', reach: { 5013: 'timeout' } },
      { argv: ['-s', '-A', 'tcp/5013', '-U', 'Ada'], refused: 'ACCESS_USERNAME_DENIED', reach: { 5013: 'timeout' } },
      { argv: ['-s', '-A', 'tcp/5013', '-U', 'ada'], reach: { 5013: 'service-5013' } },
    ],
  },
  {
    name: 'REQUIRE_SOURCE_ADDRESS: not for whatever address it comes from',
    stanza: ['REQUIRE_SOURCE_ADDRESS Y'],
    knocks: [
      { argv: ['-s', '-A', 'tcp/5014'], refused: 'ACCESS_SOURCE_REQUIRED', reach: { 5014: 'timeout' } },
      { argv: ['-a', '10.9.0.1', '-A', 'tcp/5014'], reach: { 5014: 'service-5014' } },
    ],
  },
  {
    name: 'REQUIRE_PACKET_SOURCE: for no other address than the one it comes from',
    stanza: ['REQUIRE_PACKET_SOURCE Y'],
    knocks: [
      { argv: ['-a', '10.9.2.1', '-A', 'tcp/5017'], refused: 'ACCESS_SOURCE_MISMATCH', reach: { 5017: 'timeout' } },
      { argv: ['-a', '10.9.0.1', '-A', 'tcp/5017'], reach: { 5017: 'service-5017' } },
      { from: 'other', argv: ['-s', '-A', 'tcp/5017'], reach: { 5017: 'service-5017' } },
    ],
  },
  {
    name: 'SOURCE: a network; from elsewhere its keys are nobody’s, whatever address is named',
    stanza: ['SOURCE 10.9.0.0/24, 192.0.2.0/24'],
    knocks: [
      { from: 'other', argv: ['-s', '-A', 'tcp/5015'], refused: 'SPA_HMAC_MISMATCH', reach: { 5015: 'timeout' } },
      {
        from: 'other',
        argv: ['-a', '10.9.0.1', '-A', 'tcp/5015'],
        refused: 'SPA_HMAC_MISMATCH',
        reach: { 5015: 'timeout' },
      },
      { argv: ['-s', '-A', 'tcp/5015'], reach: { 5015: 'service-5015' } },
    ],
  },
  {
    name: 'a clock that is behind or ahead by more than MAX_SPA_PACKET_AGE',
    stanza: [],
    knocks: [
      {
        argv: ['-s', '-A', 'tcp/5016', '--time-offset-minus', '180'],
        refused: 'SPA_STALE',
        reach: { 5016: 'timeout' },
      },
      {
        argv: ['-s', '-A', 'tcp/5016', '--time-offset-plus', '180'],
        refused: 'SPA_FROM_FUTURE',
        reach: { 5016: 'timeout' },
      },
      { argv: ['-s', '-A', 'tcp/5016', '--time-offset-minus', '60'], reach: { 5016: 'service-5016' } },
    ],
  },
]

describe('ghostport serve does what access.conf says', { skip: netnsUnavailable() }, () => {
  let net: Network
  let server: Host
  let daemon: Daemon
  const places = {} as Record<'client' | 'other', { host: Host; server: string }>

  before(async () => {
    net = await Network.create()
    server = await net.host('server')
    const inner = await net.host('inner')
    for (const [name, own, at] of [
      ['client', '10.9.0.1', '10.9.0.2'],
      ['other', '10.9.2.1', '10.9.2.2'],
    ] as const) {
      const host = await net.host(name)
      places[name] = { host, server: at }
      await net.link(host, [`${own}/24`], server, [`${at}/24`])
    }
    await net.link(server, ['10.9.1.1/24', '10.9.1.9/24'], inner, ['10.9.1.2/24'])
    inner.must(['ip', 'route', 'add', 'default', 'via', '10.9.1.1'])
    server.sysctl({ 'net.ipv4.ip_forward': 1 })
    dropByDefault(server)
    server.must(['nft', 'insert', 'rule', 'inet', 'filter', 'input', 'tcp', 'dport', '80', 'accept'])
    const services = Array.from({ length: 20 }, (_, i) => ({ port: 5000 + i, banner: `service-${5000 + i}` }))
    const named = [
      { port: 22, banner: 'ssh' },
      { port: 80, banner: 'web' },
    ]
    await server.listen([...named, ...services].map((it) => ({ protocol: 'tcp', ...it })))
    // One forward to an inner port for each client: another translation for it would have to wait for the end of the
    // first.
    await inner.listen([8444, 8445, 8446].map((port) => ({ protocol: 'tcp', port, banner: 'inner sees %peer' })))
    const access = cases.map(({ stanza }, i) => {
      const lines = stanza[0]?.startsWith('SOURCE ') ? stanza : ['SOURCE ANY', ...stanza]
      const own = [`KEY encryption-${i}`, `HMAC_KEY authentication-${i}`, 'FW_ACCESS_TIMEOUT 60']
      return [...lines, ...own, ''].join('\n')
    })
    daemon = await Daemon.start(net, server, {
      server: ['ENABLE_IPT_FORWARDING Y', 'ENABLE_IPT_LOCAL_NAT Y', 'MAX_SPA_PACKET_AGE 120', 'LOG_LIMIT 1000'],
      access: access.join('\n'),
    })
  })
  after(() => net?.close())

  /** What answers on these ports; repeats if an answer is expected. */
  const answers = async (
    from: 'client' | 'other',
    expected: Readonly<Record<number, Reach>>,
  ): Promise<Record<number, Reach>> => {
    const { host, server: at } = places[from]
    const probe = async ([port, answer]: [string, Reach]) => {
      const timeoutMs = answer === 'timeout' ? 250 : 2_000
      return [port, await host.tcp(at, Number(port), { timeoutMs })] as const
    }
    return Object.fromEntries(await Promise.all(Object.entries(expected).map(probe)))
  }
  const knock = (i: number, { from = 'client', argv }: Knock): Promise<LogEvent> =>
    daemon.verdictAfter(() => {
      const { host, server: at } = places[from]
      const secrets = ['--key-rijndael', `encryption-${i}`, '--key-hmac', `authentication-${i}`]
      host.must(ghostportCommand('knock', '--no-rc-file', '-D', at, ...secrets, ...argv))
    })
  /** Only a packet that no key opened has no stanza in the log. */
  const unopened = 'SPA_HMAC_MISMATCH'

  for (const [i, { name, knocks }] of cases.entries())
    it(name, async () => {
      for (const each of knocks) {
        const { from = 'client', refused, reach } = each
        const neighbour = from === 'client' ? 'other' : 'client'
        const closed = Object.fromEntries(Object.keys(reach).map((port) => [port, port === '80' ? 'web' : 'timeout']))
        const [here, elsewhere] = await Promise.all([answers(from, closed), answers(neighbour, closed)])
        assert.deepEqual(here, closed, 'before the knock')

        const verdict = await knock(i, each)
        assert.equal(verdict.verdict, refused === undefined ? 'granted' : 'refused', JSON.stringify(verdict))
        assert.equal(verdict.code, refused, JSON.stringify(verdict))
        if (refused !== unopened) assert.equal(verdict.stanza, i + 1)
        if (refused === 'SPA_STALE' || refused === 'SPA_FROM_FUTURE') {
          const { packet, server: ours } = verdict['clock'] as { packet: number; server: number }
          const apart = refused === 'SPA_STALE' ? ours - packet : packet - ours
          assert.ok(apart >= 175 && apart <= 185, JSON.stringify(verdict))
          assert.ok(Math.abs(ours - Date.now() / 1000) < 10, 'the clock of this host')
        }

        const [opened, untouched] = await Promise.all([answers(from, reach), answers(neighbour, elsewhere)])
        assert.deepEqual(opened, reach)
        assert.deepEqual(untouched, elsewhere, 'it is for nobody else')
      }
    })
})
