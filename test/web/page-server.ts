/**
 * The page and the gateway's part of its contract (docs/GATEWAY.md), on localhost, for tests of the page alone. What
 * was knocked is kept, so that a test can open the packets.
 */
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { makePage } from '../../web/build.mjs'

export interface PageServer extends AsyncDisposable {
  readonly url: string
  /** The same server under another name: a second echo point. */
  echo: string
  /** In the order in which they came. */
  readonly knocks: { readonly target: string; readonly packet: string }[]
  /** What it says; a test changes it. */
  address: string
  /** Seconds that its clock is ahead. */
  clockAhead: number
  /** What comes back for a packet. */
  receipt: (packet: string) => string
  /** With which status it answers about invitations: 200 (accepted, and not confirmed yet), 410, 503. */
  invitation: number
  /** Milliseconds until it answers what a page asks. */
  slow: number
  /** Whether it answers at all. */
  isUp: boolean
  /** From now on it has another version of the page. @returns a function that takes that back. */
  replaceWorker(): () => void
  /** Of the bundle, in hex. */
  readonly bundle: string
}

const FILLER = 'A'.repeat(128)

export async function servePage(): Promise<PageServer> {
  const { files, list } = await makePage()
  const contents = new Map<string, { readonly type: string; readonly content: Uint8Array | string }>(
    files.map((file) => [`/${file.path}`, file]),
  )
  contents.set('/files.json', { type: 'application/json', content: JSON.stringify(list) })
  const index = contents.get('/index.html')
  if (index !== undefined) contents.set('/', index)
  // As the gateway does.
  contents.delete('/index.html')
  const tickets = new Map<string, string>()

  const server = createServer(async (request, response) => {
    if (!state.isUp) return void request.socket.destroy()
    response.setHeader('content-security-policy', list.policy)
    response.setHeader('access-control-allow-origin', '*')
    response.setHeader('access-control-allow-headers', 'content-type')
    const { pathname } = new URL(request.url ?? '/', 'http://localhost')
    const file = contents.get(pathname)
    if (request.method === 'GET' && file !== undefined)
      return void response.writeHead(200, { 'content-type': file.type }).end(file.content)
    if (request.method === 'OPTIONS') return void response.writeHead(204).end()
    if (state.slow > 0) await delay(state.slow)
    if (pathname === '/v1/time') return json(response, 200, { time: Math.floor(Date.now() / 1000) + state.clockAhead })
    if (pathname === '/v1/address') return json(response, 200, { address: state.address })
    let text = ''
    for await (const chunk of request) text += chunk
    if (pathname === '/v1/knock') {
      const { target, packet } = JSON.parse(text) as { target: string; packet: string }
      state.knocks.push({ target, packet })
      const ticket = String(state.knocks.length).padStart(22, '0')
      tickets.set(ticket, packet)
      return json(response, 202, { ticket })
    }
    if (pathname === '/v1/receipt') {
      const { ticket } = JSON.parse(text) as { ticket: string }
      const packet = tickets.get(ticket)
      return json(response, 200, { receipt: packet === undefined ? FILLER : state.receipt(packet) })
    }
    if (pathname === '/v1/invitation/claim') return json(response, state.invitation, { state: 'claimed' })
    if (pathname === '/v1/invitation/poll') return json(response, state.invitation, { state: 'waiting' })
    response.writeHead(404).end()
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')

  const { port } = server.address() as AddressInfo
  const state: PageServer = {
    url: `http://localhost:${port}`,
    echo: `http://127.0.0.1:${port}`,
    knocks: [],
    address: '198.51.100.7',
    clockAhead: 0,
    receipt: () => FILLER,
    invitation: 410,
    slow: 0,
    isUp: true,
    bundle: list.bundle,
    replaceWorker() {
      const worker = contents.get('/service-worker.js')
      const text = `// another version\n${Buffer.from(worker?.content ?? '')}`
      contents.set('/service-worker.js', { type: 'text/javascript', content: text })
      return () => {
        if (worker !== undefined) contents.set('/service-worker.js', worker)
      }
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
  return state
}

function json(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value))
}
