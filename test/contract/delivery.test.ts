/** The contract of deliveries for those that run without privilege, over loopback. */
import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { connect, createServer, type Server } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { createServer as createTlsServer } from 'node:tls'
import { gatewayDelivery } from '../../src/delivery/gateway.ts'
import { httpDelivery } from '../../src/delivery/http.ts'
import { httpsDelivery } from '../../src/delivery/https.ts'
import { tcpDelivery } from '../../src/delivery/tcp.ts'
import { udpDelivery } from '../../src/delivery/udp.ts'
import { parseHttpRequest } from '../../src/packet/http.ts'
import { type Port, port } from '../../src/units.ts'
import { localGateway } from '../support/gateway.ts'
import { makeCertificate } from '../support/tls-certificate.ts'
import { type Arrival, type DeliveryFixture, deliveryContract, freePort } from './delivery.ts'

const both = [4, 6] as const

deliveryContract('UDP', { families: both, sourcePorts: true }, async () => {
  const arrivals = new Arrivals()
  const socket = createSocket({ type: 'udp6' })
  socket.on('message', (message, { address, port: fromPort }) =>
    arrivals.add({ text: message.toString('latin1'), from: plainAddress(address), fromPort }),
  )
  const listening = await new Promise<number>((resolve) =>
    socket.bind({ address: '::', port: 0 }, () => resolve(socket.address().port)),
  )
  return {
    ...arrivals.fixture(port(listening), await freePort()),
    open: (options) => udpDelivery(options),
    async [Symbol.asyncDispose]() {
      await new Promise<void>((resolve) => socket.close(() => resolve()))
    },
  }
})

deliveryContract('TCP', { families: both, sourcePorts: true, refusedOver: 'tcp' }, async () => {
  const arrivals = new Arrivals()
  const server = createServer((socket) => collect(socket, (text) => arrivals.add({ text, ...peerOf(socket) })))
  return { ...(await serving(server, arrivals)), open: (options) => tcpDelivery(options) }
})

deliveryContract('HTTP', { families: both, sourcePorts: true, refusedOver: 'tcp' }, async () => {
  const arrivals = new Arrivals()
  const server = createServer((socket) =>
    collect(socket, (request) => {
      assert.match(request, /^GET \/[^ ]+ HTTP\/1\.0\r\n/)
      assert.match(request, /\r\nHost: spa\.example\r\n/)
      arrivals.add({ text: packetIn(request), ...peerOf(socket) })
    }),
  )
  return {
    ...(await serving(server, arrivals)),
    open: (options) => httpDelivery({ server: 'spa.example', ...options }),
  }
})

deliveryContract('HTTP through a proxy', { families: both, sourcePorts: true, refusedOver: 'tcp' }, async () => {
  const arrivals = new Arrivals()
  const server = createServer((socket) =>
    untilEmptyLine(socket, (request) => {
      assert.match(request, /^GET http:\/\/spa\.example\/[^ ]+ HTTP\/1\.0\r\n/)
      assert.match(request, /\r\nProxy-Authorization: Basic YWRhOnA6dw==\r\n/)
      arrivals.add({ text: packetIn(request.replace('GET http://spa.example/', 'GET /')), ...peerOf(socket) })
      socket.end('HTTP/1.1 404 Not Found\r\n\r\n')
    }),
  )
  const request = { server: 'spa.example', proxy: 'proxy.example', proxyUser: 'ada', proxyPassword: 'p:w' }
  return { ...(await serving(server, arrivals)), open: (options) => httpDelivery({ ...request, ...options }) }
})

const certificate = makeCertificate(['DNS:spa.example'])
deliveryContract('HTTPS', { families: both, sourcePorts: true, refusedOver: 'tcp' }, async () => {
  const arrivals = new Arrivals()
  const server = createTlsServer(certificate, (socket) =>
    untilEmptyLine(socket, (request) => {
      arrivals.add({ text: packetIn(request), ...peerOf(socket) })
      socket.end('HTTP/1.1 404 Not Found\r\n\r\n')
    }),
  )
  const request = { name: 'spa.example', server: 'spa.example', authorities: certificate.cert }
  return { ...(await serving(server, arrivals)), open: (options) => httpsDelivery({ ...request, ...options }) }
})

