/**
 * What a grant let in ends at once, for both ends: to the host itself, to a ghost, to an inner host with each kind of
 * translation, through the host, and by UDP. Topology in `../support/firewall-lab.ts`.
 */
import assert from 'node:assert/strict'
import { constants } from 'node:os'
import { afterEach, describe, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { Opening } from '../../src/access/grant.ts'
import { type CoexistenceMode, DEFAULT_MARK } from '../../src/config/server/firewall-settings.ts'
import { endConnections, endWhatBegan, trackedConnections } from '../../src/firewall/connections/end-connections.ts'
import { UDP } from '../../src/firewall/connections/tracked.ts'
import type { KernelFirewall } from '../../src/firewall/firewall.ts'
import { hostRules } from '../../src/firewall/host/host-rules.ts'
import { createIptablesFirewall } from '../../src/firewall/iptables/iptables.ts'
import { createNftablesFirewall } from '../../src/firewall/nftables/nftables.ts'
import { parseNetwork } from '../../src/packet/address.ts'
import type { ProtocolPort } from '../../src/packet/message.ts'
import { ok } from '../../src/result.ts'
import { port } from '../../src/units.ts'
import { granted, grantFor } from '../contract/firewall.ts'
import { labForContracts } from '../support/contract-lab.ts'
import { addresses, families } from '../support/firewall-lab.ts'
import { dropByIptables, forgetIptables } from '../support/iptables-host.ts'
import { type Host, netnsUnavailable } from '../support/netns.ts'

const skip = netnsUnavailable()
const lab = labForContracts(skip)

let firewall: KernelFirewall | undefined
afterEach(async () => {
  await firewall?.close()
})

async function withNftables(mode: 'mark' | 'gate'): Promise<KernelFirewall> {
  const { server } = lab()
  server.must(['nft', 'flush', 'ruleset'])
  if (mode === 'mark') {
    server.must(['nft', '-f', '-'], {
      input: `table inet filter {
        chain input { type filter hook input priority filter; policy drop; ct state established,related accept; iif lo accept; meta l4proto icmpv6 accept; }
        chain forward { type filter hook forward priority filter; policy drop; ct state established,related accept; meta l4proto icmpv6 accept; }
      }`,
    })
    const chains = (['input', 'forward'] as const).map((chain) => ({ family: 'inet', table: 'filter', chain }) as const)
    for (const { lines } of hostRules({ kind: 'nft', chains }, DEFAULT_MARK))
      for (const line of lines) server.must(line.split(' '))
  }
  return await started(() => nextNftables(mode))
}

function nextNftables(mode: 'mark' | 'gate'): KernelFirewall {
  const [ssh, ...more] = ([22, 25, 80, 443] as const).map((at): ProtocolPort => ({ protocol: 'tcp', port: port(at) }))
  assert.ok(ssh)
  const udp = ([5353, 5354, 5355, 5356] as const).map((at): ProtocolPort => ({ protocol: 'udp', port: port(at) }))
  const gate: CoexistenceMode = { kind: 'gate', protectedPorts: [ssh, ...more, ...udp] }
  const made = createNftablesFirewall({ mode: mode === 'mark' ? { kind: 'mark' } : gate })
  assert.ok(made.ok)
  return made.value
}

async function withIptables(variant: 'nft' | 'legacy'): Promise<KernelFirewall> {
  forgetIptables(lab().server)
  dropByIptables(lab().server, variant)
  return await started(() => createIptablesFirewall({ program: `iptables-${variant}` }))
}

/** Makes a firewall as a process that starts. It takes over what the one before left. */
async function started(next: () => KernelFirewall): Promise<KernelFirewall> {
  await firewall?.close()
  firewall = next()
  assert.deepEqual(await firewall.install(), { ok: true, value: undefined })
  return firewall
}

/** What another program may do to our rules. Without the gate, clients of its ports would be let in meanwhile. */
const inTheGate = () =>
  ['chain inet ghostport held', 'set inet ghostport held4', 'set inet ghostport held6'].map((one) => `nft flush ${one}`)
const inTheChains = (variant: 'nft' | 'legacy') => (family: 4 | 6) =>
  ['OUTPUT', 'FORWARD'].map((chain) => `ip${family === 4 ? '' : '6'}tables-${variant} -F FWKNOP_${chain}`)

const firewalls = [
  [
    'nftables, mark mode',
    () => withNftables('mark'),
    () => nextNftables('mark'),
    () => ['nft delete table inet ghostport'],
  ],
  ['nftables, gate mode', () => withNftables('gate'), () => nextNftables('gate'), inTheGate],
  [
    'iptables-nft',
    () => withIptables('nft'),
    () => createIptablesFirewall({ program: 'iptables-nft' }),
    inTheChains('nft'),
  ],
  [
    'iptables-legacy',
    () => withIptables('legacy'),
    () => createIptablesFirewall({ program: 'iptables-legacy' }),
    inTheChains('legacy'),
  ],
] as const

for (const [name, make, next, removals] of firewalls) {
  describe(name, { skip }, () => {
    for (const family of families) {
      const at = addresses[family]
      const target = { address: at.inner, port: port(8443) }
      const ways: readonly (readonly [string, Opening, string, number])[] = [
        ['access', { kind: 'access', protocol: 'tcp', port: port(22) }, at.forC1, 22],
        ['ghost', { kind: 'ghost', protocol: 'tcp', publicPort: port(80), localPort: port(22) }, at.forC1, 80],
        ...(['none', 'masquerade', { snat: at.near as never }] as const).map(
          (translation): readonly [string, Opening, string, number] => [
            `forward, ${typeof translation === 'string' ? translation : 'snat'}`,
            { kind: 'forward', protocol: 'tcp', publicPort: port(443), target, translation },
            at.forC1,
            443,
          ],
        ),
        ['transit', transitTo(family), at.inner, 8443],
        ['divert', { kind: 'divert', target: at.inner, translation: 'none' }, at.forC1, 8443],
      ]
      test(`IPv${family}`, async () => {
        const { c1, c2, server, inner } = lab()
        const firewall = await make()
        const { c1: one, c2: two, forC2 } = addresses[family]
        await granted({ firewall }, grantFor(two, [{ kind: 'access', protocol: 'tcp', port: port(22) }]))
        const theirs = await c2.connect(forC2, 22)
        for (const [way, opening, to, at] of ways) {
          const grant = grantFor(one, [opening])
          await granted({ firewall }, grant)
          const session = await c1.connect(to, at)
          assert.equal(await session.echoes(), true, way)
          await firewall.revoke([grant.id])
          const begun = performance.now()
          const ended = await firewall.endConnections({ by: [{ grant }] })
          assert.deepEqual(ended, { ok: true, value: { connections: 1, shared: 0, sharedWith: [] } }, way)
          assert.notEqual(await session.ended(1_000), undefined, `${way}: the client knows of the end`)
          const took = performance.now() - begun
          assert.ok(took < 1_000, `${way}: ${took} ms`)
          const isHere = opening.kind === 'access' || opening.kind === 'ghost'
          const peer = family === 4 ? one : `[${one}]`
          const filter = isHere ? ['dst', peer, 'and', 'sport', '=', ':22'] : ['sport', '=', ':8443']
          const left = (isHere ? server : inner).must(['ss', '-Htn', 'state', 'established', ...filter])
          assert.equal(left, '', `${way}: the service knows of the end`)
          assert.equal(await theirs.echoes(), true, way)
        }
        await theirs.close()
      })

      test(`IPv${family}, UDP: flows end, although their services and their client go on`, async () => {
        const { c1, server, inner } = lab()
        let firewall = await make()
        const { c1: one, forC1 } = addresses[family]
        letOut(server, at.inner)
        // What an earlier test left.
        assert.ok(endWhatBegan(({ protocol }) => protocol === UDP).ok)
        const services = [
          server.start([process.execPath, '-e', ANSWERS_LATE, `${family}`, '5353']),
          server.start([process.execPath, '-e', SENDS_BY_ITSELF, `${family}`, '5354']),
          inner.start([process.execPath, '-e', SENDS_BY_ITSELF, `${family}`, '8444']),
          // It sends first, as a VPN does after its client was silent for minutes.
          server.start([process.execPath, '-e', SENDS_BY_ITSELF, `${family}`, '5356', one, '40356']),
        ]
        const asker = c1.start([process.execPath, '-e', ASKS, `${family}`, forC1, '5353', '5354', '5355', '5356'])
        const openings: readonly Opening[] = [
          { kind: 'access', protocol: 'udp', port: port(5353) },
          { kind: 'access', protocol: 'udp', port: port(5354) },
          { kind: 'access', protocol: 'udp', port: port(5356) },
          {
            ...{ kind: 'forward', protocol: 'udp', publicPort: port(5355), translation: 'none' },
            target: { address: at.inner, port: port(8444) },
          },
        ]
        try {
          await asker.says(/5356\n/)
          const grant = grantFor(one, openings)
          await granted({ firewall }, grant)
          for (const known of [5353, 5354, 5355, 5356]) await asker.says(new RegExp(`${known}\n`))
          await firewall.revoke([grant.id])
          const ended = await firewall.endConnections({ by: [{ grant }] })
          assert.deepEqual(ended, { ok: true, value: { connections: 4, shared: 0, sharedWith: [] } })
          // What was sent before the end may be on its way.
          await delay(200)
          const heard = () => [asker, ...services].map(({ output }) => output.length)
          const before = heard()
          await delay(500)
          assert.deepEqual(heard(), before, 'nothing passes, in either direction')
          firewall = await started(next)
          await delay(300)
          assert.deepEqual(heard(), before, 'nor with the next process')
          // Another program removes our rules. Until they are back, services and client go on.
          for (const command of removals(family)) server.must(command.split(' '))
          await delay(200)
          assert.notDeepEqual(heard(), before)
          assert.ok(firewall.watch({ onMended: () => {} }).ok)
          await firewall.isInPlace()
          await delay(300)
          const mended = heard()
          await delay(300)
          assert.deepEqual(heard(), mended, 'nor after a repair')
          // The same client, from the same ports.
          const again = grantFor(one, openings, 1)
          await granted({ firewall }, again)
          const begun = performance.now()
          const from = asker.output.length
          for (const known of [5353, 5354, 5355, 5356]) {
            const isBack = () => asker.output.slice(from).includes(`${known}\n`)
            while (!isBack() && performance.now() - begun < 2_000) await delay(5)
            assert.ok(isBack(), `${known} answers again`)
          }
          await delay(Math.max(0, 2_100 - (performance.now() - begun)))
          const late = asker.output.length
          await delay(300)
          for (const known of [5353, 5354, 5355, 5356])
            assert.ok(asker.output.slice(late).includes(`${known}\n`), `${known} answers after the end of the grant`)
          assert.ok((await firewall.endConnections({ by: [{ grant: again }] })).ok)
        } finally {
          await Promise.all([asker, ...services].map((program) => program.stop('SIGKILL')))
        }
        assert.deepEqual(await firewall.uninstall(), { ok: true, value: undefined })
        const left = ['nft list ruleset', 'iptables-legacy-save', 'ip6tables-legacy-save'].map((one) =>
          server.must(one.split(' ')),
        )
        assert.doesNotMatch(left.join(''), /5353/)
      })
    }
  })
}

describe('a forwarded connection whose ends ignore resets', { skip }, () => {
  for (const [name, make, family] of [
    ['nftables', () => withNftables('mark'), 4],
    ['nftables', () => withNftables('mark'), 6],
    ['iptables-nft', () => withIptables('nft'), 4],
    ['iptables-legacy', () => withIptables('legacy'), 6],
  ] as const)
    test(`is not passed on any more: ${name}, IPv${family}`, async () => {
      const { c1, server, inner } = lab()
      const { c1: one, inner: at } = addresses[family]
      forgetIptables(server)
      const firewall = await make()
      letOut(server, at)
      for (const end of [c1, inner]) end.must(['nft', '-f', '-'], { input: IGNORE_RESETS })
      const service = inner.start([process.execPath, '-e', TALKS, '8445'])
      const grant = grantFor(one, [transitTo(family)])
      await granted({ firewall }, grant)
      const client = c1.start([process.execPath, '-e', TALKS, '8445', at])
      try {
        await client.says(/heard\n/)
        await service.says(/heard\n/)
        await firewall.revoke([grant.id])
        const ended = await firewall.endConnections({ by: [{ grant }] })
        assert.deepEqual(ended, { ok: true, value: { connections: 1, shared: 0, sharedWith: [] } })
        const before = [client.output, service.output]
        await delay(1_000)
        assert.deepEqual([client.output, service.output], before)
      } finally {
        await Promise.all([client, service].map((program) => program.stop('SIGKILL')))
        for (const end of [c1, inner]) end.must(['nft', 'flush', 'ruleset'])
      }
    })
})

const IGNORE_RESETS = `table inet ignore {
  chain resets { type filter hook input priority -300; policy accept; tcp flags & rst == rst drop; }
}`

/** Each end of a TCP connection sends each 50 ms, and says what it hears. With an address: the client. */
const TALKS = `
  const [port, address] = process.argv.slice(1)
  const net = require('node:net')
  const talk = (socket) => {
    socket.on('error', () => {})
    socket.on('data', () => console.log('heard'))
    setInterval(() => socket.write('!'), 50)
  }
  const begin = () => {
    const socket = net.connect(Number(port), address, () => talk(socket))
    socket.on('error', () => socket.listenerCount('data') === 0 && setTimeout(begin, 50))
  }
  if (address) begin()
  else net.createServer(talk).listen(Number(port))`

/** What the inner host sends is let out, as by most routers. */
function letOut(server: Host, inner: string): void {
  const ip = inner.includes(':') ? 'ip6' : 'ip'
  if (server.run(['nft', 'list', 'chain', 'inet', 'filter', 'forward']).status === 0)
    server.must(['nft', 'add', 'rule', 'inet', 'filter', 'forward', ip, 'saddr', inner, 'accept'])
  for (const variant of ['nft', 'legacy'])
    server.run([`${ip}tables-${variant}`, '-A', 'FORWARD', '-s', inner, '-j', 'ACCEPT'])
}

/** Answers each packet after 120 ms: the answers to three or four are always on their way. */
const ANSWERS_LATE = `
  const [family, port] = process.argv.slice(1)
  const socket = require('node:dgram').createSocket('udp' + family)
  const answer = ({ port, address }) => socket.send('!', port, address, () => {})
  socket.on('message', (_, peer) => { console.log('asked'); setTimeout(answer, 120, peer) })
  socket.bind(Number(port))`

/** From the first packet on, sends each 50 ms to whom that came from, as a VPN may. Or at once, to a known peer. */
const SENDS_BY_ITSELF = `
  const [family, port, knownAddress, knownPort] = process.argv.slice(1)
  const socket = require('node:dgram').createSocket('udp' + family)
  let timer
  const begin = (port, address) => {
    timer ??= setInterval(() => socket.send('!', port, address, () => {}), 50)
  }
  socket.on('message', (_, { port, address }) => {
    console.log('asked')
    begin(port, address)
  })
  socket.bind(Number(port), () => knownPort && begin(Number(knownPort), knownAddress))`

/** Asks at each of these ports, each 50 ms, from one port of its own for each, and writes which answered. */
const ASKS = `
  const [family, address, ...ports] = process.argv.slice(1)
  for (const port of ports) {
    const socket = require('node:dgram').createSocket('udp' + family)
    socket.on('message', () => console.log(port))
    socket.on('error', () => {})
    socket.bind(35000 + Number(port), () => setInterval(() => socket.send('?', port, address, () => {}), 50))
  }`

describe('a kernel that cannot end sockets', { skip }, () => {
  for (const family of families)
    test(`the client is told, nothing passes any more, and the service is counted, IPv${family}`, async () => {
      const { c1, server } = lab()
      forgetIptables(server)
      const firewall = await withNftables('mark')
      const { c1: one, forC1 } = addresses[family]
      const grant = grantFor(one, [{ kind: 'access', protocol: 'tcp', port: port(22) }])
      await granted({ firewall }, grant)
      const session = await c1.connect(forC1, 22)
      assert.equal(await session.echoes(), true)
      await firewall.revoke([grant.id])
      const tracked = trackedConnections(DEFAULT_MARK, ({ original }) => original.source === one)
      assert.ok(tracked.ok)
      // As a kernel without INET_DIAG_DESTROY answers. All else is the real one.
      const refusing = () => ok({ order: () => constants.errno.EOPNOTSUPP, close: () => {} })
      const ended = await endConnections(tracked.value, async () => ok(undefined), refusing)
      assert.deepEqual(ended, { ok: true, value: { untold: 1 } })
      assert.notEqual(await session.ended(1_000), undefined)
      const peer = family === 4 ? one : `[${one}]`
      const left = server.must(['ss', '-Htn', 'state', 'established', 'dst', peer, 'and', 'sport', '=', ':22'])
      // Asked by us, it asks its client, whose kernel answers with a reset: by chance, not by us.
      assert.equal(left, '')
      const again = trackedConnections(DEFAULT_MARK, ({ original }) => original.source === one)
      assert.deepEqual(again, { ok: true, value: [] })
    })
})

function transitTo(family: 4 | 6): Opening {
  const network = parseNetwork(family === 4 ? '10.3.0.0/24' : 'fd03::/64')
  assert.ok(network.ok)
  return {
    kind: 'transit',
    to: [{ network: network.value, ports: { first: port(8000), last: port(9000) }, protocol: 'tcp' }],
    translation: 'none',
  }
}
