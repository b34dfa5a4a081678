/** The front under attack, by raw sockets: what no HTTP client library would send. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { record, text } from '../json-reader.ts'
import { parseNetwork } from '../packet/address.ts'
import { milliseconds } from '../units.ts'
import { DEFAULT_HTTP_LIMITS, type HttpLimits } from './limits.ts'
import { Incomplete, jsonReply, type Route, route } from './route.ts'
import { type HttpServer, type HttpServerOptions, openHttpServer } from './server.ts'

const limits: HttpLimits = {
  ...DEFAULT_HTTP_LIMITS,
  headTime: milliseconds(600),
  requestTime: milliseconds(900),
  idleTime: milliseconds(600),
  burstPerSource: 10_000,
}
const faults: unknown[] = []
const routes: readonly Route[] = [
  route<{ readonly word: string }>({
    method: 'POST',
    path: '/say',
    from: 'own',
    body: { kind: 'json', most: 100, read: record({ word: text({ max: 50 }) }, {}) },
    handle: ({ body, source, secure }) => jsonReply(200, { word: body.word, source, secure }),
  }),
  route({
    method: 'POST',
    path: '/form',
    from: 'own',
    body: { kind: 'form', most: 100, read: (fields) => fields.get('word') },
    handle: ({ body }) => jsonReply(200, { word: body }),
  }),
  route({
    method: 'POST',
    path: '/shared',
    from: 'named',
    body: { kind: 'json', most: 100, read: record({}, {}) },
    handle: () => jsonReply(200, {}),
  }),
  route({
    method: 'GET',
    path: '/who',
    from: 'any',
    body: { kind: 'none' },
    query: ['since'],
    handle: ({ source, query }) => jsonReply(200, { source, since: query.get('since') }),
  }),
  route({
    method: 'GET',
    path: '/slow',
    from: 'own',
    body: { kind: 'none' },
    async handle({ signal }) {
      await delay(400, undefined, { signal }).catch(() => {})
      return jsonReply(200, {})
    },
  }),
  route({
    method: 'GET',
    path: '/fault',
    from: 'own',
    body: { kind: 'none' },
    handle() {
      throw new Error('a mistake of ours')
    },
  }),
  route({
    method: 'GET',
    path: '/events',
    from: 'own',
    body: { kind: 'none' },
    handle: ({ signal }) => ({
      status: 200,
      headers: { 'content-type': 'text/event-stream' },
      async stream(write) {
        for (let i = 0; !signal.aborted && i < 3; i++) await write(`data: ${i}\n\n`)
      },
    }),
  }),
  route({
    method: 'GET',
    path: '/part',
    from: 'own',
    body: { kind: 'none' },
    handle: () => ({
      status: 200,
      async stream(write) {
        await write('a part')
        await delay(50)
        throw new Incomplete('of the whole')
      },
    }),
  }),
]

function options(more: Partial<HttpServerOptions> = {}): HttpServerOptions {
  return {
    listen: [{ kind: 'tcp', address: addressOf('127.0.0.1'), port: 0 }],
    routes,
    hosts: [{ name: 'gate.example' }],
    origins: ['https://page.example', 'null'],
    limits,
    onFault: (error) => faults.push(error),
    ...more,
  }
}

function addressOf(text: string) {
  const network = parseNetwork(text)
  assert.ok(network.ok)
  return network.value.prefix
}

async function open(more: Partial<HttpServerOptions> = {}): Promise<HttpServer> {
  const opened = await openHttpServer(options(more))
  assert.ok(opened.ok, JSON.stringify(opened))
  return opened.value
}

/** @returns all that came until the server closed the connection, or until it was silent for a while. */
function raw(to: HttpServer, sent: string | Buffer, { from = '127.0.0.1', silent = 250 } = {}): Promise<string> {
  const at = to.listening[0]
  assert.ok(at !== undefined)
  const socket = at.kind === 'tcp' ? connect({ host: at.address, port: at.port, localAddress: from }) : connect(at.path)
  return new Promise((resolve) => {
    let got = ''
    const end = (): void => {
      socket.destroy()
      resolve(got)
    }
    let timer = setTimeout(end, 2_000)
    socket.on('error', () => {})
    socket.on('close', () => {
      clearTimeout(timer)
      resolve(got)
    })
    socket.on('data', (chunk) => {
      got += chunk.toString('latin1')
      clearTimeout(timer)
      timer = setTimeout(end, silent)
    })
    socket.write(sent)
  })
}

