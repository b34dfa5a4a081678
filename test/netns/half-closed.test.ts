/**
 * A connection that was not ended properly stays in the server's connection tracking. The attack: keep such an entry
 * longer than the grant, and send a SYN from the same port. conntrack takes it for a part of the old connection.
 *
 *   client 10.9.0.2 ── 10.9.0.1 server 10.9.1.1 ── 10.9.1.2 inner
 *          fd09::2     fd09::1         fd09:1::1   fd09:1::2
 *
 * The services greet and then close by themselves, like sshd without a login.
 */

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { Daemon, dropByDefault, keys, knock, stanza } from '../support/daemon.ts'
import { IN_FULL } from '../support/in-full.ts'
import { type Host, Network, netnsUnavailable } from '../support/netns.ts'

const skip = netnsUnavailable()
const LIFETIME = 6

let net: Network
let client: Host
let server: Host
let inner: Host

if (skip === false) {
  before(async () => {
    net = await Network.create()
    client = await net.host('client')
    server = await net.host('server')
    inner = await net.host('inner')
    await net.link(client, ['10.9.0.2/24', 'fd09::2/64'], server, ['10.9.0.1/24', 'fd09::1/64'])
    await net.link(inner, ['10.9.1.2/24', 'fd09:1::2/64'], server, ['10.9.1.1/24', 'fd09:1::1/64'])
    inner.must(['ip', 'route', 'add', 'default', 'via', '10.9.1.1'])
    inner.must(['ip', '-6', 'route', 'add', 'default', 'via', 'fd09:1::1'])
    server.sysctl({ 'net.ipv4.ip_forward': 1, 'net.ipv6.conf.all.forwarding': 1 })
    for (const [host, banner, port] of [
      [server, 'ssh', 22],
      [inner, 'inner', 8443],
    ] as const) {
      // A connection with a silent peer is given up soon.
      host.sysctl({ 'net.ipv4.tcp_orphan_retries': 1 })
      const serve = `require('node:net').createServer((socket) => {
        socket.on('error', () => {}).write('${banner}\\n')
        setTimeout(() => socket.destroy(), 500)
      }).listen(${port}, '::', () => console.log('listening'))`
      await host.start([process.execPath, '-e', serve]).says(/listening/)
    }
  })
  after(() => net.close())
}

/** From now on the client receives and sends nothing on its port. */
function mute(port: number): void {
  client.must(['nft', '-f', '-'], {
    input: `table inet mute {
      chain in { type filter hook input priority 0; tcp dport ${port} drop; }
      chain out { type filter hook output priority 0; tcp sport ${port} drop; }
    }`,
  })
}

function unmute(): void {
  client.must(['nft', 'flush', 'ruleset'])
}

/** Waits until a host has no connection with this port of the client's. */
async function forgotten(host: Host, port: number): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    if (!new RegExp(`:${port}\\b`).test(host.must(['ss', '-Htan']))) return
    await delay(50)
  }
  assert.fail(`${host.name} still has a connection with port ${port}`)
}

const modes = {
  mark: { lines: [], prepare: () => dropByDefault(server) },
  gate: { lines: ['FIREWALL_MODE gate', 'PROTECTED_PORTS tcp/22, tcp/5022, tcp/5443'], prepare: () => {} },
} as const

const families = [
  ['IPv4', '10.9.0.1', '10.9.1.2:8443'],
  ['IPv6', 'fd09::1', '[fd09:1::2]:8443'],
] as const

