/**
 *   client eth0 10.9.0.1, fd09::1 ────────── eth0 10.9.0.2, fd09::2 server   (deleted and made again under way)
 *   client eth1 10.9.1.1         ────────── eth1 10.9.1.2          server   (where a second cable is needed)
 * The client sends UDP to the SPA port; this process captures from sockets of the server.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { openUdpSockets } from '../../src/capture/udp/open.ts'
import { udpCapture } from '../../src/capture/udp/udp.ts'
import { libc } from '../../src/system/libc.ts'
import { numbered, numberOf, type Running, start } from '../contract/capture.ts'
import { openOn, packetSocketsOn, SPA_PORT } from '../support/capture-host.ts'
import { enter, type Host, Network, netnsUnavailable } from '../support/netns.ts'
import { polled } from '../support/polled.ts'
import { openSender, type Sender } from '../support/sender.ts'

const skip = netnsUnavailable()
const options = { skip, timeout: 120_000 }

interface Hosts {
  readonly net: Network
  readonly client: Host
  readonly server: Host
}

async function twoHosts(): Promise<Hosts & AsyncDisposable> {
  const net = await Network.create()
  const [client, server] = [await net.host('client'), await net.host('server')]
  // Nothing listens on the SPA port, so each packet costs an ICMP refusal; those that the tests wait for must not run
  // out.
  server.sysctl({ 'net.ipv4.icmp_ratelimit': 0, 'net.ipv6.icmp.ratelimit': 0 })
  await cable({ net, client, server })
  return { net, client, server, [Symbol.asyncDispose]: () => net.close() }
}

async function cable({ net, client, server }: Hosts): Promise<void> {
  await net.link(client, ['10.9.0.1/24', 'fd09::1/64'], server, ['10.9.0.2/24', 'fd09::2/64'], ['eth0', 'eth0'])
  await reachable(client)
}

/** A new cable loses packets until both ends are up and know their neighbours. Nothing listens on port 9. */
async function reachable(client: Host, addresses = ['10.9.0.2', 'fd09::2']): Promise<void> {
  for (const address of addresses) await client.until('refused', { protocol: 'udp', address, port: 9 })
}

/** Thirty packets over each family, all of which have to arrive. */
async function thirty(sender: Sender, running: Running, numberFrom: number): Promise<void> {
  const before = running.packets.length
  for (let i = 0; i < 30; i++)
    for (const address of ['10.9.0.2', 'fd09::2']) await sender.send(numbered(numberFrom + i), address, SPA_PORT)
  await running.received(before + 60)
}

/** What happens to an interface: up, down and up again, deleted and made again under the same name. */
async function livesThrough(hosts: Hosts, running: Running): Promise<void> {
  const { client, server } = hosts
  await using sender = await openSender(client)
  await thirty(sender, running, 0)

  server.must(['ip', 'link', 'set', 'eth0', 'down'])
  await sender.send(numbered(999), '10.9.0.2', SPA_PORT).catch(() => {})
  await delay(50)
  server.must(['ip', 'link', 'set', 'eth0', 'up'])
  server.must(['ip', 'address', 'replace', 'fd09::2/64', 'dev', 'eth0', 'nodad']) // taken away by “down”
  await reachable(client)
  await thirty(sender, running, 100)

  const before = JSON.parse(server.must(['ip', '-j', 'link', 'show', 'eth0']))[0].ifindex
  server.must(['ip', 'link', 'delete', 'eth0'])
  server.must(['ip', 'link', 'add', 'other', 'type', 'veth']) // takes the next index
  await cable(hosts)
  const after = JSON.parse(server.must(['ip', '-j', 'link', 'show', 'eth0']))[0].ifindex
  assert.notEqual(before, after)
  await thirty(sender, running, 200)

  const numbers = new Set(running.packets.map(({ payload }) => numberOf(payload)))
  for (const first of [0, 100, 200])
    for (let i = 0; i < 30; i++) assert.ok(numbers.has(first + i), `packet ${first + i} is missing`)
}