const statuses = (answer: string): number[] =>
  [...answer.matchAll(/HTTP\/1\.1 ([0-9]{3})/g)].map(([, status]) => Number(status))

function post(path: string, body: string | Buffer, headers: readonly string[] = []): Buffer {
  const bytes = Buffer.from(body)
  const type = headers.some((it) => /^content-type:/i.test(it)) ? [] : ['content-type: application/json']
  const head = [`POST ${path} HTTP/1.1`, 'host: gate.example', `content-length: ${bytes.length}`, ...type, ...headers]
  return Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), bytes])
}
const get = (path: string, headers: readonly string[] = []): string =>
  `${[`GET ${path} HTTP/1.1`, 'host: gate.example', ...headers].join('\r\n')}\r\n\r\n`

describe('requests', { concurrency: 1 }, () => {
  let server: HttpServer
  before(async () => {
    server = await open()
  })
  after(() => server.close(100))

  const HELLO = '{"word":"hello"}'
  const table: readonly (readonly [what: string, sent: string | Buffer, status: number | undefined])[] = [
    ['a good one', post('/say', HELLO), 200],
    ['HTTP/1.0, as w3m', 'GET /who HTTP/1.0\r\nHost: gate.example\r\n\r\n', 200],
    ['HEAD', 'HEAD /who HTTP/1.1\r\nhost: gate.example\r\n\r\n', 200],
    ['an allowed query', get('/who?since=5'), 200],
    ['a query that is not allowed', get('/who?until=5'), 400],
    ['a query field twice', get('/who?since=5&since=6'), 400],
    ['an escape that is none', get('/who?since=%zz'), 400],
    ['NUL in a query', get('/who?since=%00'), 400],
    ['a query that is not UTF-8', get('/who?since=%ff'), 400],
    ['no such path', get('/etc/passwd'), 404],
    ['a path upwards', get('/../../etc/passwd'), 404],
    ['an encoded path upwards', get('/%2e%2e/%2e%2e/etc/passwd'), 404],
    ['another spelling of a path', get('/who/'), 404],
    ['a method that the path has not', get('/say'), 405],
    ['a method that nothing has', 'DELETE /say HTTP/1.1\r\nhost: gate.example\r\n\r\n', 405],
    ['TRACE', 'TRACE / HTTP/1.1\r\nhost: gate.example\r\n\r\n', 405],
    ['CONNECT', 'CONNECT gate.example:22 HTTP/1.1\r\nhost: gate.example\r\n\r\n', undefined],
    ['an upgrade', get('/who', ['connection: upgrade', 'upgrade: websocket']), 400],
    ['a whole URL', 'GET http://gate.example/who HTTP/1.1\r\nhost: gate.example\r\n\r\n', 400],
    ['an asterisk', 'OPTIONS * HTTP/1.1\r\nhost: gate.example\r\n\r\n', 400],
    ['NUL in a path', 'GET /who\0 HTTP/1.1\r\nhost: gate.example\r\n\r\n', 400],
    ['bytes above ASCII in a path', Buffer.from('GET /wh\xf6 HTTP/1.1\r\nhost: gate.example\r\n\r\n', 'latin1'), 400],
    ['a long path', get(`/${'a'.repeat(2_000)}`), 414],
    ['a body with GET', 'GET /who HTTP/1.1\r\nhost: gate.example\r\ncontent-length: 2\r\n\r\nab', 400],
    ['no host', 'GET /who HTTP/1.1\r\n\r\n', 400],
    ['two hosts', get('/who', ['host: gate.example']), 400],
    ['another host (DNS rebinding)', 'GET /who HTTP/1.1\r\nhost: evil.example\r\n\r\n', 421],
    ['the own address, which is not in the list', 'GET /who HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n', 421],
    ['a host with a tail', 'GET /who HTTP/1.1\r\nhost: gate.example.evil.example\r\n\r\n', 421],
    ['a host with a user', 'GET /who HTTP/1.1\r\nhost: gate.example@evil.example\r\n\r\n', 421],
    ['the own host with a port', 'GET /who HTTP/1.1\r\nhost: gate.example:8443\r\n\r\n', 200],
    ['HTTP/2 without TLS', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400],
    ['HTTP/0.9', 'GET /who\r\n\r\n', 505],
    ['no HTTP at all', '\x16\x03\x01\x02\x00\x01', 400],
    ['a header without a name', get('/who', [': x']), 400],
    ['a header that is continued', get('/who', ['x-a: b', ' c: d']), 400],
    ['a space before the colon', get('/who', ['x-a : b']), 400],
    ['NUL in a header', get('/who', ['x-a: b\0c']), 400],
    ['a bare line feed', 'GET /who HTTP/1.1\nhost: gate.example\n\n', 400],
    ['a bare carriage return', 'GET /who HTTP/1.1\r\nhost: gate.example\r\nx-a: b\rc: d\r\n\r\n', 400],
    ['headers without end', get('/who', [`x-a: ${'b'.repeat(20_000)}`]), 431],
    // Request smuggling: two programs that count the body in two ways.
    ['length and chunks', post('/say', HELLO, ['transfer-encoding: chunked']), 400],
    [
      'chunks alone',
      'POST /say HTTP/1.1\r\nhost: gate.example\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
      411,
    ],
    ['chunks in disguise', post('/say', HELLO, ['transfer-encoding: xchunked']), 400],
    ['chunks with a tab', post('/say', HELLO, ['transfer-encoding:\tchunked']), 400],
    ['two lengths', post('/say', HELLO, ['content-length: 5']), 400],
    ['two equal lengths', post('/say', HELLO, [`content-length: ${HELLO.length}`]), 400],
    ['a length with a sign', 'POST /say HTTP/1.1\r\nhost: gate.example\r\ncontent-length: +5\r\n\r\nhello', 400],
    ['a length below zero', 'POST /say HTTP/1.1\r\nhost: gate.example\r\ncontent-length: -5\r\n\r\nhello', 400],
    ['a length in hexadecimal', 'POST /say HTTP/1.1\r\nhost: gate.example\r\ncontent-length: 0x5\r\n\r\nhello', 400],
    ['a list of lengths', 'POST /say HTTP/1.1\r\nhost: gate.example\r\ncontent-length: 5, 5\r\n\r\nhello', 400],
    ['no length', 'POST /say HTTP/1.1\r\nhost: gate.example\r\ncontent-type: application/json\r\n\r\n', 411],
    [
      'a huge length',
      'POST /say HTTP/1.1\r\nhost: gate.example\r\ncontent-type: application/json\r\ncontent-length: 99999999999\r\n\r\n',
      413,
    ],
    ['a body above the limit', post('/say', `{"word":"${'a'.repeat(200)}"}`), 413],
    ['a body that is expected first', post('/say', HELLO, ['expect: 100-continue']), 417],
    ['a compressed body', post('/say', HELLO, ['content-encoding: gzip']), 400],
    ['another type', post('/say', HELLO, ['content-type: text/plain']), 415],
    ['a type that a form can send', post('/say', HELLO, ['content-type: application/x-www-form-urlencoded']), 415],
    ['another charset', post('/say', HELLO, ['content-type: application/json; charset=utf-16']), 415],
    ['no JSON', post('/say', '{"word":'), 400],
    ['JSON of another form', post('/say', '["hello"]'), 400],
    ['one field too many', post('/say', '{"word":"a","more":1}'), 400],
    ['a prototype', post('/say', '{"word":"a","__proto__":{}}'), 400],
    ['deep JSON', post('/say', `${'['.repeat(45)}${']'.repeat(45)}`), 400],
    ['bytes that are not UTF-8', post('/say', Buffer.from('{"word":"\xff"}', 'latin1')), 400],
    ['half of a character', post('/say', Buffer.from('{"word":"\xe2\x82"}', 'latin1')), 400],
    ['an overlong spelling', post('/say', Buffer.from('{"word":"\xc0\xaf"}', 'latin1')), 400],
    ['a byte order mark', post('/say', Buffer.from('\xef\xbb\xbf{"word":"a"}', 'latin1')), 400],
    ['an empty body', post('/say', ''), 400],
    ['a form', post('/form', 'word=a+b%21', ['content-type: application/x-www-form-urlencoded']), 200],
    ['a form field twice', post('/form', 'word=a&word=b', ['content-type: application/x-www-form-urlencoded']), 400],
    ['NUL in a form', post('/form', 'word=%00', ['content-type: application/x-www-form-urlencoded']), 400],
    // Pages of others.
    ['a page of our own', post('/say', HELLO, ['origin: http://gate.example', 'sec-fetch-site: same-origin']), 200],
    ['a page of another site', post('/say', HELLO, ['origin: https://evil.example']), 403],
    ['a page of another site that hides its origin', post('/say', HELLO, ['sec-fetch-site: cross-site']), 403],
    ['a page of a sister site', post('/say', HELLO, ['sec-fetch-site: same-site']), 403],
    ['a page of another port', post('/say', HELLO, ['origin: http://gate.example:8080']), 403],
    ['a page in a sandbox', post('/say', HELLO, ['origin: null']), 403],
    ['two origins', post('/say', HELLO, ['origin: http://gate.example', 'origin: https://evil.example']), 400],
    ['a page that is named, where none is', post('/say', HELLO, ['origin: https://page.example']), 403],
    [
      'a page that is named',
      post('/shared', '{}', ['origin: https://page.example', 'sec-fetch-site: cross-site']),
      200,
    ],
    ['a page from a file, named', post('/shared', '{}', ['origin: null', 'sec-fetch-site: cross-site']), 200],
    ['a page that is not named', post('/shared', '{}', ['origin: https://evil.example']), 403],
    ['a mistake of ours', get('/fault'), 500],
  ]
  for (const [what, sent, status] of table)
    it(`${what}: ${status ?? 'no answer'}`, async () => {
      const answer = await raw(server, sent)
      assert.deepEqual(statuses(answer), status === undefined ? [] : [status], answer)
    })

  it('a mistake of ours is told to us, and not to the visitor', async () => {
    const answer = await raw(server, get('/fault'))
    assert.ok(faults.length > 0)
    assert.doesNotMatch(answer, /mistake/)
  })

  it('each answer has the headers that forbid', async () => {
    for (const sent of [get('/who'), get('/nothing'), post('/say', 'x'), get('/fault')]) {
      const answer = await raw(server, sent)
      assert.match(answer, /\r\ncontent-security-policy: default-src 'none'; .*require-trusted-types-for 'script'/)
      for (const header of [
        'x-content-type-options: nosniff',
        'referrer-policy: no-referrer',
        'cache-control: no-store',
      ])
        assert.ok(answer.includes(`\r\n${header}\r\n`), answer)
      assert.doesNotMatch(answer, /strict-transport-security|x-powered-by|\r\nserver:|\r\ndate:/i)
    }
  })

  it('only named pages may read an answer, after the preflight of their browser', async () => {
    const ask = (path: string, origin: string, method = 'POST'): Promise<string> =>
      raw(
        server,
        `OPTIONS ${path} HTTP/1.1\r\nhost: gate.example\r\norigin: ${origin}\r\naccess-control-request-method: ${method}\r\n\r\n`,
      )
    const named = await ask('/shared', 'https://page.example')
    assert.deepEqual(statuses(named), [204])
    assert.match(named, /\r\naccess-control-allow-origin: https:\/\/page\.example\r\n/)
    assert.doesNotMatch(named, /allow-credentials/)
    assert.deepEqual(statuses(await ask('/shared', 'https://evil.example')), [403])
    assert.deepEqual(statuses(await ask('/say', 'https://page.example')), [403])
    assert.deepEqual(statuses(await ask('/shared', 'https://page.example', 'PUT')), [403])
    assert.match(
      await raw(server, get('/who', ['origin: https://any.example'])),
      /\r\naccess-control-allow-origin: \*\r\n/,
    )
    assert.doesNotMatch(await raw(server, post('/say', HELLO)), /access-control-allow-origin/)
  })

  it('requests in a row are answered in their order', async () => {
    const answer = await raw(
      server,
      Buffer.concat([post('/say', HELLO), Buffer.from(get('/who')), post('/say', HELLO)]),
    )
    assert.deepEqual(statuses(answer), [200, 200, 200])
  })

  it('after a refusal, nothing more of the connection is read', async () => {
    const smuggled = post('/say', HELLO, ['transfer-encoding: chunked'])
    assert.deepEqual(statuses(await raw(server, Buffer.concat([smuggled, Buffer.from(get('/who'))]))), [400])
    const foreign = post('/say', HELLO, ['origin: https://evil.example'])
    assert.deepEqual(statuses(await raw(server, Buffer.concat([foreign, Buffer.from(get('/who'))]))), [403])
  })

  it('events come as a stream', async () => {
    assert.match(await raw(server, get('/events')), /data: 0\n\n[\s\S]*data: 2\n\n/)
  })

  it('a stream that breaks off is cut: nobody takes a part for the whole', async () => {
    const before = faults.length
    const answer = await raw(server, get('/part'))
    assert.match(answer, /a part/)
    assert.doesNotMatch(answer, /\r\n0\r\n\r\n$/)
    assert.equal(faults.length, before)
  })

  it('a slow request ends: nothing at all, half a head, half a body, a byte now and then', async () => {
    const began = performance.now()
    const answers = await Promise.all([
      raw(server, '', { silent: 3_000 }),
      raw(server, 'GET /who HTTP/1.1\r\nhost: gate', { silent: 3_000 }),
      raw(server, post('/say', HELLO).subarray(0, -4), { silent: 3_000 }),
      trickle(server),
    ])
    assert.ok(performance.now() - began < 2_600)
    assert.deepEqual(answers.map(statuses), [[408], [408], [408], [408]])
  })

  it('forged forwarding headers change nothing where no proxy is named', async () => {
    const answer = await raw(server, get('/who', ['x-forwarded-for: 192.0.2.66', 'forwarded: for=192.0.2.66']))
    assert.match(answer, /"source":"127\.0\.0\.1"/)
  })
})