for (const [i, [mode, { lines, prepare }]] of Object.entries(modes).entries()) {
  describe(`${mode} mode`, { skip }, () => {
    for (const [family, at, target] of IN_FULL ? families : families.slice(i, i + 1)) {
      /** How each is asked for; which service answers, where; and the port that the client uses. */
      const doors = [
        { argv: ['-A', 'tcp/22'], port: 22, banner: 'ssh', host: () => server, from: 40_022 },
        {
          argv: ['-A', 'tcp/22', '--nat-local', '--nat-port', '5022'],
          port: 5022,
          banner: 'ssh',
          host: () => server,
          from: 45_022,
        },
        { argv: ['-A', 'tcp/5443', '-N', target], port: 5443, banner: 'inner', host: () => inner, from: 45_443 },
      ] as const
      type Door = (typeof doors)[number]

      test(`${family}: a connection kept half-closed lets no new one in after its grant`, async () => {
        server.must(['nft', 'flush', 'ruleset'])
        prepare()
        const nat = ['ENABLE_IPT_FORWARDING Y', 'ENABLE_IPT_LOCAL_NAT Y']
        const daemon = await Daemon.start(net, server, { server: [...lines, ...nat], access: stanza() })
        const again = ({ port, from }: Door) => client.tcp(at, port, { sourcePort: from, timeoutMs: 1_500 })
        const granted = (door: Door) =>
          daemon.verdictAfter(() => knock(client, at, '-s', '-f', String(LIFETIME), ...door.argv))
        /** Knocks, connects, and leaves a connection that only the server's conntrack still knows. */
        const leave = async (door: Door): Promise<void> => {
          assert.equal((await granted(door)).verdict, 'granted')
          const connection = await client.connect(at, door.port, { sourcePort: door.from })
          mute(door.from)
          await connection.reset()
          await forgotten(door.host(), door.from)
          unmute()
        }
        const nobody = ['timeout', 'timeout', 'timeout']
        try {
          for (const door of doors) await leave(door)
          await delay(LIFETIME * 1_000)
          assert.deepEqual(await Promise.all(doors.map(again)), nobody)

          // With a live grant, that port works like any other.
          for (const door of doors) await leave(door)
          daemon.configure({ server: [...lines, ...nat], access: stanza([], { ...keys, key: 'another' }) })
          const from = daemon.events.length
          daemon.reload()
          await daemon.until(({ event }) => event === 'reload', from)
          await delay(LIFETIME * 1_000)
          assert.deepEqual(await Promise.all(doors.map(again)), nobody, 'the key is gone as well')
        } finally {
          await daemon.stop()
        }
      })
    }
  })
}

test('a connection that is being made when its grant ends gets made', { skip }, async () => {
  server.must(['nft', 'flush', 'ruleset'])
  dropByDefault(server)
  const daemon = await Daemon.start(net, server, { access: stanza() })
  await daemon.verdictAfter(() => knock(client, '10.9.0.1', '-s', '-f', '2', '-A', 'tcp/22'))
  // The answer to its SYN is lost until the grant has ended. The client repeats its SYN, and the server its answer.
  client.must(['nft', '-f', '-'], {
    input: 'table inet mute { chain in { type filter hook input priority 0; tcp dport 40023 drop; }; }',
  })
  const reach = client.tcp('10.9.0.1', 22, { sourcePort: 40_023, timeoutMs: 9_000 })
  await delay(2_100)
  unmute()
  assert.equal(await reach, 'ssh')
  await daemon.stop()
})

test('who goes on sending where nobody answers has no way in after the grant either', { skip }, async () => {
  server.must(['nft', 'flush', 'ruleset'])
  dropByDefault(server)
  // A closed port would answer, by ICMP.
  await server.listen([{ protocol: 'udp', port: 5353, banner: 'dns' }])
  const daemon = await Daemon.start(net, server, { access: stanza() })
  server.must(['nft', '-f', '-'], {
    input: 'table inet mute { chain out { type filter hook output priority -400; udp sport 5353 drop; }; }',
  })
  await daemon.verdictAfter(() => knock(client, '10.9.0.1', '-s', '-f', '2', '-A', 'udp/5353'))
  const send = `const socket = require('node:dgram').createSocket('udp4')
    socket.on('message', (data) => console.log('heard ' + data)).bind(40053)
    setInterval(() => socket.send('?', 5353, '10.9.0.1'), 100)
    console.log('sending')`
  const program = client.start([process.execPath, '-e', send])
  await program.says(/sending/)
  await delay(2_300)
  server.must(['nft', 'delete', 'table', 'inet', 'mute'])
  await delay(1_000)
  assert.doesNotMatch(program.output, /heard/)
  await daemon.verdictAfter(() => knock(client, '10.9.0.1', '-s', '-f', '5', '-A', 'udp/5353'))
  await program.says(/heard dns/)
  await program.stop()
  await server.unlisten('udp', 5353)
  await daemon.stop()
})
