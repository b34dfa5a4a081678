/**
 * The same knock of the real client, on the real fwknopd and on `ghostport serve` with FIREWALL iptables: the same
 * doors open, and the same rules are made, unless docs/FROM-FWKNOP.md says what is different.
 *
 *   client 10.9.0.1 ── 10.9.0.2 server 10.9.1.1 ── 10.9.1.2 inner: tcp/22, tcp/23
 */

import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { Daemon } from '../support/daemon.ts'
import { some } from '../support/in-full.ts'
import { forgetIptables } from '../support/iptables-host.ts'
import { type Host, Network, netnsUnavailable } from '../support/netns.ts'
import { startFwknopd } from './client-fwknopd.ts'

const SERVER = '10.9.0.2'
const INNER = '10.9.1.2'
const KEYS = ['--key-rijndael', 'encryption', '--key-hmac', 'authentication']

/** Where a connection goes, and what answers. Two answers: of fwknopd, and of ghostport. */
type Probe = readonly [to: string, port: number, answer: string | readonly [fwknopd: string, ghostport: string]]

interface Case {
  readonly name: string
  readonly server?: readonly string[]
  readonly stanza?: readonly (readonly [name: string, value: string])[]
  readonly argv: readonly string[]
  readonly probes: readonly Probe[]
  /** What ghostport does not make as fwknopd does, on purpose. */
  readonly otherRules?: true
}

const FORCED = ['FORCE_NAT', `${INNER} 22`] as const
const SHUT = 'refused'
const cases: readonly Case[] = [
  {
    name: 'two ports',
    argv: ['-A', 'tcp/22,tcp/25'],
    probes: [
      [SERVER, 22, 'ssh'],
      [SERVER, 25, 'mail'],
      [SERVER, 80, SHUT],
    ],
  },
  {
    name: 'ENABLE_IPT_OUTPUT',
    server: ['ENABLE_IPT_OUTPUT Y'],
    argv: ['-A', 'tcp/22'],
    probes: [[SERVER, 22, 'ssh']],
  },
  {
    name: 'a ghost service: ghostport leaves the port of the service shut',
    argv: ['-A', 'tcp/22', '--nat-local', '--nat-port', '80'],
    probes: [
      [SERVER, 80, 'ssh'],
      [SERVER, 22, ['ssh', SHUT]],
    ],
  },
  {
    name: 'local NAT without another port',
    argv: ['-A', 'tcp/22', '--nat-local'],
    probes: [[SERVER, 22, 'ssh']],
    otherRules: true,
  },
  {
    name: 'an inner host',
    argv: ['-A', 'tcp/55000', '-N', `${INNER}:22`],
    probes: [
      [SERVER, 55_000, 'inner 22 for 10.9.0.1'],
      [INNER, 22, ['inner 22 for 10.9.0.1', SHUT]],
      [INNER, 23, SHUT],
    ],
  },
  {
    name: 'an inner host, by --nat-port',
    argv: ['-A', 'tcp/22', '-N', INNER, '--nat-port', '55000'],
    probes: [[SERVER, 55_000, 'inner 22 for 10.9.0.1']],
  },
  {
    name: 'ENABLE_IPT_SNAT',
    server: ['ENABLE_IPT_SNAT Y'],
    argv: ['-A', 'tcp/55000', '-N', `${INNER}:22`],
    probes: [[SERVER, 55_000, 'inner 22 for 10.9.1.1']],
  },
  {
    name: 'SNAT_TRANSLATE_IP',
    server: ['ENABLE_IPT_SNAT Y', 'SNAT_TRANSLATE_IP 10.9.1.1'],
    argv: ['-A', 'tcp/55000', '-N', `${INNER}:22`],
    probes: [[SERVER, 55_000, 'inner 22 for 10.9.1.1']],
  },
  {
    name: 'FORCE_NAT',
    stanza: [FORCED],
    argv: ['-A', 'tcp/55000'],
    probes: [[SERVER, 55_000, 'inner 22 for 10.9.0.1']],
  },
  {
    name: 'FORCE_NAT to this host: fwknopd makes no INPUT rule',
    stanza: [['FORCE_NAT', '127.0.0.1 22']],
    argv: ['-A', 'tcp/80'],
    probes: [[SERVER, 80, ['no ssh', 'ssh']]],
    otherRules: true,
  },
  {
    name: 'FORCE_SNAT',
    server: ['ENABLE_IPT_SNAT Y'],
    stanza: [FORCED, ['FORCE_SNAT', '10.9.1.1']],
    argv: ['-A', 'tcp/55000'],
    probes: [[SERVER, 55_000, 'inner 22 for 10.9.1.1']],
  },
  {
    name: 'FORCE_MASQUERADE',
    server: ['ENABLE_IPT_SNAT Y'],
    stanza: [FORCED, ['FORCE_MASQUERADE', 'Y']],
    argv: ['-A', 'tcp/55000'],
    probes: [[SERVER, 55_000, 'inner 22 for 10.9.1.1']],
  },
  {
    name: 'FORCE_NAT with DISABLE_DNAT',
    stanza: [FORCED, ['DISABLE_DNAT', 'Y']],
    argv: ['-A', 'tcp/55000'],
    probes: [
      [INNER, 22, 'inner 22 for 10.9.0.1'],
      [INNER, 23, SHUT],
      [SERVER, 55_000, SHUT],
    ],
  },
  {
    name: 'FORWARD_ALL, FORCE_MASQUERADE and DISABLE_DNAT: the SPA gateway',
    server: ['ENABLE_IPT_SNAT Y'],
    stanza: [
      ['FORWARD_ALL', 'Y'],
      ['FORCE_MASQUERADE', 'Y'],
      ['DISABLE_DNAT', 'Y'],
    ],
    argv: ['-A', 'tcp/22'],
    probes: [
      [INNER, 22, 'inner 22 for 10.9.1.1'],
      [INNER, 23, 'inner 23 for 10.9.1.1'],
      [SERVER, 22, SHUT],
    ],
  },
  {
    name: 'FORWARD_ALL and FORCE_SNAT: fwknopd redirects all to 0.0.0.0',
    server: ['ENABLE_IPT_SNAT Y'],
    stanza: [
      ['FORWARD_ALL', 'Y'],
      ['FORCE_SNAT', '10.9.1.1'],
    ],
    argv: ['-A', 'tcp/22'],
    probes: [[INNER, 23, ['nothing', 'inner 23 for 10.9.1.1']]],
    otherRules: true,
  },
  {
    name: 'FORCE_NAT and FORWARD_ALL: every port leads to the inner host',
    stanza: [FORCED, ['FORWARD_ALL', 'Y']],
    argv: ['-A', 'tcp/55000'],
    probes: [
      [SERVER, 22, 'inner 22 for 10.9.0.1'],
      [SERVER, 23, 'inner 23 for 10.9.0.1'],
    ],
    otherRules: true,
  },
]

