/**
 * A program: attacks a gateway over HTTPS for some seconds, from many addresses of this host, and until a file is
 * there. Prints `begun`, and at the end what came of it as one line of JSON.
 *
 *     gateway-attacker.ts KIND ADDRESS SECONDS SOURCES FILE
 */

import { existsSync } from 'node:fs'
import { connect as connectPlain, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { connect, type TLSSocket } from 'node:tls'
import { milliseconds } from '../../src/units.ts'
import { sealedPacket } from './sealed.ts'

const [kind = '', host = '', seconds = '', list = '', enough = ''] = process.argv.slice(2)
const sources = list.split(',')
/** Also where the file never comes. */
const LONGEST = milliseconds(60_000)
let until = Number.POSITIVE_INFINITY
const HOST = 'host: gate.example'
/** Connections from each address: more than the gateway lets one have. */
const EACH = 34
/** Of them, those that never speak TLS. */
const SILENT = 10
const PAUSE = milliseconds(50)

const counts = { connected: 0, refused: 0, closed: 0, sent: 0 }
const statuses = new Map<string, number>()

function told(bytes: Buffer): void {
  for (const [, status = ''] of `${bytes}`.matchAll(/HTTP\/1\.1 ([0-9]{3})/g))
    statuses.set(status, (statuses.get(status) ?? 0) + 1)
}

/** @returns undefined where it ends before TLS is agreed. */
function open(localAddress: string | undefined): Promise<TLSSocket | undefined> {
  return new Promise((resolve) => {
    const from = localAddress === undefined ? {} : { localAddress }
    const socket = connect({ host, port: 443, rejectUnauthorized: false, servername: 'gate.example', ...from })
    socket.once('secureConnect', () => {
      counts.connected++
      resolve(socket)
    })
    socket.on('data', told)
    socket.on('error', () => {})
    socket.once('close', () => {
      counts.closed++
      resolve(undefined)
    })
  })
}

const isOver = (): boolean => {
  const late = performance.now() - until
  return late >= LONGEST || (late >= 0 && existsSync(enough))
}

function begun(): void {
  until = performance.now() + Number(seconds) * 1_000
  process.stdout.write('begun\n')
}

/** Over as many connections as can be had. The time begins when the first of them are there. */
async function each(attack: (socket: TLSSocket) => Promise<void>, count = EACH): Promise<void> {
  const places = sources.flatMap((source) => Array<string>(count).fill(source))
  const first = await Promise.all(places.map(open))
  begun()
  await Promise.all(
    places.map(async (source, i) => {
      let socket = first[i]
      while (!isOver()) {
        if (socket === undefined) {
          counts.refused++
          await delay(10 * PAUSE)
        } else {
          await attack(socket)
          socket.destroy()
        }
        socket = isOver() ? undefined : await open(source)
      }
    }),
  )
}

/** @returns the status of one request; `closed` without one. */
async function status(request: string | Buffer): Promise<string> {
  const socket = await open(sources[0])
  if (socket === undefined) return 'closed'
  let text = ''
  socket.on('data', (bytes) => {
    text += bytes
  })
  socket.write(request)
  for (let i = 0; i < 100 && !socket.destroyed && !/\r\n\r\n/.test(text); i++) await delay(PAUSE / 2)
  socket.destroy()
  return text
}

const post = (body: string, ...headers: readonly string[]): string =>
  [`POST /v1/knock HTTP/1.1`, HOST, 'content-type: application/json', ...headers, '', body].join('\r\n')
const knock = (): string => {
  const body = JSON.stringify({ target: 'office', packet: sealedPacket() })
  return post(body, `content-length: ${body.length}`)
}

const attacks: Readonly<Record<string, () => Promise<unknown>>> = {
  /** A byte of a header, and of a body, from time to time. */
  async slow() {
    let turn = 0
    await each(async (socket) => {
      const isHead = turn++ % 2 === 0
      socket.write(isHead ? 'GET /v1/address HTTP/1.1\r\nx: ' : post('{', 'content-length: 1000'))
      while (!isOver() && !socket.destroyed) {
        socket.write('a')
        counts.sent++
        await delay(10 * PAUSE)
      }
    })
  },

  async bodies() {
    const chunk = Buffer.alloc(64 * 1024, 'a')
    const heads = [
      post('', 'content-length: 99999999999'),
      post('', 'transfer-encoding: chunked'),
      post('', 'content-length: 1750'),
    ]
    let turn = 0
    await each(async (socket) => {
      socket.write(heads[turn++ % heads.length] ?? '')
      while (!isOver() && !socket.destroyed) {
        if (socket.write(chunk)) counts.sent += chunk.length
        await delay(PAUSE / 10)
      }
    })
  },

  /** Connections that never speak TLS, knocks as fast as they go, and all over again. */
  async floods() {
    const silent: Socket[] = []
    for (const source of sources)
      for (let i = 0; i < SILENT; i++)
        silent.push(connectPlain({ host, port: 443, localAddress: source }).on('error', () => {}))
    await each(async (socket) => {
      while (!isOver() && !socket.destroyed) {
        socket.write(knock())
        counts.sent++
        await delay(PAUSE)
      }
    }, EACH - SILENT)
    for (const socket of silent) socket.destroy()
  },

  /** None of them may be answered as a knock is. */
  async headers() {
    begun()
    const body = JSON.stringify({ target: 'office', packet: sealedPacket() })
    const length = `content-length: ${body.length}`
    const tricks: Readonly<Record<string, string>> = {
      'two lengths': post(body, length, 'content-length: 5'),
      'length and chunks': post(body, length, 'transfer-encoding: chunked'),
      'chunks alone': post(`5\r\n${body.slice(0, 5)}\r\n0\r\n\r\n`, 'transfer-encoding: chunked'),
      'chunks that are hidden': post(body, length, 'transfer-encoding: xchunked'),
      'a length with a sign': post(body, `content-length: +${body.length}`),
      'a folded header': post(body, length, 'x: a', ' b'),
      'a blank before the colon': post(body, `content-length : ${body.length}`),
      'two hosts': post(body, length, 'host: evil.example'),
      'no host': post(body, length).replace(`${HOST}\r\n`, ''),
      'a host in the target': post(body, length).replace('/v1/knock', 'https://evil.example/v1/knock'),
      'a NUL': post(body, length, 'x: a\0b'),
      'line feeds alone': post(body, length).replaceAll('\r\n', '\n'),
      'headers without end': post(body, length, ...Array<string>(200).fill('x: 1')),
      'a header without end': post(body, length, `x: ${'a'.repeat(20_000)}`),
      'an upgrade': post(body, length, 'connection: upgrade', 'upgrade: h2c'),
      'a compressed body': post(body, length, 'content-encoding: gzip'),
      'an expectation': post(body, length, 'expect: 100-continue'),
      'HTTP/2': 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
      'HTTP/0.9': 'GET /v1/address\r\n\r\n',
      connect: `CONNECT 127.0.0.1:22 HTTP/1.1\r\n${HOST}\r\n\r\n`,
      trace: `TRACE / HTTP/1.1\r\n${HOST}\r\n\r\n`,
      'another method': post(body, length).replace('POST', 'PUT'),
    }
    const seen: Record<string, string> = {}
    for (const [what, request] of Object.entries(tricks)) {
      const text = await status(request)
      seen[what] = /^HTTP\/1\.1 ([0-9]{3})/.exec(text)?.[1] ?? 'closed'
    }
    return seen
  },

  /** Who the gateway takes a visitor for that forges what proxies say. */
  async forwarded() {
    begun()
    const seen: string[] = []
    for (const header of [
      'x-forwarded-for: 10.9.1.1',
      'forwarded: for=10.9.1.1;proto=https',
      'x-real-ip: 10.9.1.1',
      'x-forwarded-for: 127.0.0.1, 10.9.1.1',
      'client-ip: 10.9.1.1',
    ]) {
      const text = await status(['GET /v1/address HTTP/1.1', HOST, header, '', ''].join('\r\n'))
      seen.push(/\{.*\}/.exec(text)?.[0] ?? text)
    }
    // As many as one source may make, in the name of another one.
    const socket = await open(sources[0])
    for (let i = 0; i < 60 && socket?.destroyed === false; i++) {
      socket.write(knock().replace(HOST, `${HOST}\r\nx-forwarded-for: 10.9.1.1`))
      await delay(PAUSE / 10)
    }
    await delay(5 * PAUSE)
    socket?.destroy()
    return seen
  },

  /** What the browser of a visitor sends for a page of another site, and for a name that was led to the gateway. */
  async browsers() {
    begun()
    const body = JSON.stringify({ target: 'office', packet: sealedPacket() })
    const length = `content-length: ${body.length}`
    const seen: Record<string, string> = {}
    for (const [what, request] of Object.entries({
      origin: post(body, length, 'origin: https://evil.example'),
      'an origin that begins alike': post(body, length, 'origin: https://gate.example.evil.example'),
      'no origin, cross-site': post(body, length, 'sec-fetch-site: cross-site'),
      'an opaque origin': post(body, length, 'origin: null'),
      'a form': post(body, length).replace('application/json', 'text/plain'),
      preflight: `OPTIONS /v1/knock HTTP/1.1\r\n${HOST}\r\norigin: https://evil.example\r\naccess-control-request-method: POST\r\n\r\n`,
      'another name': post(body, length).replace('gate.example', 'evil.example'),
      'an address': post(body, length).replace('gate.example', host),
      localhost: post(body, length).replace('gate.example', 'localhost'),
    })) {
      let text = await status(request)
      // What the floods before have used up comes back within seconds.
      for (let again = 0; again < 40 && text.startsWith('HTTP/1.1 429'); again++) {
        await delay(250)
        text = await status(request)
      }
      const allowed = /access-control-allow-origin/i.test(text) ? ' allowed' : ''
      seen[what] = `${/^HTTP\/1\.1 ([0-9]{3})/.exec(text)?.[1] ?? 'closed'}${allowed}`
    }
    return seen
  },
}

const attack = attacks[kind]
if (attack === undefined) throw new Error(`no attack “${kind}”`)
const seen = await attack()
process.stdout.write(`${JSON.stringify({ ...counts, statuses: Object.fromEntries(statuses), seen })}\n`)
process.exit(0)