/** One byte each 100 ms. */
function trickle(to: HttpServer): Promise<string> {
  const at = to.listening[0]
  assert.ok(at?.kind === 'tcp')
  const socket = connect({ host: at.address, port: at.port })
  return new Promise((resolve) => {
    let got = ''
    let sent = 0
    const step = setInterval(
      () => socket.write('GET /who HTTP/1.1\r\nx-a: aaaaaaaaaaaaaaaaaaaaaaa'[sent++ % 40] ?? 'a'),
      100,
    )
    socket.on('error', () => {})
    socket.on('data', (chunk) => {
      got += chunk.toString('latin1')
    })
    socket.on('close', () => {
      clearInterval(step)
      resolve(got)
    })
  })
}

describe('limits', { concurrency: 1 }, () => {
  it('connections of one source, and then another source still gets in', async () => {
    const server = await open({ limits: { ...limits, connections: 8, connectionsPerSource: 6 } })
    const at = server.listening[0]
    assert.ok(at?.kind === 'tcp')
    const held = Array.from({ length: 20 }, () => connect({ host: at.address, port: at.port }))
    for (const socket of held) socket.on('error', () => {})
    await delay(100)
    assert.equal(server.connections, 6)
    // The places are not yet taken: 6 of 8.
    assert.deepEqual(statuses(await raw(server, get('/who'), { from: '127.0.0.2', silent: 50 })), [200])
    assert.deepEqual(statuses(await raw(server, get('/who'), { from: '127.0.0.1', silent: 50 })), [])
    // All places are taken by two sources: a third one still gets in, at the cost of the greater one.
    const more = Array.from({ length: 2 }, () =>
      connect({ host: at.address, port: at.port, localAddress: '127.0.0.3' }),
    )
    for (const socket of more) socket.on('error', () => {})
    await delay(50)
    assert.deepEqual(statuses(await raw(server, get('/who'), { from: '127.0.0.4', silent: 50 })), [200])
    assert.ok((server.refusals.get('made room') ?? 0) >= 1)
    for (const socket of [...held, ...more]) socket.destroy()
    await server.close(100)
  })

  it('a flood of requests of one source: 429, while another source is answered', async () => {
    const server = await open({ limits: { ...limits, burstPerSource: 5, ratePerSource: 1 } })
    const flood = await Promise.all(Array.from({ length: 20 }, () => raw(server, get('/who'), { silent: 50 })))
    const all = flood.flatMap(statuses)
    assert.equal(all.filter((status) => status === 200).length, 5)
    assert.equal(all.filter((status) => status === 429).length, 15)
    assert.deepEqual(statuses(await raw(server, get('/who'), { from: '127.0.0.2', silent: 50 })), [200])
    await server.close(100)
  })

  it('requests in a row that wait for their answers are bounded for a source', async () => {
    const server = await open({ limits: { ...limits, waitingPerSource: 3 } })
    const answer = await raw(server, get('/slow').repeat(10), { silent: 600 })
    assert.deepEqual(statuses(answer), [200, 200, 200, 429])
    await server.close(100)
  })

  it('a connection carries so many requests', async () => {
    const server = await open({ limits: { ...limits, requestsPerConnection: 3 } })
    assert.equal(statuses(await raw(server, get('/who').repeat(10))).filter((status) => status === 200).length, 3)
    await server.close(100)
  })
})

