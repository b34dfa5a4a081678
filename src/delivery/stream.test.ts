/** What can go wrong with a connection that carries a packet: with real servers, on loopback. */
import assert from 'node:assert/strict'
import { createServer, type Socket } from 'node:net'
import { after, describe, it } from 'node:test'
import { createServer as createTlsServer } from 'node:tls'
import { makeCertificate } from '../../test/support/tls-certificate.ts'
import { parseAddress } from '../packet/address.ts'
import { milliseconds, type Port, port } from '../units.ts'
import { httpDelivery } from './http.ts'
import { httpsDelivery } from './https.ts'
import { tcpDelivery } from './tcp.ts'

const loopback = parseAddress('127.0.0.1')
assert.ok(loopback.ok)
const address = loopback.value
const TEXT = 'A'.repeat(200)

/** A server on loopback. @returns its port. */
async function serve(onConnection: (socket: Socket) => void): Promise<Port> {
  const server = createServer((socket) => {
    socket.on('error', () => {}).unref()
    onConnection(socket)
    socket.resume()
  })
  await new Promise<void>((resolve) => server.listen({ host: '127.0.0.1', port: 0 }, resolve))
  server.unref()
  return portOf(server)
}

function portOf(server: { address(): unknown }): Port {
  const at = server.address()
  assert.ok(typeof at === 'object' && at !== null && 'port' in at && typeof at.port === 'number')
  return port(at.port)
}

describe('TCP', () => {
  it('leaves when its signal ends it, and says so', async () => {
    const ended = await tcpDelivery().send({ text: TEXT, address, port: port(9) }, AbortSignal.abort())
    assert.ok(!ended.ok)
    assert.equal(ended.failure.detail, '127.0.0.1 port 9/tcp: ended by the caller')
  })
  it('does not wait for what a server says', async () => {
    let onClosed: (() => void) | undefined
    const closed = new Promise<void>((resolve) => {
      onClosed = resolve
    })
    const at = await serve((socket) => socket.on('close', () => onClosed?.()))
    assert.ok((await tcpDelivery().send({ text: TEXT, address, port: at })).ok)
    await closed
  })
})

describe('a proxy', () => {
  const proxied = { server: 'spa.example', proxy: 'proxy.example' }
  const answers = (text: string) =>
    serve((socket) =>
      socket.once('data', () => {
        socket.write(text)
      }),
    )

  it('that wants a user and a password is a refusal that says so', async () => {
    const at = await answers('HTTP/1.1 407 Proxy Authentication Required\r\n')
    const plain = await httpDelivery(proxied).send({ text: TEXT, address, port: at })
    assert.ok(!plain.ok)
    assert.equal(plain.failure.detail, `the proxy 127.0.0.1 port ${at}/tcp: it wants a user name and a password (407)`)
    const wrong = await httpDelivery({ ...proxied, proxyUser: 'a' }).send({ text: TEXT, address, port: at })
    assert.match(wrong.ok ? '' : wrong.failure.detail, /refuses user name and password \(407\)$/)
  })
  for (const [answer, status] of [
    ['HTTP/1.1 200 OK\r\n', 200],
    ['HTTP/1.0 502 Bad Gateway\r\n\r\n', 502],
    ['SSH-2.0-OpenSSH\r\n', undefined],
    [`HTTP/1.1 200 ${'x'.repeat(5_000)}`, 200],
    ['x'.repeat(100_000), undefined],
  ] as const)
    it(`that answers ${JSON.stringify(answer.slice(0, 20))} has the packet, and its status is told`, async () => {
      const sent = await httpDelivery(proxied).send({ text: TEXT, address, port: await answers(answer) })
      assert.ok(sent.ok)
      assert.equal(sent.value.httpStatus, status)
    })
  it('that never answers, or hangs up, has the packet too', async () => {
    const silent = await serve(() => {})
    const limits = { answerLimit: milliseconds(50) }
    assert.ok((await httpDelivery({ ...proxied, ...limits }).send({ text: TEXT, address, port: silent })).ok)
    const rude = await serve((socket) => socket.once('data', () => socket.destroy()))
    assert.ok((await httpDelivery(proxied).send({ text: TEXT, address, port: rude })).ok)
    const reset = await serve((socket) => socket.once('data', () => socket.resetAndDestroy()))
    assert.ok((await httpDelivery(proxied).send({ text: TEXT, address, port: reset })).ok)
  })
  it('that may not be written into a request is refused before a connection', async () => {
    const sent = await httpDelivery({ ...proxied, proxyUser: 'a:b' }).send({ text: TEXT, address, port: port(9) })
    assert.match(sent.ok ? '' : sent.failure.detail, /cannot be written: the user name for the proxy has a colon/)
  })
})

