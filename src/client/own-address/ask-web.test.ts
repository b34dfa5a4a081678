/** Web services that tell the own address, well and badly: real servers on loopback, with and without TLS. */
import assert from 'node:assert/strict'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { Server } from 'node:net'
import { describe, it } from 'node:test'
import { answering, WITHOUT_ANSWER } from '../../../test/support/raw-answers.ts'
import { makeCertificate } from '../../../test/support/tls-certificate.ts'
import { milliseconds, type Port, port } from '../../units.ts'
import { type AskWebOptions, askWeb } from './ask-web.ts'
import type { Source } from './services.ts'

type Handler = (request: IncomingMessage, response: ServerResponse) => void

const certificate = makeCertificate(['IP:127.0.0.1', 'IP:::1', 'DNS:localhost'])

async function listening(server: Server, address: string): Promise<Port> {
  await new Promise<void>((resolve) => server.listen({ host: address, port: 0 }, resolve))
  server.unref()
  const at = server.address()
  assert.ok(at !== null && typeof at === 'object')
  return port(at.port)
}

/** A service over HTTPS. */
async function service(handler: Handler, host = '127.0.0.1'): Promise<Extract<Source, { kind: 'web' }>> {
  const at = await listening(createSecureServer(certificate, handler), host)
  return { kind: 'web', host, port: at, path: '/ip', secure: true }
}

const ask = (source: Extract<Source, { kind: 'web' }>, more: Partial<AskWebOptions> = {}) =>
  askWeb(source, { family: 4, authorities: certificate.cert, ...more })

const says =
  (text: string, status = 200, headers: Record<string, string> = {}): Handler =>
  (_request, response) => {
    response.writeHead(status, headers).end(text)
  }

describe('a web service that tells the own address', () => {
  it('is asked over HTTPS, and told nothing of us', async () => {
    let seen: IncomingMessage | undefined
    const source = await service((request, response) => {
      seen = request
      response.end('203.0.113.7\r\n')
    })
    assert.deepEqual(await ask(source), { address: '203.0.113.7' })
    assert.equal(seen?.url, '/ip')
    assert.equal(seen?.headers['user-agent'], undefined)
    await ask(source, { userAgent: 'Fwknop/2' })
    assert.equal(seen?.headers['user-agent'], 'Fwknop/2')
  })
  it('over IPv6 too', async () => {
    const source = await service(says('2001:db8::7'), '::1')
    assert.deepEqual(await ask(source, { family: 6 }), { address: '2001:db8::7' })
    assert.deepEqual(await ask(source), { problem: 'it has no IPv4 address' })
  })
  it('in pieces, as servers send that do not know the length', async () => {
    const source = await service((_request, response) => {
      response.write('203.0.')
      response.end('113.7\n')
    })
    assert.deepEqual(await ask(source), { address: '203.0.113.7' })
  })
  it('over plain HTTP where that is wanted', async () => {
    const at = await listening(createServer(says('203.0.113.7')), '127.0.0.1')
    const source = { kind: 'web', host: '127.0.0.1', port: at, path: '/', secure: false } as const
    assert.deepEqual(await ask(source), { address: '203.0.113.7' })
  })
  it('may redirect to another path of its own', async () => {
    const source = await service((request, response) => {
      if (request.url === '/ip') response.writeHead(301, { Location: '/there?x=1' }).end()
      else says(request.url === '/there?x=1' ? '203.0.113.7' : 'no')(request, response)
    })
    assert.deepEqual(await ask(source), { address: '203.0.113.7' })
  })

  for (const [does, bytes] of WITHOUT_ANSWER)
    it(`that ${does} has an answer that says so`, async () => {
      await using server = await answering(bytes)
      const source = { kind: 'web', host: '127.0.0.1', port: server.at, path: '/', secure: false } as const
      const answer = await ask(source)
      assert.ok('problem' in answer && /^[ -~]+$/.test(answer.problem), JSON.stringify(answer))
      assert.doesNotMatch(answer.problem, /in time/)
    })

  const problems: readonly (readonly [string, Handler, RegExp])[] = [
    ['redirects to another host', says('', 302, { Location: 'https://evil.example/' }), /redirects to another host/],
    ['redirects to another scheme', says('', 302, { Location: 'http://127.0.0.1/' }), /redirects to another host/],
    ['redirects nowhere', says('', 302, { Location: 'http://[' }), /redirects to another host/],
    ['redirects for ever', says('', 302, { Location: '/ip' }), /again and again/],
    ['fails', says('203.0.113.7', 500), /status 500/],
    ['says too much', says('x'.repeat(100_000)), /longer than 256 bytes/],
    ['says no address', says('<html>'), /not one IP address/],
    ['hangs up', (request) => request.socket.destroy(), /ECONNRESET/],
    ['sends huge headers', says('203.0.113.7', 200, { 'X-Long': 'x'.repeat(20_000) }), /HPE_HEADER_OVERFLOW/],
  ]
  for (const [name, handler, problem] of problems)
    it(`that ${name} is no answer`, async () => {
      const answer = await ask(await service(handler))
      assert.match('problem' in answer ? answer.problem : JSON.stringify(answer), problem)
    })
  it('that never answers, or never ends, is no answer', async () => {
    const limit = milliseconds(100)
    const endless: Handler = (_request, response) => void response.write('2')
    for (const handler of [() => {}, endless])
      assert.deepEqual(await ask(await service(handler), { limit }), { problem: 'it does not answer in time' })
  })
  it('that nobody vouches for is no answer, also where the environment says to trust all', async () => {
    process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0'
    try {
      const source = await service(says('203.0.113.7'))
      const answer = await askWeb(source, { family: 4 })
      assert.match('problem' in answer ? answer.problem : '', /from no authority that is trusted here/)
      const other = await ask({ ...source, host: '127.0.0.2' })
      assert.match('problem' in other ? other.problem : '', /ECONNREFUSED|not for 127\.0\.0\.2/)
    } finally {
      delete process.env['NODE_TLS_REJECT_UNAUTHORIZED']
    }
  })
})