describe('named proxies and Unix sockets', { concurrency: 1 }, () => {
  it('of what a named proxy forwards, the right-most address that is no proxy counts', async () => {
    const networks = ['127.0.0.1', '10.0.0.0/8'].map((it) => {
      const network = parseNetwork(it)
      assert.ok(network.ok)
      return network.value
    })
    const server = await open({ proxies: { networks, overUnixSocket: false } })
    const sourceBy = async (headers: readonly string[], from?: string): Promise<string | undefined> => {
      const answer = await raw(server, get('/who', headers), { silent: 50, ...(from === undefined ? {} : { from }) })
      return /"source":"([^"]*)"/.exec(answer)?.[1] ?? `${statuses(answer)}`
    }
    assert.equal(await sourceBy(['x-forwarded-for: 192.0.2.66, 198.51.100.7']), '198.51.100.7')
    assert.equal(await sourceBy(['x-forwarded-for: 192.0.2.66, 198.51.100.7, 10.1.2.3']), '198.51.100.7')
    assert.equal(await sourceBy(['x-forwarded-for: 192.0.2.66', 'x-forwarded-for: 198.51.100.7']), '198.51.100.7')
    assert.equal(await sourceBy(['forwarded: for=192.0.2.66, for="[2001:db8::7]:4711";proto=https']), '2001:db8::7')
    assert.equal(await sourceBy([]), '127.0.0.1')
    assert.equal(await sourceBy(['x-forwarded-for: nobody']), '400')
    assert.equal(await sourceBy(['x-forwarded-for: 198.51.100.7', 'forwarded: for=192.0.2.66']), '400')
    assert.equal(await sourceBy(['x-forwarded-for: 198.51.100.7'], '127.0.0.2'), '127.0.0.2')
    // Behind a proxy the page is of https://.
    const own = await raw(server, post('/say', '{"word":"a"}', ['origin: https://gate.example']), { silent: 50 })
    assert.match(own, /"secure":true/)
    assert.match(own, /strict-transport-security/)
    await server.close(100)
  })

  it('a Unix socket is made with its mode, and removed; one that is in use is left alone', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'ghostport-http-'))
    try {
      const path = join(folder, 'socket')
      const listen = [{ kind: 'unix', path, mode: 0o660 } as const]
      const server = await open({ listen, proxies: { networks: [], overUnixSocket: true } })
      assert.match(await raw(server, get('/who', ['x-forwarded-for: 198.51.100.7'])), /"source":"198\.51\.100\.7"/)
      const second = await openHttpServer(options({ listen }))
      assert.ok(!second.ok)
      assert.equal(second.failure.code, 'HTTP_UNAVAILABLE')
      await server.close(100)
      const again = await open({ listen })
      await again.close(100)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  it('a place that is taken is named', async () => {
    const server = await open()
    const at = server.listening[0]
    assert.ok(at?.kind === 'tcp')
    const second = await openHttpServer(options({ listen: [at] }))
    assert.ok(!second.ok)
    assert.match(second.failure.detail, new RegExp(`^127\\.0\\.0\\.1:${at.port}: another program listens there$`))
    await server.close(100)
  })

  it('a stop lets an answer end that is begun, and ends what waits', async () => {
    const server = await open()
    const idle = raw(server, '', { silent: 3_000 })
    const slow = raw(server, get('/slow'), { silent: 3_000 })
    await delay(100)
    const began = performance.now()
    await server.close(300)
    assert.ok(performance.now() - began < 600)
    assert.deepEqual(statuses(await slow), [200])
    assert.deepEqual(statuses(await idle), [])
  })
})
