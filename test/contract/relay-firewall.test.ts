/**
 * The relay under the contract of every firewall, over real connections on loopback addresses:
 *
 *   127.0.0.2 source ─┐                                  ┌─ 127.0.0.1:service   each says its port
 *                     ├── 127.0.0.50 relay, same ports ──┼─ 127.0.0.1:other
 *   127.0.0.3 stranger┘      reset for whom no grant is  └─ 127.0.0.1:public    nobody
 */
import { once } from 'node:events'
import { connect, createServer, type Server } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import type { RelayListener } from '../../src/config/server/firewall-settings.ts'
import { createRelayFirewall } from '../../src/firewall/relay/relay.ts'
import type { IpAddress } from '../../src/packet/address.ts'
import { type Port, port } from '../../src/units.ts'
import { type FirewallUnderTest, firewallContract, type Kept } from './firewall.ts'

const SERVER = '127.0.0.1' as IpAddress
const RELAY = '127.0.0.50' as IpAddress

async function serve(): Promise<{ server: Server; port: Port }> {
  const server = createServer((socket) => {
    socket.on('error', () => {}).write(`${socket.localPort}\n`)
    socket.pipe(socket)
  })
  server.listen(0, SERVER)
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return { server, port: port(address.port) }
}

/** The port that the service behind says, or nothing where the connection is refused or reset. */
function ask(from: IpAddress, to: Port): Promise<Port | 'shut'> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: RELAY, port: to, localAddress: from })
    const timer = setTimeout(() => reject(new Error('neither an answer nor a reset')), 5000)
    let said = ''
    socket.on('data', (data) => {
      said += data
      if (said.endsWith('\n')) socket.destroy()
    })
    socket.on('error', () => {})
    socket.once('close', () => {
      clearTimeout(timer)
      resolve(said === '' ? 'shut' : port(Number(said.trim())))
    })
  })
}

/** A connection whose greeting was read. */
async function keep(from: IpAddress, to: Port): Promise<Kept> {
  const socket = connect({ host: RELAY, port: to, localAddress: from })
  socket.on('error', () => {})
  await once(socket, 'data')
  let isClosed = false
  const closed = new Promise<void>((resolve) => {
    socket.once('close', () => {
      isClosed = true
      resolve()
    })
  })
  return {
    echoes: async (timeoutMs = 1_000) => {
      if (isClosed) return false
      const heard = new Promise<boolean>((resolve) => socket.once('data', () => resolve(true)))
      socket.write('word')
      return await Promise.race([heard, closed.then(() => false), delay(timeoutMs, false)])
    },
    ended: async (withinMs) => {
      const begun = performance.now()
      await Promise.race([closed, delay(withinMs)])
      return isClosed ? performance.now() - begun : undefined
    },
  }
}

function listener(at: Port): RelayListener {
  return { address: RELAY, port: at, decoy: 'reset', service: { host: SERVER, port: at } }
}

firewallContract('relay', async ({ maxGrants }): Promise<FirewallUnderTest> => {
  const [service, other, spare] = [await serve(), await serve(), await serve()]
  await new Promise((resolve) => spare.server.close(resolve))
  const ports = { service: service.port, other: other.port, public: spare.port }
  let now = 0
  const firewall = createRelayFirewall({
    listeners: [listener(ports.service), listener(ports.other), listener(ports.public)],
    maxGrants,
    monotonic: () => now,
  })
  const installed = await firewall.install()
  if (!installed.ok) throw new Error(installed.failure.detail)
  return {
    firewall,
    source: '127.0.0.2' as IpAddress,
    stranger: '127.0.0.3' as IpAddress,
    ports,
    reach: ask,
    connect: keep,
    elapse: async (milliseconds) => {
      now += milliseconds
    },
    async [Symbol.asyncDispose]() {
      await firewall.close()
      service.server.close()
      other.server.close()
    },
  }
})
