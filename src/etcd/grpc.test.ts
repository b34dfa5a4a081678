/** What a member of etcd may answer that is in the hands of an attacker: real connections of HTTP/2, and raw bytes. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer as createHttp2, type ServerHttp2Stream } from 'node:http2'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { describe, it, type TestContext } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { milliseconds, port } from '../units.ts'
import { etcdCalls } from './call.ts'
import { exchange } from './grpc.ts'
import { encodeMessage } from './message-type.ts'
import { METHODS } from './messages.ts'
import { Sessions } from './sessions.ts'

const LIMIT = milliseconds(10_000)
const LONGEST = 1000
const ASKED = { path: '/etcdserverpb.KV/Txn', message: Buffer.from('asked') }

type Answer = (stream: ServerHttp2Stream, n: number) => void

/** @param answer the n-th request of all, from 0. */
async function member(t: TestContext, answer: Answer) {
  let [asked, connections] = [0, 0]
  const server = createHttp2()
  const open = new Set<{ destroy(): void }>()
  server.on('session', (session) => {
    connections++
    open.add(session)
    session.on('error', () => {})
  })
  server.on('stream', (stream) =>
    answer(
      stream.on('error', () => {}),
      asked++,
    ),
  )
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    for (const session of open) session.destroy()
    server.close()
  })
  return { at: atPort(server), connections: () => connections }
}

/** @param speak on each connection, once something came. */
async function rawMember(t: TestContext, speak: (socket: Socket) => void) {
  const sockets: Socket[] = []
  const server = createServer((socket) => {
    sockets.push(socket.on('error', () => {}))
    socket.once('data', () => speak(socket)).on('data', () => {})
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return atPort(server)
}

const atPort = (server: { address(): AddressInfo | string | null }) => ({
  host: '127.0.0.1',
  port: port((server.address() as AddressInfo).port),
})

function framed(text: string, flag = 0, length = text.length): Buffer {
  const head = Buffer.alloc(5)
  head[0] = flag
  head.writeUInt32BE(length, 1)
  return Buffer.concat([head, Buffer.from(text)])
}

/** A whole answer, with these bytes as its body. */
function respond(
  stream: ServerHttp2Stream,
  body: Uint8Array,
  trailers: Record<string, string> = { 'grpc-status': '0' },
) {
  begin(stream)
  stream.on('wantTrailers', () => stream.sendTrailers(trailers))
  stream.end(body)
}

function begin(stream: ServerHttp2Stream): void {
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
}

/** @returns what asks again and again, and keeps its connection. */
function asker(t: TestContext, at: ReturnType<typeof atPort>) {
  const sessions = new Sessions(undefined)
  t.after(() => sessions.close())
  return (limit = LIMIT) => exchange(sessions.to(at), ASKED, { limit, longest: LONGEST })
}

const ask = (t: TestContext, at: ReturnType<typeof atPort>, limit = LIMIT) => asker(t, at)(limit)

/** @param text once; @param more again and again, for as long as the other end reads. */
function pour(
  to: { write(bytes: Uint8Array): boolean; destroyed: boolean; once(event: 'drain', then: () => void): unknown },
  more: Uint8Array,
): void {
  const many = Buffer.concat(Array.from({ length: Math.ceil(10_000 / more.length) }, () => more))
  const go = (): void => {
    while (!to.destroyed && to.write(many));
    if (!to.destroyed) to.once('drain', go)
  }
  go()
}

/** Frames of HTTP/2: RFC 9113 § 4.1. */
function frame(type: number, flags: number, stream: number, payload: Uint8Array = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head[3] = type
  head[4] = flags
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, payload])
}
const SETTINGS = frame(4, 0, 0)
/** A head without an end: no HEADERS after it has the flag END_HEADERS. */
const HEADERS = frame(1, 0, 1, Buffer.from([0x88]))
const CONTINUATION = frame(
  9,
  0,
  1,
  Buffer.concat([Buffer.from([0x00, 0x01, 0x61, 0x7f, 0x01]), Buffer.alloc(128, 0x62)]),
)
const PING = frame(6, 0, 0, Buffer.alloc(8))

