import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import type { Capture, OpenedCapture } from '../../src/capture/capture.ts'
import { LOOPBACK_INDEX } from '../../src/capture/disbelief.ts'
import { MemoryCapture } from '../../src/capture/memory.ts'
import { openPacketSockets } from '../../src/capture/packet-socket/open.ts'
import { packetSocketCapture } from '../../src/capture/packet-socket/packet-socket.ts'
import { openTcpServer } from '../../src/capture/tcp-server/open.ts'
import { tcpServerCapture } from '../../src/capture/tcp-server/tcp-server.ts'
import { openUdpSockets } from '../../src/capture/udp/open.ts'
import { udpCapture } from '../../src/capture/udp/udp.ts'
import { udpEvents } from '../../src/capture/udp/udp-events.ts'
import { type IpAddress, parseAddress } from '../../src/packet/address.ts'
import type { Result } from '../../src/result.ts'
import { DEFAULT_RECEIVE_BUFFER } from '../../src/system/libc.ts'
import { type Milliseconds, type Port, port } from '../../src/units.ts'
import { enter, Network, netnsUnavailable } from '../support/netns.ts'
import { polled } from '../support/polled.ts'
import { openSender } from '../support/sender.ts'
import { type CaptureFixture, CONTRACT_BOUNDS, captureContract } from './capture.ts'

captureContract(
  'memory',
  { via: 'packet-socket', knowsDestination: true, filters: false, opensEarly: false },
  async () => {
    const capture = new MemoryCapture()
    return {
      capture,
      ports: [port(62201), port(53)],
      async send(payload, address, destinationPort) {
        const sourcePort = port(40000)
        const ends = { source: known(address), sourcePort, destination: known(address), destinationPort }
        capture.inject([{ via: 'packet-socket', payload: payload.slice(), ...ends, interfaceIndex: LOOPBACK_INDEX }])
        return sourcePort
      },
      async [Symbol.asyncDispose]() {},
    }
  },
)

captureContract(
  'UDP sockets of its own',
  { via: 'udp', knowsDestination: false, filters: true, opensEarly: false },
  async () => {
    const ports = [await freePort(), await freePort()] as const
    const sender = await openSender()
    return {
      ports,
      capture: udpEvents({ ports, ...CONTRACT_BOUNDS }),
      async send(payload, address, destinationPort) {
        await sender.send(payload, address, destinationPort)
        return sender.sourcePort(address)
      },
      [Symbol.asyncDispose]: () => sender[Symbol.asyncDispose](),
    }
  },
)

const ports = [port(62201), port(53)] as const
const bounds = { ports, ...CONTRACT_BOUNDS }
const skip = netnsUnavailable()

captureContract(
  'inherited UDP sockets',
  { skip, via: 'udp', knowsDestination: false, filters: true, opensEarly: true },
  () =>
    onHost(
      () => openUdpSockets(bounds),
      ({ fds, close }) => ({ capture: polled(udpCapture({ fds, ...bounds })), close }),
    ),
)

captureContract(
  'packet sockets',
  { skip, via: 'packet-socket', knowsDestination: true, filters: true, opensEarly: true },
  () =>
    onHost(
      // All packets of a test come from one source, and so to one of eight sockets.
      () => openPacketSockets({ ...bounds, receiveBuffer: 8 * DEFAULT_RECEIVE_BUFFER }),
      ({ fds, close }) => ({ capture: polled(packetSocketCapture({ fds, ...bounds, interfaces: ['lo'] })), close }),
    ),
)

captureContract(
  'a TCP server',
  { skip, via: 'tcp-server', carrier: 'tcp', knowsDestination: true, filters: true, opensEarly: false },
  async () => {
    const opened = openTcpServer(port(62201))
    const second = openTcpServer(port(53_535))
    if (!opened.ok || !second.ok) throw new Error('no TCP server')
    const captures = [opened.value, second.value].map(({ fds: [fd = -1] }) =>
      tcpServerCapture({ fd, ...CONTRACT_BOUNDS }),
    )
    return {
      capture: polled(both(captures)),
      ports: [port(62201), port(53_535)],
      async send(payload, address, destinationPort) {
        const socket = connect({ host: address, port: destinationPort })
        await once(socket, 'connect')
        const { localPort = 0 } = socket
        socket.on('error', () => {})
        const closed = once(socket, 'close')
        socket.end(payload)
        socket.resume()
        // One after the other: the order is that of the connections' ends. Without a server that reads, not at all.
        await Promise.race([closed, delay(50)])
        return localPort
      },
      async [Symbol.asyncDispose]() {
        opened.value.close()
        second.value.close()
      },
    }
  },
)

/** Two captures as one. */
function both(captures: readonly Capture[]): Capture {
  let fds = captures.flatMap((each) => each.fds)
  return {
    get fds() {
      const now = captures.flatMap((each) => each.fds)
      if (now.join() !== fds.join()) fds = now
      return fds
    },
    get taken() {
      return captures.reduce((sum, { taken }) => sum + taken, 0)
    },
    get dueAt() {
      const times = captures.flatMap(({ dueAt }) => dueAt ?? [])
      return times.length === 0 ? undefined : (Math.min(...times) as Milliseconds)
    },
    expire: (now) => captures.flatMap((each) => each.expire?.(now) ?? []),
    receive: (fd) => captures.find((each) => each.fds.includes(fd))?.receive(fd) ?? [],
    counters: () => ({
      received: captures.reduce((sum, each) => sum + each.counters().received, 0),
      dropped: captures.reduce((sum, each) => sum + each.counters().dropped, 0),
    }),
    close: () => {
      for (const each of captures) each.close()
    },
  }
}

/** Sockets and sender are in a network namespace; the capture runs here. */
async function onHost(
  open: () => Result<OpenedCapture>,
  read: (opened: OpenedCapture) => Pick<CaptureFixture, 'capture'> & { close(): void },
): Promise<CaptureFixture> {
  const net = await Network.create()
  const host = await net.host('server')
  const leave = await enter(host)
  const opened = open()
  leave()
  if (!opened.ok) throw new Error(opened.failure.detail)
  const sender = await openSender(host)
  const { capture, close } = read(opened.value)
  return {
    capture,
    ports,
    async send(payload, address, destinationPort) {
      await sender.send(payload, address, destinationPort)
      return sender.sourcePort(address)
    },
    async [Symbol.asyncDispose]() {
      close()
      await sender[Symbol.asyncDispose]()
      await net.close()
    },
  }
}

function known(address: string): IpAddress {
  const parsed = parseAddress(address)
  if (!parsed.ok) throw new Error(parsed.failure.detail)
  return parsed.value
}

async function freePort(): Promise<Port> {
  const socket = createSocket('udp6')
  const listening = once(socket, 'listening')
  socket.bind(0)
  await listening
  const free = port(socket.address().port)
  socket.close()
  return free
}