/** `FWKNOP_FORWARD tcp 22 ACCEPT`: what both kinds of rules have. Ghostport's have more matches, and an end. */
function rulesIn(saved: string): readonly string[] {
  return saved
    .split('\n')
    .flatMap((line) => {
      const [, chain = '', words = ''] = /^-A (FWKNOP_\w+) (.*)$/.exec(line) ?? []
      if (chain === '') return []
      const value = (option: string): string => new RegExp(`(?:^| )${option} (\\S+)`).exec(words)?.[1] ?? '*'
      const to = /:(\d+)$/.exec(value('--to-destination'))?.[1] ?? ''
      const end = /_exp_\d{10}/.test(words) ? 'ends' : 'endless'
      return [[chain, value('-p'), value('--[ds]port'), value('-j'), to, value('--to-source'), end].join(' ')]
    })
    .sort()
}

/** The rules of fwknopd are made one after the other, on a busy machine slowly: resolves when no more are made. */
async function settled(saved: () => string): Promise<void> {
  const deadline = performance.now() + 10_000
  for (let [before, since] = [saved(), performance.now()]; performance.now() < since + 500; ) {
    assert.ok(performance.now() < deadline, 'rules are made without end')
    await delay(50)
    const now = saved()
    if (now !== before) [before, since] = [now, performance.now()]
  }
}