for (const interfaces of [[], ['eth0']])
  test(
    `packet sockets listening to ${interfaces[0] ?? 'all'} live through down, up, delete, make again`,
    options,
    async () => {
      await using hosts = await twoHosts()
      using sockets = await packetSocketsOn(hosts.server, interfaces)
      await using running = await start(sockets.capture)
      await livesThrough(hosts, running)
    },
  )

test('UDP sockets live through down, up, delete, make again', options, async () => {
  await using hosts = await twoHosts()
  const bounds = { ports: [SPA_PORT] }
  using sockets = await openOn(hosts.server, () => openUdpSockets(bounds))
  const { fds } = sockets
  await using running = await start(polled(udpCapture({ fds, ...bounds })))
  await livesThrough(hosts, running)
})

test('an error of the socket (ENETDOWN) is ridden out', options, async () => {
  await using hosts = await twoHosts()
  const { client, server } = hosts
  // Only a socket that is bound to the interface is told that it went down. Those that share packets cannot be bound.
  using sockets = await packetSocketsOn(server, [], { queues: 1 })
  const { ifindex } = JSON.parse(server.must(['ip', '-j', 'link', 'show', 'eth0']))[0]
  for (const [i, fd] of sockets.opened.fds.entries()) {
    const address = new Uint8Array(20)
    const fields = new DataView(address.buffer)
    fields.setUint16(0, 17, true)
    fields.setUint16(2, [0x0800, 0x86dd][i] ?? 0)
    fields.setInt32(4, ifindex, true)
    assert.equal(libc().bind(fd, address, address.length), 0)
  }
  await using running = await start(sockets.capture)
  await using sender = await openSender(client)
  await thirty(sender, running, 0)
  for (let i = 1; i <= 3; i++) {
    server.must(['ip', 'link', 'set', 'eth0', 'down'])
    server.must(['ip', 'link', 'set', 'eth0', 'up'])
    server.must(['ip', 'address', 'replace', 'fd09::2/64', 'dev', 'eth0', 'nodad'])
    await reachable(client)
    await thirty(sender, running, 100 * i)
  }
})

test('only the named interfaces are heard, also one that comes later', options, async () => {
  await using hosts = await twoHosts()
  const { net, client, server } = hosts
  using sockets = await packetSocketsOn(server, ['eth1'])
  await using running = await start(sockets.capture)
  await using sender = await openSender(client)
  await sender.send(numbered(1), '10.9.0.2', SPA_PORT)
  await net.link(client, ['10.9.1.1/24'], server, ['10.9.1.2/24'], ['eth1', 'eth1'])
  await reachable(client, ['10.9.1.2'])
  await sender.send(numbered(2), '10.9.0.2', SPA_PORT)
  await sender.send(numbered(3), '10.9.1.2', SPA_PORT)
  await running.received(1)

  server.must(['ip', 'link', 'set', 'eth1', 'down'])
  server.must(['ip', 'link', 'set', 'eth1', 'name', 'wan'])
  server.must(['ip', 'link', 'set', 'wan', 'up'])
  server.must(['ip', 'link', 'set', 'eth0', 'down'])
  server.must(['ip', 'link', 'set', 'eth0', 'name', 'eth1'])
  server.must(['ip', 'link', 'set', 'eth1', 'up'])
  await reachable(client, ['10.9.0.2', '10.9.1.2'])
  await sender.send(numbered(4), '10.9.1.2', SPA_PORT)
  await sender.send(numbered(5), '10.9.0.2', SPA_PORT)
  await running.received(2)
  assert.deepEqual(
    running.packets.map(({ payload }) => numberOf(payload)),
    [3, 5],
  )
  assert.equal(sockets.capture.counters().elsewhere?.packets, 3, 'those that were passed over are counted')
})

/** Each makes an interface `upper` over the server's end of the cable. */
const layers: Record<string, (hosts: Hosts) => void> = {
  bridge: ({ server }) => {
    server.must(['ip', 'link', 'add', 'upper', 'type', 'bridge'])
    server.must(['ip', 'link', 'set', 'eth0', 'master', 'upper'])
  },
  macvlan: ({ server }) => {
    server.must(['ip', 'link', 'add', 'upper', 'link', 'eth0', 'type', 'macvlan', 'mode', 'bridge'])
  },
}

