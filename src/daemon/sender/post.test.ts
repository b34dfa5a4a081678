/** One try to deliver a webhook, to real servers: good ones, and ones that attack who delivers. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { createServer as createHttp, type RequestListener } from 'node:http'
import { createServer as createHttps } from 'node:https'
import { type AddressInfo, createServer as createTcp, type Socket } from 'node:net'
import { after, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { type Certificate, makeAuthority, makeCertificate } from '../../../test/support/tls-certificate.ts'
import { milliseconds } from '../../units.ts'
import { believe, post } from './post.ts'

const message = { headers: { 'x-ghostport-event': 'grant' }, body: '{"event":"grant"}' }
const to = (url: string) => ({ url, message })

const servers: { close(): void; closeAllConnections?(): void }[] = []
const sockets: Socket[] = []
after(() => {
  for (const socket of sockets) socket.destroy()
  for (const server of servers) {
    server.close()
    server.closeAllConnections?.()
  }
})

async function listening(server: ReturnType<typeof createTcp>): Promise<number> {
  servers.push(server)
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  return (server.address() as AddressInfo).port
}
const http = (answer: RequestListener): Promise<number> => listening(createHttp(answer))
const https = (certificate: Certificate, answer: RequestListener = taken): Promise<number> =>
  listening(createHttps(certificate, answer))
/** A server that does as it likes with each connection. */
const raw = (serve: (socket: Socket) => void): Promise<number> =>
  listening(
    createTcp((socket) => {
      sockets.push(socket.on('error', () => {}))
      serve(socket)
    }),
  )
const taken: RequestListener = (_, answer) => answer.writeHead(204).end()

describe('over TLS', () => {
  const ours = makeAuthority('ours')
  const others = makeAuthority('others')

  for (const [what, certificate, why] of [
    ['a certificate of our authority', ours.issue(['DNS:localhost']), undefined],
    [
      'a certificate that is its own authority',
      makeCertificate(['DNS:localhost']),
      /from no authority that is trusted/,
    ],
    ['a certificate of another authority', others.issue(['DNS:localhost']), /WEBHOOK_CA_FILE names others/],
    ['a certificate that has expired', ours.issue(['DNS:localhost'], -1), /has expired/],
    ['a certificate of another name', ours.issue(['DNS:evil.example']), /^its certificate is not for localhost$/],
    ['a certificate of the address alone', ours.issue(['IP:127.0.0.1']), /^its certificate is not for localhost$/],
  ] as const)
    it(`${why === undefined ? 'takes' : 'refuses'} ${what}`, async () => {
      let asked = 0
      const port = await https(certificate, (request, answer) => {
        asked++
        taken(request, answer)
      })
      const tried = await post(to(`https://localhost:${port}/`), believe(ours.cert))
      if (why === undefined) assert.deepEqual(tried, { how: 'delivered' })
      else {
        assert.ok(tried.how === 'failed', tried.how)
        assert.match(tried.why, why)
      }
      assert.equal(asked, why === undefined ? 1 : 0, 'what was to be sent has not left')
    })

  it('believes several authorities, and without any of ours those of Node.js, which know none of these', async () => {
    const url = `https://127.0.0.1:${await https(others.issue(['IP:127.0.0.1']))}/`
    assert.deepEqual(await post(to(url), believe(ours.cert + others.cert)), { how: 'delivered' })
    const tried = await post(to(url))
    assert.ok(tried.how === 'failed')
    assert.match(tried.why, /from no authority/)
  })

  it('verifies the certificate also where NODE_TLS_REJECT_UNAUTHORIZED=0 is set', async () => {
    const port = await https(others.issue(['DNS:localhost']))
    const file = JSON.stringify(new URL('./post.ts', import.meta.url).href)
    const script = `import(${file}).then(async ({ post }) => {
      console.log((await post({ url: 'https://localhost:${port}/', message: { headers: {}, body: '' } })).how)
    })`
    const env = { ...process.env, NODE_TLS_REJECT_UNAUTHORIZED: '0' }
    const argv = ['--conditions=ghostport-source', '-e', script]
    const run = await new Promise<string>((done, fail) =>
      execFile(process.execPath, argv, { env }, (error, stdout) => (error === null ? done(stdout) : fail(error))),
    )
    assert.equal(run.trim(), 'failed')
  })
})

describe('a server that', () => {
  /** For a try; what hangs is cut then. */
  const LIMIT = milliseconds(700)
  const head = 'HTTP/1.1 200 OK\r\n'

  it('leads elsewhere is not followed', async () => {
    let reached = 0
    const elsewhere = await http(() => void reached++)
    for (const status of [301, 302, 303, 307, 308]) {
      const port = await http((_, answer) =>
        answer.writeHead(status, { location: `http://127.0.0.1:${elsewhere}/` }).end(),
      )
      const tried = await post(to(`http://127.0.0.1:${port}/`))
      assert.deepEqual(tried, { how: 'final', why: `the server answered ${status}` })
    }
    assert.equal(reached, 0)
  })

  it('sends a body without end is not listened to', async () => {
    let sent = 0
    let closed = false
    const port = await raw((socket) => {
      socket.write(`${head}\r\n`)
      const more = Buffer.alloc(64 * 1024)
      const pour = (): void => {
        while (!socket.destroyed && sent < 256 * 1024 * 1024) {
          sent += more.length
          if (!socket.write(more)) return void socket.once('drain', pour)
        }
      }
      socket.once('data', pour)
      socket.once('close', () => {
        closed = true
      })
    })
    assert.deepEqual(await post(to(`http://127.0.0.1:${port}/`), {}, LIMIT), { how: 'delivered' })
    for (let i = 0; i < 50 && !closed; i++) await delay(20)
    assert.ok(closed)
    assert.ok(sent < 16 * 1024 * 1024, `${sent} bytes`)
  })

  const every = (ms: number, socket: Socket, text: string, first = ''): void => {
    socket.write(first)
    const timer = setInterval(() => socket.write(text), ms)
    socket.once('close', () => clearInterval(timer))
  }
  for (const [does, serve, secure] of [
    ['says nothing', () => {}],
    ['says nothing, where TLS was asked for', () => {}, true],
    ['sends its headers a byte at a time', (socket: Socket) => every(20, socket, 'x', head)],
    ['sends answers of 1xx without end', (socket: Socket) => every(5, socket, 'HTTP/1.1 103 Early Hints\r\n\r\n')],
    ['sends answers of 100 without end', (socket: Socket) => every(5, socket, 'HTTP/1.1 100 Continue\r\n\r\n')],
    ['sends headers without end', (socket: Socket) => every(1, socket, `x: ${'y'.repeat(4000)}\r\n`, head)],
    [
      'changes to another protocol',
      (socket: Socket) => socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n'),
    ],
    ['closes at once', (socket: Socket) => socket.destroy()],
    ['closes in the middle of its first line', (socket: Socket) => socket.end('HTTP/1.1 20')],
    ['does not speak HTTP', (socket: Socket) => socket.end('SSH-2.0-x\r\n')],
    ['does not speak TLS', (socket: Socket) => socket.end('HTTP/1.1 200 OK\r\n\r\n'), true],
  ] as readonly (readonly [string, (socket: Socket) => void, true?])[])
    it(`${does} is given up in time, and asked again later`, { timeout: 5000 }, async () => {
      const port = await raw((socket) => serve(socket))
      const begun = performance.now()
      const tried = await post(to(`${secure ? 'https' : 'http'}://127.0.0.1:${port}/`), {}, LIMIT)
      assert.equal(tried.how, 'failed')
      assert.ok(performance.now() - begun < LIMIT + 1500)
    })
})