describe('an answer of etcd', () => {
  for (const [what, answer] of [
    ['in one part', (to: ServerHttp2Stream) => respond(to, framed('hello'))],
    [
      'byte by byte',
      async (to: ServerHttp2Stream) => {
        begin(to)
        to.on('wantTrailers', () => to.sendTrailers({ 'grpc-status': '0' }))
        for (const byte of framed('hello')) {
          to.write(Buffer.from([byte]))
          await delay(2)
        }
        to.end()
      },
    ],
  ] as const)
    it(`is read ${what}`, async (t) => {
      const { at } = await member(t, (to) => void answer(to))
      const found = await ask(t, at)
      assert.ok('message' in found, JSON.stringify(found))
      assert.equal(Buffer.from(found.message).toString(), 'hello')
    })

  for (const [what, answer] of [
    [
      'after it',
      (to: ServerHttp2Stream) => respond(to, framed('x'), { 'grpc-status': '7', 'grpc-message': 'not%20yours' }),
    ],
    [
      'without a message',
      (to: ServerHttp2Stream) =>
        to.respond(
          { ':status': 200, 'content-type': 'application/grpc', 'grpc-status': '7', 'grpc-message': 'not%20yours' },
          { endStream: true },
        ),
    ],
  ] as const)
    it(`is a refusal by its status ${what}`, async (t) => {
      const { at } = await member(t, answer)
      assert.deepEqual(await ask(t, at), { status: 7, why: 'not yours' })
    })

  for (const [what, answer, why] of [
    ['more bytes than are taken', (to: ServerHttp2Stream) => respond(to, framed('x', 0, 1001)), /more than 1000 bytes/],
    [
      'messages without end',
      (to: ServerHttp2Stream) => {
        begin(to)
        pour(to, framed(''))
      },
      /more than one answer/,
    ],
    [
      'two messages',
      (to: ServerHttp2Stream) => respond(to, Buffer.concat([framed('a'), framed('b')])),
      /more than one/,
    ],
    ['no message', (to: ServerHttp2Stream) => respond(to, Buffer.alloc(0)), /without a message/],
    ['half of a message', (to: ServerHttp2Stream) => respond(to, framed('x', 0, 9)), /without a message/],
    ['something compressed', (to: ServerHttp2Stream) => respond(to, framed('x', 1)), /compressed/],
    ['no status', (to: ServerHttp2Stream) => respond(to, framed('x'), {}), /without a status|without an answer/],
    [
      'a status that is none',
      (to: ServerHttp2Stream) => respond(to, framed('x'), { 'grpc-status': '-0' }),
      /without a status/,
    ],
    [
      'another status of HTTP',
      (to: ServerHttp2Stream) => to.respond({ ':status': 302, location: '/x' }, { endStream: true }),
      /with status 302/,
    ],
    [
      'a page',
      (to: ServerHttp2Stream) => {
        to.respond({ ':status': 200, 'content-type': 'text/html' })
        to.end('<p>')
      },
      /none of etcd/,
    ],
    ['a cut', (to: ServerHttp2Stream) => to.close(2), /INTERNAL|without an answer/],
    ['the end of the connection', (to: ServerHttp2Stream) => to.session?.destroy(), /without an answer|hang up/],
    [
      'a head of many fields',
      (to: ServerHttp2Stream) =>
        to.respond(Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`field-${i}`, 'x'.repeat(100)])), {
          endStream: true,
        }),
      /./,
    ],
  ] as const)
    it(`is refused: ${what}`, async (t) => {
      const { at } = await member(t, answer)
      const found = await ask(t, at)
      assert.ok(!('message' in found), JSON.stringify(found))
      assert.match(found.why, why)
    })

  for (const [what, speak] of [
    ['another protocol', (to: Socket) => to.write('SSH-2.0-OpenSSH_9.2\r\n')],
    ['HTTP of another version', (to: Socket) => to.write('HTTP/1.1 400 Bad Request\r\n\r\n')],
    ['the end, and no answer', (to: Socket) => to.end()],
    [
      'a head without an end',
      (to: Socket) => {
        to.write(Buffer.concat([SETTINGS, HEADERS]))
        pour(to, CONTINUATION)
      },
    ],
  ] as const)
    it(`is refused: ${what}`, async (t) => {
      const began = performance.now()
      const found = await ask(t, await rawMember(t, speak))
      assert.ok(!('message' in found) && !('status' in found), JSON.stringify(found))
      assert.ok(performance.now() - began < LIMIT / 2, found.why)
    })

  for (const [what, answer] of [
    [
      'comes byte by byte',
      (to: ServerHttp2Stream) => {
        begin(to)
        to.write(framed('', 0, 900))
        setInterval(() => to.write('x'), 20).unref()
      },
    ],
    [
      'is “103 Early Hints” again and again',
      (to: ServerHttp2Stream) => {
        setInterval(() => to.destroyed || to.additionalHeaders({ ':status': 103 }), 1).unref()
      },
    ],
    ['never comes', () => {}],
  ] as const)
    it(`ends in its time if it ${what}`, async (t) => {
      const { at } = await member(t, answer)
      assert.deepEqual(await ask(t, at, milliseconds(300)), { why: 'no answer within 300 ms' })
    })

  it('ends in its time if nothing comes but pings', async (t) => {
    const at = await rawMember(t, (to) => {
      to.write(SETTINGS)
      setInterval(() => to.destroyed || to.write(PING), 1).unref()
    })
    const found = await ask(t, at, milliseconds(500))
    assert.ok(!('message' in found), JSON.stringify(found))
  })

  it('of one connection serves many requests, also at once', async (t) => {
    const { at, connections } = await member(t, (to, n) => respond(to, framed(`answer ${n}`)))
    const one = asker(t, at)
    await one()
    const found = await Promise.all(Array.from({ length: 100 }, () => one()))
    assert.ok(found.every((each) => 'message' in each))
    assert.equal(connections(), 1)
  })

  it('that does not come makes the next request use another connection, if nothing else was heard', async (t) => {
    const { at, connections } = await member(t, (to, n) => n === 1 || respond(to, framed('well')))
    const one = asker(t, at)
    assert.ok('message' in (await one()))
    assert.deepEqual(await one(milliseconds(400)), { why: 'no answer within 400 ms' })
    assert.ok('message' in (await one()))
    assert.equal(connections(), 2)
  })

  it('that does not come changes nothing, if others come meanwhile', async (t) => {
    const { at, connections } = await member(t, (to, n) => n === 1 || respond(to, framed('well')))
    const one = asker(t, at)
    await one()
    const late = one(milliseconds(600))
    for (let i = 0; i < 10; i++, await delay(50)) assert.ok('message' in (await one()))
    assert.deepEqual(await late, { why: 'no answer within 600 ms' })
    assert.ok('message' in (await one()))
    assert.equal(connections(), 1)
  })

  it('after a “go away” comes over another connection', async (t) => {
    const { at, connections } = await member(t, (to) => {
      respond(to, framed('well'))
      to.session?.goaway()
    })
    const one = asker(t, at)
    assert.ok('message' in (await one()))
    await delay(100)
    assert.ok('message' in (await one()))
    assert.equal(connections(), 2)
  })
})