describe('the doors of fwknopd and of FIREWALL iptables', { skip: netnsUnavailable() }, () => {
  let net: Network
  let client: Host
  let server: Host
  let home: string

  before(async () => {
    net = await Network.create()
    const [one, two, inner] = [await net.host('client'), await net.host('server'), await net.host('inner')]
    ;[client, server] = [one, two]
    home = net.directory()
    await net.link(client, ['10.9.0.1/24'], server, [`${SERVER}/24`])
    await net.link(server, ['10.9.1.1/24'], inner, [`${INNER}/24`])
    client.must(['ip', 'route', 'add', 'default', 'via', SERVER])
    inner.must(['ip', 'route', 'add', 'default', 'via', '10.9.1.1'])
    server.sysctl({ 'net.ipv4.ip_forward': 1 })
    inner.sysctl({ 'net.ipv4.tcp_max_tw_buckets': 0 })
    await inner.listen([22, 23].map((port) => ({ protocol: 'tcp', port, banner: `inner ${port} for %peer` })))
    await server.listen([
      { protocol: 'tcp', port: 22, banner: 'ssh' },
      { protocol: 'tcp', port: 25, banner: 'mail' },
      { protocol: 'tcp', port: 80, banner: 'web' },
    ])
  })
  after(() => net?.close())

  const knock = (argv: readonly string[]): void => {
    client.must(['fwknop', '--no-rc-file', '-D', SERVER, '-s', ...KEYS, ...argv], { env: { HOME: home } })
  }
  const stanzaOf = ({ stanza = [] }: Case): readonly (readonly [string, string])[] => [
    ['SOURCE', 'ANY'],
    ['KEY', 'encryption'],
    ['HMAC_KEY', 'authentication'],
    ['FW_ACCESS_TIMEOUT', '60'],
    ...stanza,
  ]

  /**
   * The masquerading rule of fwknopd gives each connection the same source port. The server may still track one with
   * this port, which ended: then the new one has no port, and is dropped. So the server forgets what it tracks first.
   */
  async function reach(to: string, port: number, expected: string | readonly string[]): Promise<string> {
    const isOpen = typeof expected === 'string' && expected.startsWith('inner')
    for (let attempt = 1; ; attempt++) {
      const answer = await client.tcp(to, port, { timeoutMs: isOpen ? 2500 : 500 })
      if (!isOpen || answer !== 'timeout' || attempt === 3) return answer
    }
  }

  /** What each probe finds, once the knock has made a rule; and the rules. */
  async function found(each: Case): Promise<{ answers: readonly string[]; rules: readonly string[] }> {
    knock(each.argv)
    const saved = (): string => server.must(['iptables-save'])
    const deadline = performance.now() + 5_000
    while (!saved().includes('_exp_')) {
      assert.ok(performance.now() < deadline, 'no rule was made')
      await delay(20)
    }
    await settled(saved)
    const answers: string[] = []
    for (const [to, port, expected] of each.probes) {
      server.must(['conntrack', '-F'])
      answers.push(await reach(to, port, expected))
    }
    return { answers, rules: rulesIn(saved()) }
  }

  for (const each of some(cases, 2))
    it(each.name, async () => {
      const { server: lines = [] } = each
      forgetIptables(server)
      const fwknopd = await startFwknopd(net, server, [stanzaOf(each)], net.directory(), undefined, lines)
      const theirs = await found(each)
      await fwknopd.stop('SIGKILL')
      forgetIptables(server)
      dropAsFwknopdsHost()
      const daemon = await Daemon.start(net, server, {
        server: ['FIREWALL iptables', 'ENABLE_IPT_FORWARDING Y', 'ENABLE_IPT_LOCAL_NAT Y', ...lines],
        access: stanzaOf(each)
          .map(([name, value]) => `${name} ${value}\n`)
          .join(''),
      })
      const ours = await found(each)
      await daemon.stop('SIGKILL')
      for (const [i, [to, port, answer]] of each.probes.entries()) {
        const [fwknopds, ghostports] = typeof answer === 'string' ? [answer, answer] : answer
        const [of, by] = [theirs.answers[i], ours.answers[i]]
        assert.equal(by, ghostports, `ghostport: ${to} ${port}`)
        if (fwknopds === 'no ssh' || fwknopds === 'nothing') assert.notEqual(of, ghostports, `fwknopd: ${to} ${port}`)
        else assert.equal(of, fwknopds, `fwknopd: ${to} ${port}`)
      }
      if (!each.otherRules) assert.deepEqual(ours.rules, theirs.rules)
    })

  function dropAsFwknopdsHost(): void {
    for (const chain of ['INPUT', 'FORWARD']) {
      server.must(['iptables', '-A', chain, '-m', 'conntrack', '--ctstate', 'ESTABLISHED,RELATED', '-j', 'ACCEPT'])
      server.must(['iptables', '-A', chain, '-p', 'tcp', '-j', 'REJECT', '--reject-with', 'tcp-reset'])
      server.must(['iptables', '-P', chain, 'DROP'])
    }
  }
})
