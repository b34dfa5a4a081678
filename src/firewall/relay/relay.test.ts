import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { afterEach, test } from 'node:test'
import { type Grant, grantId, type Opening } from '../../access/grant.ts'
import type { StanzaId } from '../../access/stanza.ts'
import type { IpAddress } from '../../packet/address.ts'
import type { Username } from '../../packet/message.ts'
import { milliseconds, type Port, port, seconds } from '../../units.ts'
import { createRelayFirewall, type RelayFirewall, type RelayOptions } from './relay.ts'
import type { Trouble } from './troubles.ts'

/**
 *   127.0.0.1  127.0.0.2  ::1          sources, each an address of this host
 *        \         |       /
 *         public (relay) ────┬── ungranted → decoy   says `decoy`
 *                            └── granted   → service says `service`, or inner says `inner`
 */
const A = '127.0.0.1' as IpAddress
const B = '127.0.0.2' as IpAddress
const SIX = '::1' as IpAddress

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

/** A server that answers each connection with `behave`, on a free port. */
async function serve(behave: (socket: Socket) => void, host = '127.0.0.1'): Promise<{ server: Server; port: Port }> {
  const sockets = new Set<Socket>()
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    behave(socket)
  })
  server.listen(0, host)
  await once(server, 'listening')
  cleanups.push(async () => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return { server, port: port(address.port) }
}
/** Says who it is, then echoes. */
function named(name: string, host?: string) {
  return serve((socket) => {
    socket.write(name)
    socket.pipe(socket)
  }, host)
}
/** A port on which nothing listens. */
async function freePort(): Promise<Port> {
  const { server, port } = await serve(() => {})
  await new Promise((resolve) => server.close(resolve))
  return port
}

function caller(source: IpAddress, to: Port): Socket {
  const host = source.includes(':') ? '::1' : '127.0.0.1'
  const socket = connect({ host, port: to, localAddress: source, allowHalfOpen: true })
  socket.on('error', () => {})
  cleanups.push(() => socket.destroy())
  return socket
}
/** The first words of the answer; `reset` or `closed` if there is none. */
async function firstWords(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve('silence'), 5000)
    const settle = (what: string): void => {
      clearTimeout(timer)
      resolve(what)
    }
    socket.once('data', (data) => settle(String(data)))
    socket.once('error', (error: NodeJS.ErrnoException) =>
      settle(error.code === 'ECONNRESET' ? 'reset' : `${error.code}`),
    )
    socket.once('end', () => settle('closed'))
  })
}
async function reach(source: IpAddress, to: Port): Promise<string> {
  const socket = caller(source, to)
  const words = await firstWords(socket)
  socket.destroy()
  return words
}

interface Scene {
  relay: RelayFirewall
  public: Port
  troubles: Trouble[]
  clock: { now: number }
}
async function scene(
  options: Partial<RelayOptions> & { decoy?: Port; service?: Port; address?: IpAddress } = {},
): Promise<Scene> {
  const { decoy, service, address, ...more } = options
  const at = await freePort()
  const troubles: Trouble[] = []
  const clock = { now: 1000 }
  const relay = createRelayFirewall({
    listeners: [
      {
        port: at,
        decoy: decoy === undefined ? 'reset' : { host: A, port: decoy },
        ...(address !== undefined && { address }),
        ...(service !== undefined && { service: { host: A, port: service } }),
      },
    ],
    monotonic: () => clock.now,
    onTrouble: (trouble) => troubles.push(trouble),
    ...more,
  })
  cleanups.push(() => relay.close())
  const installed = await relay.install()
  if (!installed.ok) assert.fail(installed.failure.detail)
  return { relay, public: at, troubles, clock }
}