describe('a stream of etcd', () => {
  const follow = async (t: TestContext, answer: Answer) => {
    const { at } = await member(t, answer)
    const calls = etcdCalls({})
    t.after(() => calls.close())
    const values: unknown[] = []
    const { signal } = new AbortController()
    const why = await calls.stream(at, 'Watch/Watch', {}, { signal, onValue: (value) => values.push(value) })
    return { why, values }
  }
  const watched = (value: Record<string, unknown>): Buffer =>
    framed(Buffer.from(encodeMessage(METHODS['Watch/Watch'].response, value)).toString('latin1'))

  it('is one value after the other, and says how it ended', async (t) => {
    const got = await follow(t, (to) =>
      respond(to, Buffer.concat([watched({ created: true }), watched({ watch_id: '3' })]), {
        'grpc-status': '14',
        'grpc-message': 'gone',
      }),
    )
    assert.deepEqual(got, { values: [{ created: true }, { watch_id: '3' }], why: 'gone' })
  })

  for (const [what, body, why] of [
    ['a value without an end', framed('x', 0, 0xffff_ffff), /more than \d+ bytes/],
    ['what is no value', framed('\u0008'), /not etcd’s/],
  ] as const)
    it(`is ended by ${what}`, async (t) => {
      const got = await follow(t, (to) => {
        begin(to)
        to.write(body)
      })
      assert.match(got.why, why)
    })
})