describe('a tunnel through a proxy', () => {
  const limits = { connectLimit: milliseconds(300) }
  const tunnelled = { name: 'spa.example', server: 'spa.example', tunnel: { to: 'spa.example:443' }, ...limits }
  const refusals: readonly (readonly [string, string | undefined, RegExp])[] = [
    ['wants a password', 'HTTP/1.1 407 Authenticate\r\n\r\n', /wants a user name and a password \(407\)$/],
    ['may not', 'HTTP/1.1 403 Forbidden\r\nX: y\r\n\r\n', /it does not connect to spa\.example:443, and answers 403$/],
    ['says more than that', 'HTTP/1.1 200 OK\r\n\r\nmore', /what is no answer to CONNECT$/],
    ['is none', 'SSH-2.0-OpenSSH\r\n\r\n', /what is no answer to CONNECT$/],
    ['never comes to the point', 'x'.repeat(100_000), /what is no answer to CONNECT$/],
    ['never answers', '', /no tunnel within 0\.3 s$/],
    ['hangs up', undefined, /it closed the connection$/],
  ]
  for (const [what, answer, cause] of refusals)
    it(`that ${what} is a refusal that says so`, async () => {
      const at = await serve((socket) =>
        socket.once('data', () => (answer === undefined ? socket.end() : socket.write(answer))),
      )
      const sent = await httpsDelivery(tunnelled).send({ text: TEXT, address, port: at })
      assert.ok(!sent.ok)
      assert.match(sent.failure.detail, new RegExp(`^the proxy 127\\.0\\.0\\.1 port ${at}/tcp: `))
      assert.match(sent.failure.detail, cause)
    })
})

describe('HTTPS', () => {
  const good = makeCertificate(['DNS:spa.example', 'IP:127.0.0.1'])
  const expired = makeCertificate(['DNS:spa.example'], -1)
  const tls = async (certificate: typeof good): Promise<Port> => {
    const server = createTlsServer(certificate, (socket) => socket.on('error', () => {}).resume())
    server.on('tlsClientError', () => {})
    await new Promise<void>((resolve) => server.listen({ host: '127.0.0.1', port: 0 }, resolve))
    server.unref()
    return portOf(server)
  }
  const limits = { connectLimit: milliseconds(2_000), answerLimit: milliseconds(50) }
  const send = async (at: Port, name: string, authorities?: string) => {
    const trust = authorities === undefined ? {} : { authorities }
    const delivery = httpsDelivery({ name, server: name, ...limits, ...trust })
    return delivery.send({ text: TEXT, address, port: at })
  }

  it('accepts a certificate for the name, and for an address', async () => {
    const at = await tls(good)
    assert.ok((await send(at, 'spa.example', good.cert)).ok)
    assert.ok((await send(at, '127.0.0.1', good.cert)).ok)
  })
  const refusals: readonly [string, () => Promise<readonly [Port, string, string?]>, RegExp][] = [
    [
      'for another name',
      async () => [await tls(good), 'other.example', good.cert],
      /is not for other\.example \(ERR_TLS/,
    ],
    ['of nobody that is trusted', async () => [await tls(good), 'spa.example'], /no authority that is trusted here/],
    [
      'that has expired',
      async () => [await tls(expired), 'spa.example', expired.cert],
      /has expired \(CERT_HAS_EXPIRED\)/,
    ],
    [
      'that is none: plain HTTP',
      async () => [await serve((socket) => socket.end('HTTP/1.0 400 Bad\r\n\r\n')), 'spa.example'],
      /does not speak TLS/,
    ],
    ['that never comes', async () => [await serve(() => {}), 'spa.example'], /no connection within 2 s/],
  ]
  for (const [what, given, cause] of refusals)
    it(`refuses a certificate ${what}, and names host, port and cause`, async () => {
      const [at, name, authorities] = await given()
      const sent = await send(at, name, authorities)
      assert.ok(!sent.ok)
      assert.match(sent.failure.detail, new RegExp(`^127\\.0\\.0\\.1 port ${at}/tcp: `))
      assert.match(sent.failure.detail, cause)
    })
  it('verifies also where the environment says not to', async () => {
    process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0'
    after(() => delete process.env['NODE_TLS_REJECT_UNAUTHORIZED'])
    assert.ok(!(await send(await tls(good), 'spa.example')).ok)
  })
})