deliveryContract('HTTPS through a proxy', { families: both, sourcePorts: false, refusedOver: 'tcp' }, async () => {
  const arrivals = new Arrivals()
  const web = createTlsServer(certificate, (socket) =>
    untilEmptyLine(socket, (request) => {
      arrivals.add({ text: packetIn(request), from: froms.get(socket.remotePort ?? 0) ?? '' })
      socket.end('HTTP/1.1 404 Not Found\r\n\r\n')
    }),
  )
  await new Promise<void>((resolve) => web.listen({ host: '127.0.0.1', port: 0 }, resolve))
  const at = web.address()
  assert.ok(at !== null && typeof at === 'object')
  /** Port of the proxy towards the web server → the address of the client. */
  const froms = new Map<number, string>()
  const proxy = createServer((socket) => {
    socket.once('data', (chunk) => {
      const head = chunk.toString('latin1')
      assert.match(head, /^CONNECT spa\.example:443 HTTP\/1\.1\r\nHost: spa\.example:443\r\n/)
      assert.match(head, /\r\nProxy-Authorization: Basic YWRhOnB3\r\n\r\n$/)
      const onward = connect({ host: '127.0.0.1', port: at.port }, () => {
        froms.set(onward.localPort ?? 0, plainAddress(socket.remoteAddress ?? ''))
        socket.write('HTTP/1.1 200 Connection established\r\n\r\n')
        socket.pipe(onward).pipe(socket)
      })
      for (const end of [socket, onward]) end.on('error', () => onward.destroy())
    })
  })
  const fixture = await serving(proxy, arrivals)
  const tunnel = { to: 'spa.example:443', proxyUser: 'ada', proxyPassword: 'pw' }
  const request = { name: 'spa.example', server: 'spa.example', authorities: certificate.cert, tunnel }
  return {
    ...fixture,
    open: (options) => httpsDelivery({ ...request, ...options }),
    async [Symbol.asyncDispose]() {
      web.close()
      await fixture[Symbol.asyncDispose]()
    },
  }
})

deliveryContract('through a gateway', { families: both, sourcePorts: true, refusedOver: 'tcp' }, async () => {
  const arrivals = new Arrivals()
  const target = createSocket({ type: 'udp4' })
  await new Promise<void>((resolve) => target.bind({ address: '127.0.0.1', port: 0 }, resolve))
  const local = await localGateway([`TARGET office 127.0.0.1:${target.address().port}`, 'KNOCKS_PER_SOURCE 1000'])
  /** The gateway does not tell who came: what stands before it does. */
  let last: Peer = {}
  target.on('message', (message) => arrivals.add({ text: message.toString('latin1'), ...peerOf(last) }))
  const before = createServer((socket) => {
    last = { remoteAddress: socket.remoteAddress, remotePort: socket.remotePort }
    const onward = connect({ host: '127.0.0.1', port: local.port })
    socket.pipe(onward).pipe(socket)
    for (const end of [socket, onward])
      end
        .on('error', () => {})
        .on('close', () => {
          onward.destroy()
          socket.destroy()
        })
  })
  const fixture = await serving(before, arrivals)
  const to = { secure: true, name: 'gate.example', port: port(443), target: 'office', fingerprint: local.fingerprint }
  return {
    ...fixture,
    open: (options) => gatewayDelivery({ ...to, ...options }),
    async [Symbol.asyncDispose]() {
      await local[Symbol.asyncDispose]()
      target.close()
      await fixture[Symbol.asyncDispose]()
    },
  }
})

class Arrivals {
  readonly #all: Arrival[] = []

  add(arrival: Arrival): void {
    this.#all.push(arrival)
  }

  fixture(at: Port, shutPort: Port): Pick<DeliveryFixture, 'port' | 'shutPort' | 'arrival' | 'waiting'> {
    return {
      port: at,
      shutPort,
      waiting: () => this.#all.length,
      arrival: async () => {
        for (let tries = 0; tries < 1_000; tries++) {
          const next = this.#all.shift()
          if (next !== undefined) return next
          await delay(5)
        }
        return assert.fail('nothing arrived')
      },
    }
  }
}

interface Peer {
  readonly remoteAddress?: string | undefined
  readonly remotePort?: number | undefined
}
interface Readable extends Peer {
  on(event: 'data', listener: (chunk: Buffer) => void): unknown
  on(event: 'end' | 'error', listener: () => void): unknown
}

function peerOf({ remoteAddress = '', remotePort = 0 }: Peer): { from: string; fromPort: number } {
  return { from: plainAddress(remoteAddress), fromPort: remotePort }
}

/** All that a connection brings, at its end. */
function collect(socket: Readable, then: (text: string) => void): void {
  let text = ''
  socket.on('data', (chunk) => {
    text += chunk.toString('latin1')
  })
  socket.on('end', () => then(text))
  socket.on('error', () => {})
}

function untilEmptyLine(socket: Readable, then: (text: string) => void): void {
  let text = ''
  socket.on('error', () => {})
  socket.on('data', (chunk) => {
    const before = text.includes('\r\n\r\n')
    text += chunk.toString('latin1')
    if (!before && text.includes('\r\n\r\n')) then(text)
  })
}

function packetIn(request: string): string {
  const parsed = parseHttpRequest(Buffer.from(request, 'latin1'), { anyUserAgent: false })
  assert.ok(parsed?.ok)
  return Buffer.from(parsed.value.packet).toString('latin1')
}

function plainAddress(text: string): string {
  return text.replace(/^::ffff:/, '')
}

async function serving(server: Server, arrivals: Arrivals): Promise<Omit<DeliveryFixture, 'open'>> {
  const at = await new Promise<number>((resolve) => {
    server.listen({ host: '::', port: 0 }, () => {
      const address = server.address()
      assert.ok(address !== null && typeof address !== 'string')
      resolve(address.port)
    })
  })
  return {
    ...arrivals.fixture(port(at), await freePort()),
    async [Symbol.asyncDispose]() {
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
