/**
 * The contract of deliveries for packets that are made by hand, over loopback. UDP arrives at a plain socket, so that
 * the kernel has judged the checksums. TCP and ICMP are taken from raw sockets.
 */
import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { setTimeout as delay } from 'node:timers/promises'
import { rawDelivery } from '../../src/delivery/raw.ts'
import { AF_INET, AF_INET6, libc, MSG_DONTWAIT, SOCK_CLOEXEC, SOCK_RAW } from '../../src/system/libc.ts'
import { type Port, port } from '../../src/units.ts'
import { type Arrival, type DeliveryFixture, deliveryContract, freePort } from './delivery.ts'

const skip = process.getuid?.() === 0 ? false : 'raw packets need root'
const TCP = 6
const ICMP = 1
const ICMPV6 = 58

deliveryContract('raw UDP', { skip, families: [4, 6], sourcePorts: true }, async () => {
  const arrivals: Arrival[] = []
  const socket = createSocket({ type: 'udp6' })
  socket.on('message', (message, { address, port: fromPort }) =>
    arrivals.push({ text: message.toString('latin1'), from: address.replace(/^::ffff:/, ''), fromPort }),
  )
  const listening = await new Promise<number>((resolve) =>
    socket.bind({ address: '::', port: 0 }, () => resolve(socket.address().port)),
  )
  return {
    ...queue(arrivals, () => {}),
    port: port(listening),
    shutPort: await freePort(),
    open: (options) => rawDelivery({ transport: 'udpraw', ...options }),
    async [Symbol.asyncDispose]() {
      await new Promise<void>((resolve) => socket.close(() => resolve()))
    },
  }
})

deliveryContract('raw TCP', { skip, families: [4, 6], sourcePorts: true }, async () => {
  const to = await freePort()
  return rawFixture(to, [TCP, TCP], (segment) => {
    const view = new DataView(segment.buffer, segment.byteOffset, segment.length)
    // Its own socket gets the answers of the kernel too.
    if (segment.length < 20 || view.getUint16(2) !== to || view.getUint8(13) !== 0x02) return undefined
    return { text: Buffer.from(segment.subarray(20)).toString('latin1'), fromPort: view.getUint16(0) }
  })
})

deliveryContract('ICMP', { skip, families: [4, 6], sourcePorts: false }, async () => {
  // Loopback carries the ICMP of other tests too: only echo replies with the beginning of a packet are ours.
  return rawFixture(port(1), [ICMP, ICMPV6], (message) => {
    const text = Buffer.from(message.subarray(8)).toString('latin1')
    return [0, 129].includes(message[0] ?? 1) && text.startsWith('8Ab+') ? { text } : undefined
  })
})

/** @param protocols of IPv4 and IPv6. @param read what is ours in the payload of an IP packet. */
async function rawFixture(
  at: Port,
  protocols: readonly [number, number],
  read: (payload: Uint8Array) => Omit<Arrival, 'from'> | undefined,
): Promise<DeliveryFixture> {
  const native = libc()
  const sockets = [AF_INET, AF_INET6].map((family, i) => {
    const fd = native.socket(family, SOCK_RAW | SOCK_CLOEXEC, protocols[i] ?? 0)
    assert.ok(fd >= 0, `errno ${native.errno()}`)
    return { fd, family }
  })
  const arrivals: Arrival[] = []
  const take = (): void => {
    for (const { fd, family } of sockets)
      for (;;) {
        const buffer = new Uint8Array(2_048)
        const length = native.recv(fd, buffer, buffer.length, MSG_DONTWAIT)
        if (length <= 0) break
        // IPv4 comes with its header, IPv6 without.
        const payload = buffer.subarray(family === AF_INET ? 4 * ((buffer[0] ?? 0) & 0x0f) : 0, length)
        const found = read(payload)
        if (found !== undefined) arrivals.push({ ...found, from: family === AF_INET ? '127.0.0.1' : '::1' })
      }
  }
  return {
    ...queue(arrivals, take),
    port: at,
    shutPort: at,
    open: (options) => rawDelivery({ transport: protocols[0] === TCP ? 'tcpraw' : 'icmp', ...options }),
    async [Symbol.asyncDispose]() {
      for (const { fd } of sockets) native.close(fd)
    },
  }
}

function queue(arrivals: Arrival[], take: () => void): Pick<DeliveryFixture, 'arrival' | 'waiting'> {
  return {
    waiting: () => {
      take()
      return arrivals.length
    },
    arrival: async () => {
      for (let tries = 0; tries < 1_000; tries++) {
        take()
        const next = arrivals.shift()
        if (next !== undefined) return next
        await delay(5)
      }
      return assert.fail('nothing arrived')
    },
  }
}