for (const [layer, build] of Object.entries(layers))
  test(
    `a packet that comes through a ${layer} is seen once, on the interface that has the address`,
    options,
    async () => {
      await using hosts = await twoHosts()
      const { client, server } = hosts
      build(hosts)
      server.must(['ip', 'address', 'flush', 'dev', 'eth0'])
      server.must(['ip', 'link', 'set', 'upper', 'up'])
      server.must(['ip', 'address', 'add', '10.9.0.2/24', 'dev', 'upper'])
      using all = await packetSocketsOn(server)
      using upper = await packetSocketsOn(server, ['upper'])
      using lower = await packetSocketsOn(server, ['eth0'])
      await using onAll = await start(all.capture)
      await using onUpper = await start(upper.capture)
      await using onLower = await start(lower.capture)
      await using sender = await openSender(client)
      await reachable(client, ['10.9.0.2'])
      for (let i = 0; i < 20; i++) await sender.send(numbered(i), '10.9.0.2', SPA_PORT)
      await Promise.all([onAll.received(20), onUpper.received(20)])
      await delay(20)
      assert.equal(onAll.packets.length, 20)
      assert.equal(onUpper.packets.length, 20)
      assert.equal(onLower.packets.length, 0)
    },
  )

test('packets are seen though the firewall drops them, and what the host itself sends is not', options, async () => {
  await using hosts = await twoHosts()
  const { client, server } = hosts
  server.must(['nft', '-f', '-'], {
    input: 'table inet t { chain p { type filter hook prerouting priority raw; meta l4proto udp drop; }; }',
  })
  using sockets = await packetSocketsOn(server)
  await using running = await start(sockets.capture)
  await using fromClient = await openSender(client)
  await using fromServer = await openSender(server)
  await fromServer.send(numbered(1), '10.9.0.1', SPA_PORT)
  await fromClient.send(numbered(2), '10.9.0.2', SPA_PORT)
  await running.received(1)
  await delay(20)
  assert.deepEqual(
    running.packets.map(({ payload }) => numberOf(payload)),
    [2],
  )
})

test('what the kernel had no room for is counted: packet sockets', options, async () => {
  await using hosts = await twoHosts()
  using sockets = await packetSocketsOn(hosts.server, [], { receiveBuffer: 64 * 1024 })
  await using sender = await openSender(hosts.client)
  for (let i = 0; i < 1000; i++) await sender.send(numbered(i), i % 2 ? '10.9.0.2' : 'fd09::2', SPA_PORT)
  await using running = await start(sockets.capture)
  await running.received(1)
  const deadline = performance.now() + 20_000
  const total = (): number => sockets.capture.counters().received + sockets.capture.counters().dropped
  while (total() < 1000 && performance.now() < deadline) await delay(5)
  assert.equal(total(), 1000)
  assert.ok(sockets.capture.counters().dropped > 0)
  assert.equal(running.packets.length, sockets.capture.counters().received)
})

test('what the kernel had no room for is counted: UDP sockets', options, async () => {
  await using hosts = await twoHosts()
  const bounds = { ports: [SPA_PORT] }
  using sockets = await openOn(hosts.server, () => openUdpSockets({ ...bounds, receiveBuffer: 64 * 1024 }))
  const { fds } = sockets
  await using sender = await openSender(hosts.client)
  for (let i = 0; i < 1000; i++) await sender.send(numbered(i), i % 2 ? '10.9.0.2' : 'fd09::2', SPA_PORT)
  const leave = await enter(hosts.server) // the kernel tells of the sockets of one's own namespace
  try {
    const capture = polled(udpCapture({ fds, ...bounds }))
    await using running = await start(capture)
    await running.received(10)
    const deadline = performance.now() + 20_000
    const total = (): number => capture.counters().received + capture.counters().dropped
    while (total() < 1000 && performance.now() < deadline) await delay(5)
    assert.equal(total(), 1000)
    assert.ok(capture.counters().dropped > 0)
  } finally {
    leave()
  }
})