function grant(source: IpAddress, ...openings: Opening[]): Grant {
  const id = grantId(source, openings)
  return {
    id,
    stanza: 1 as StanzaId,
    source,
    firstHand: false,
    openings,
    lifetime: seconds(30),
    username: 'alice' as Username,
  }
}
function ghost(publicPort: Port, localPort: Port): Opening {
  return { kind: 'ghost', protocol: 'tcp', publicPort, localPort }
}
async function opened(relay: RelayFirewall, ...grants: Grant[]): Promise<void> {
  for (const result of await relay.open(grants)) if (!result.ok) assert.fail(result.failure.detail)
}
async function refusal(relay: RelayFirewall, asked: Grant): Promise<string> {
  const [result] = await relay.open([asked])
  assert.ok(result !== undefined && !result.ok, 'it was opened')
  assert.equal(result.failure.code, 'FIREWALL_REFUSED')
  return result.failure.detail
}
/** Polls until `condition` holds; fails after five seconds. */
async function eventually(what: string, condition: () => boolean): Promise<void> {
  for (const deadline = Date.now() + 5000; !condition(); ) {
    if (Date.now() > deadline) assert.fail(`never: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

test('at the same moment, the granted source meets the service and all others the decoy', async () => {
  const [decoy, service] = [await named('decoy'), await named('service')]
  const { relay, public: at } = await scene({ decoy: decoy.port })
  assert.deepEqual(await Promise.all([A, B, SIX].map((source) => reach(source, at))), ['decoy', 'decoy', 'decoy'])
  await opened(relay, grant(B, ghost(at, service.port)))
  assert.deepEqual(await Promise.all([A, B, SIX].map((source) => reach(source, at))), ['decoy', 'service', 'decoy'])
  await opened(relay, grant(SIX, ghost(at, service.port)))
  assert.deepEqual(await Promise.all([A, B, SIX].map((source) => reach(source, at))), ['decoy', 'service', 'service'])
})

test('without a decoy, strangers are reset', async () => {
  const service = await named('service')
  const { relay, public: at } = await scene()
  await opened(relay, grant(B, ghost(at, service.port)))
  assert.deepEqual([await reach(A, at), await reach(B, at)], ['reset', 'service'])
})

test('the grant ends with its second, the session does not', async () => {
  const [decoy, service] = [await named('decoy'), await named('service')]
  const { relay, public: at, clock } = await scene({ decoy: decoy.port })
  await opened(relay, grant(A, ghost(at, service.port)))
  const session = caller(A, at)
  assert.equal(await firstWords(session), 'service')
  clock.now += 29_999
  assert.equal(await reach(A, at), 'service')
  clock.now += 1
  assert.equal(await reach(A, at), 'decoy')
  const live = await relay.grants()
  assert.deepEqual(live.ok && live.value, [])
  session.write('still here')
  assert.equal(await firstWords(session), 'still here')
})

test('opening again starts the lifetime anew', async () => {
  const service = await named('service')
  const { relay, public: at, clock } = await scene()
  await opened(relay, grant(A, ghost(at, service.port)))
  clock.now += 20_000
  await opened(relay, grant(A, ghost(at, service.port)))
  clock.now += 20_000
  assert.equal(await reach(A, at), 'service')
  const live = await relay.grants()
  assert.deepEqual(live.ok && live.value.map(({ remaining }) => remaining), [10_000])
})

test('a revoked grant lets nobody new in, and the session lives', async () => {
  const service = await named('service')
  const { relay, public: at } = await scene()
  const given = grant(A, ghost(at, service.port))
  await opened(relay, given)
  const session = caller(A, at)
  assert.equal(await firstWords(session), 'service')
  assert.ok((await relay.revoke([given.id])).ok)
  assert.ok((await relay.revoke([given.id])).ok)
  assert.equal(await reach(A, at), 'reset')
  session.write('more')
  assert.equal(await firstWords(session), 'more')
})

test('an access grant leads to the configured service', async () => {
  const service = await named('service')
  const { relay, public: at } = await scene({ service: service.port })
  await opened(relay, grant(A, { kind: 'access', protocol: 'tcp', port: at }))
  assert.deepEqual([await reach(A, at), await reach(B, at)], ['service', 'reset'])
})

test('a forward grant leads to the inner host, from the address asked for', async () => {
  const inner = await serve((socket) => socket.write(`inner sees ${socket.remoteAddress}`), '127.0.0.9')
  const { relay, public: at } = await scene()
  const forward = { kind: 'forward', protocol: 'tcp', publicPort: at } as const
  const target = { address: '127.0.0.9' as IpAddress, port: inner.port }
  await opened(relay, grant(A, { ...forward, target, translation: { snat: '127.0.0.7' as IpAddress } }))
  await opened(relay, grant(B, { ...forward, target, translation: 'masquerade' }))
  assert.equal(await reach(A, at), 'inner sees 127.0.0.7')
  assert.match(await reach(B, at), /^inner sees 127\.0\.0\.[19]$/)
})

test('a ghost that listens on the other family only is found', async () => {
  const six = await named('six', '::1')
  const { relay, public: at } = await scene()
  await opened(relay, grant(A, ghost(at, six.port)))
  assert.equal(await reach(A, at), 'six')
})

test('what the relay cannot do is refused by name, and its neighbours are opened', async () => {
  const service = await named('service')
  const { relay, public: at } = await scene()
  const elsewhere = await freePort()
  assert.match(
    await refusal(relay, grant(A, { kind: 'ghost', protocol: 'udp', publicPort: at, localPort: service.port })),
    new RegExp(`^udp/${at}→${service.port}: the relay carries TCP only$`),
  )
  assert.match(
    await refusal(relay, grant(A, ghost(elsewhere, service.port))),
    new RegExp(`does not listen on tcp/${elsewhere}, only on tcp/${at}$`),
  )
  assert.match(await refusal(relay, grant(A, { kind: 'access', protocol: 'tcp', port: at })), /--nat-local/)
  assert.match(await refusal(relay, grant(A, ghost(at, at))), /the relay itself listens/)
  const target = { address: '127.3.2.1' as IpAddress, port: at }
  const back = { kind: 'forward', protocol: 'tcp', publicPort: at, target, translation: 'none' } as const
  assert.match(await refusal(relay, grant(A, back)), /leads back/)

  const results = await relay.open([grant(A, ghost(at, at)), grant(B, ghost(at, service.port))])
  assert.deepEqual(
    results.map(({ ok }) => ok),
    [false, true],
  )
  const half = grant(A, ghost(at, service.port), { kind: 'access', protocol: 'udp', port: port(53) })
  await refusal(relay, half)
  assert.equal(await reach(A, at), 'reset')
})

test('a port that is taken fails the whole install, and the others are let go', async () => {
  const taken = await named('taken')
  const free = await freePort()
  const listeners = [
    { port: free, decoy: 'reset', address: A },
    { port: taken.port, decoy: 'reset', address: A },
  ] as const
  const relay = createRelayFirewall({ listeners })
  const installed = await relay.install()
  assert.ok(!installed.ok)
  assert.equal(installed.failure.code, 'FIREWALL_UNAVAILABLE')
  assert.match(installed.failure.detail, new RegExp(`tcp/${taken.port} on 127.0.0.1: another program listens there`))
  assert.equal(await reach(A, free), 'ECONNREFUSED')
  taken.server.close()
})

test('installing twice is installing once', async () => {
  const { relay } = await scene()
  assert.ok((await relay.install()).ok)
})

test('a relay whose decoy is itself is refused', async () => {
  const at = await freePort()
  const relay = createRelayFirewall({ listeners: [{ port: at, decoy: { host: B, port: at } }] })
  const installed = await relay.install()
  assert.match(installed.ok ? '' : installed.failure.detail, /relayed to the relay itself/)
})

test('each direction ends by itself', async () => {
  const server = await serve((socket) => {
    let heard = ''
    socket.on('data', (data) => {
      heard += data
    })
    // It answers only after the caller has sent everything, and closes only then.
    socket.on('end', () => socket.end(`heard ${heard}`))
  })
  const { relay, public: at } = await scene()
  await opened(relay, grant(A, ghost(at, server.port)))
  const socket = caller(A, at)
  socket.end('hello')
  let answer = ''
  socket.on('data', (data) => {
    answer += data
  })
  await once(socket, 'end')
  assert.equal(answer, 'heard hello')
  await eventually('the connection is over', () => relay.load().granted === 0)
})

test('a service that speaks last and hangs up first is heard to the end', async () => {
  const everything = Buffer.alloc(5_000_000, 'x')
  const server = await serve((socket) => socket.end(everything))
  const { relay, public: at } = await scene()
  await opened(relay, grant(A, ghost(at, server.port)))
  const socket = caller(A, at)
  let heard = 0
  socket.on('data', (data) => {
    heard += data.length
  })
  await once(socket, 'end')
  assert.equal(heard, everything.length)
  socket.end()
  await eventually('the connection is over', () => relay.load().granted === 0)
})

for (const [who, spoil] of [
  ['the caller', (client: Socket, _server: Socket) => client.resetAndDestroy()],
  ['the service', (_client: Socket, server: Socket) => server.resetAndDestroy()],
] as const) {
  test(`a reset by ${who} reaches the other end as one`, async () => {
    let far: Socket | undefined
    const server = await serve((socket) => {
      far = socket
      socket.write('hello')
    })
    const { relay, public: at } = await scene()
    await opened(relay, grant(A, ghost(at, server.port)))
    const client = caller(A, at)
    assert.equal(await firstWords(client), 'hello')
    assert.ok(far !== undefined)
    const other = who === 'the caller' ? far : client
    const error = new Promise<NodeJS.ErrnoException>((resolve) => other.once('error', resolve))
    other.resume()
    spoil(client, far)
    assert.equal((await error).code, 'ECONNRESET')
    await eventually('the connection is over', () => relay.load().granted === 0)
  })
}

test('a slow reader slows the writer down, and memory stays bounded', async () => {
  let sender: Socket | undefined
  const server = await serve((socket) => {
    sender = socket
    const piece = Buffer.alloc(65_536)
    const more = (): void => {
      while (!socket.destroyed && socket.write(piece));
    }
    socket.on('drain', more)
    more()
  })
  const { relay, public: at } = await scene()
  await opened(relay, grant(A, ghost(at, server.port)))
  const client = caller(A, at)
  client.pause()
  await once(client, 'connect')
  await eventually('the server is connected', () => sender !== undefined)
  // The kernel's own buffers fill up first; then nothing may move any more.
  let before = -1
  let still = 0
  await eventually('the writer stands still', () => {
    const now = sender?.bytesWritten ?? 0
    still = now === before && now > 0 ? still + 1 : 0
    before = now
    return still > 40
  })
  assert.ok(before < 32 * 1024 * 1024, `${before} bytes were taken in for a reader that reads nothing`)
  let heard = 0
  client.on('data', (data) => {
    heard += data.length
  })
  client.resume()
  await eventually('it flows again', () => heard > before)
})

test('a service that is down resets the caller and is told once', async () => {
  const nobody = await freePort()
  const { relay, public: at, troubles, clock } = await scene()
  await opened(relay, grant(A, ghost(at, nobody)))
  for (let i = 0; i < 5; i++) assert.equal(await reach(A, at), 'reset')
  assert.equal(troubles.length, 1)
  assert.equal(troubles[0]?.kind, 'service')
  assert.match(troubles[0]?.detail ?? '', /from 127\.0\.0\.1: connect ECONNREFUSED/)
  clock.now += 10_000
  await reach(A, at)
  assert.deepEqual(
    troubles.map(({ count }) => count),
    [1, 5],
  )
})

/** A port that answers no SYN: its owner is stopped, and its queue is full. */
async function deafPort(): Promise<Port> {
  const program = `
    const server = require('node:net').createServer().listen({ host: '127.0.0.1', port: 0, backlog: 1 }, () => {
      process.stdout.write(String(server.address().port))
    })`
  const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] })
  cleanups.push(() => child.kill('SIGKILL'))
  const [said] = (await once(child.stdout, 'data')) as [Buffer]
  child.kill('SIGSTOP')
  const at = port(Number(said.toString()))
  for (let unanswered = false, tries = 0; !unanswered && tries < 10; tries++) {
    const socket = caller(A, at)
    unanswered = await Promise.race([
      once(socket, 'connect').then(() => false),
      new Promise<boolean>((resolve) => setTimeout(() => resolve(true), 200)),
    ])
  }
  return at
}

test('a decoy that does not take the call in time resets the stranger and is told', async () => {
  const { relay, public: at, troubles } = await scene({ decoy: await deafPort(), connectTimeout: milliseconds(100) })
  assert.equal(await reach(A, at), 'reset')
  assert.match(troubles[0]?.detail ?? '', /no answer from 127\.0\.0\.1 port/)
  await eventually('the place is free again', () => relay.load().strangers === 0)
})

test('close gives up calls that nobody has answered yet', async () => {
  const { relay, public: at } = await scene({ decoy: await deafPort() })
  const words = firstWords(caller(A, at))
  await eventually('the call is on', () => relay.load().strangers === 1)
  await relay.close()
  assert.equal(await words, 'reset')
})

test('a silent stranger is let go, a silent session is kept', async () => {
  const silent = await serve((socket) => socket.write('hello'))
  const { relay, public: at } = await scene({ decoy: silent.port, strangerIdle: milliseconds(100) })
  await opened(relay, grant(B, ghost(at, silent.port)))
  const [stranger, session] = [caller(A, at), caller(B, at)]
  assert.deepEqual([await firstWords(stranger), await firstWords(session)], ['hello', 'hello'])
  const [error] = (await once(stranger, 'error')) as [NodeJS.ErrnoException]
  assert.equal(error.code, 'ECONNRESET')
  await eventually('one is left', () => relay.load().strangers === 0)
  assert.equal(relay.load().granted, 1)
  assert.equal(session.destroyed, false)
})

test('a stranger who reads nothing of an answer that has ended is let go too', async () => {
  const hurried = await serve((socket) => socket.end(Buffer.alloc(32_000_000)))
  const { relay, public: at } = await scene({ decoy: hurried.port, strangerIdle: milliseconds(100) })
  const stranger = caller(A, at)
  stranger.pause()
  await eventually('the stranger is in', () => relay.load().strangers === 1)
  await eventually('the stranger is out', () => relay.load().strangers === 0)
})

test('strangers have their share and no more: a granted source still gets in', async () => {
  const [decoy, service] = [await named('decoy'), await named('service')]
  const limits = { connections: 12, strangers: 6, strangersPerSource: 4 }
  const { relay, public: at, troubles } = await scene({ decoy: decoy.port, limits })
  const words = async (source: IpAddress): Promise<string> => firstWords(caller(source, at))
  const many = async (source: IpAddress, count: number): Promise<string[]> => {
    const heard: string[] = []
    for (let i = 0; i < count; i++) heard.push(await words(source))
    return heard
  }
  assert.deepEqual(await many(A, 5), ['decoy', 'decoy', 'decoy', 'decoy', 'reset'])
  assert.deepEqual(await many(SIX, 3), ['decoy', 'decoy', 'reset'])
  await opened(relay, grant(B, ghost(at, service.port)))
  assert.deepEqual(await many(B, 3), ['service', 'service', 'reset'])
  assert.deepEqual(relay.load(), { granted: 2, strangers: 6, limits, refused: { granted: 1, strangers: 2 } })
  assert.deepEqual(
    troubles.map(({ kind, detail }) => [kind, detail]),
    [
      ['strangers full', `${A} has no grant, and no place is left for another connection from it`],
      ['grants full', `${B} has a grant of stanza 1, but no place is left for another connection from it`],
    ],
  )
})

test('a key holder who takes all that he can leaves room for the others', async () => {
  const service = await named('service')
  const { relay, public: at } = await scene({ limits: { connections: 90, strangers: 45, strangersPerSource: 45 } })
  await opened(relay, grant(A, ghost(at, service.port)), {
    ...grant(B, ghost(at, service.port)),
    stanza: 2 as StanzaId,
  })
  const greedy = await Promise.all(Array.from({ length: 200 }, () => firstWords(caller(A, at))))
  assert.equal(greedy.filter((words) => words === 'service').length, 30)
  assert.deepEqual(await Promise.all(Array.from({ length: 10 }, () => reach(B, at))), Array(10).fill('service'))
})

test('a stranger who reads nothing of an answer that never ends is let go', async () => {
  const endless = await serve((socket) => {
    const pour = (): void => {
      while (!socket.destroyed && socket.write(Buffer.alloc(65_536))) {
        // Until it is full.
      }
    }
    socket.on('drain', pour)
    pour()
  })
  const { relay, public: at } = await scene({ decoy: endless.port, strangerIdle: milliseconds(100) })
  caller(A, at).pause()
  await eventually('the stranger is in', () => relay.load().strangers === 1)
  await eventually('the stranger is out', () => relay.load().strangers === 0)
})

test('places are given back', async () => {
  const decoy = await named('decoy')
  const { relay, public: at } = await scene({ decoy: decoy.port, limits: { strangersPerSource: 2 } })
  for (let i = 0; i < 20; i++) {
    assert.equal(await reach(A, at), 'decoy')
    await eventually('it is over', () => relay.load().strangers === 0)
  }
})

test('two hundred connections at once each get their own bytes back', async () => {
  const service = await serve((socket) => socket.pipe(socket))
  const { relay, public: at } = await scene()
  await opened(relay, grant(A, ghost(at, service.port)))
  const echoes = await Promise.all(
    Array.from({ length: 200 }, async (_, i) => {
      const socket = caller(A, at)
      socket.write(`number ${i}`)
      return firstWords(socket)
    }),
  )
  assert.deepEqual(
    echoes,
    Array.from({ length: 200 }, (_, i) => `number ${i}`),
  )
})

test('close ends listening and every connection', async () => {
  const service = await named('service')
  const { relay, public: at } = await scene()
  await opened(relay, grant(A, ghost(at, service.port)))
  const session = caller(A, at)
  assert.equal(await firstWords(session), 'service')
  const ended = new Promise((resolve) => session.once('close', resolve))
  await relay.close()
  await ended
  assert.equal(await reach(A, at), 'ECONNREFUSED')
})
