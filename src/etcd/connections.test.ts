/** What a member of etcd may answer that is in the hands of an attacker: real connections, raw answers. */
import assert from 'node:assert/strict'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { describe, it, type TestContext } from 'node:test'
import { gzipSync } from 'node:zlib'
import { milliseconds, port } from '../units.ts'
import { etcdCalls } from './call.ts'
import { Connections } from './connections.ts'

const LIMIT = milliseconds(10_000)
const LONGEST = 1000
const OK = 'HTTP/1.1 200 OK\r\n'
const chunked = (body: string): string => `${OK}Transfer-Encoding: chunked\r\n\r\n${body}`
const whole = (body: string): string => `${OK}Content-Length: ${body.length}\r\n\r\n${body}`

/** @param answer the n-th request on a connection, from 0. */
async function member(t: TestContext, answer: (socket: Socket, n: number) => void) {
  const sockets: Socket[] = []
  const server = createServer((socket) => {
    let n = 0
    sockets.push(socket.on('error', () => {}).on('data', () => answer(socket, n++)))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return { at: { host: '127.0.0.1', port: port((server.address() as AddressInfo).port) }, sockets }
}

async function exchange(t: TestContext, answer: (socket: Socket) => void, limit = LIMIT) {
  const { at } = await member(t, answer)
  const connections = new Connections(undefined)
  t.after(() => connections.close())
  return await connections.exchange(at, { path: '/v3/kv/txn', body: '{}' }, { limit, longestBody: LONGEST })
}

/** @param head once; @param text again and again, for as long as the other end reads. */
function pour(socket: Socket, head: string, text: string): void {
  socket.write(head)
  const many = text.repeat(Math.ceil(10_000 / text.length))
  const more = (): void => {
    while (!socket.destroyed && socket.write(many));
    if (!socket.destroyed) socket.once('drain', more)
  }
  more()
}

describe('an answer of etcd', () => {
  for (const [what, text, body] of [
    ['with its length', whole('hello'), 'hello'],
    ['in chunks, with a trailer', chunked('2\r\nhi\r\n0\r\nGrpc-Trailer: 1\r\n\r\n'), 'hi'],
    ['without a body', `HTTP/1.1 503 Not now\r\nContent-Length: 0\r\n\r\n`, ''],
  ] as const)
    it(`is read ${what}`, async (t) => {
      const answer = await exchange(t, (socket) => socket.write(text))
      assert.ok('status' in answer, JSON.stringify(answer))
      assert.equal(answer.body, body)
    })

  for (const [what, answer, why] of [
    ['an endless body', (to: Socket) => pour(to, `${OK}\r\n`, 'x'.repeat(1000)), /more than 1000 bytes/],
    ['endless chunks of one byte', (to: Socket) => pour(to, chunked(''), '1\r\nx\r\n'), /more than 1000/],
    ['a head without an end', (to: Socket) => pour(to, OK, 'a: b\r\n'), /header/i],
    ['a chunk without a size', (to: Socket) => to.write(chunked('xyz\r\n')), /chunk size/i],
    ['a body that is cut off', (to: Socket) => to.end(`${OK}Content-Length: 5\r\n\r\nhel`), /aborted|ended|hang up/],
    ['two lengths', (to: Socket) => to.write(`${OK}Content-Length: 1\r\nContent-Length: 2\r\n\r\n`), /content-length/i],
    ['another protocol', (to: Socket) => to.write('SSH-2.0-OpenSSH_9.2\r\n'), /expected http/i],
    ['the end, and no answer', (to: Socket) => to.end(), /hang up|ended/],
  ] as const)
    it(`is refused: ${what}`, async (t) => {
      const found = await exchange(t, answer)
      assert.ok('why' in found, JSON.stringify(found))
      assert.match(found.why, why)
    })

  for (const [what, answer] of [
    [
      'comes byte by byte',
      (to: Socket) => {
        to.write(`${OK}Content-Length: 900\r\n\r\n`)
        setInterval(() => to.write('x'), 20).unref()
      },
    ],
    ['is “100 Continue” for ever', (to: Socket) => pour(to, '', 'HTTP/1.1 100 Continue\r\n\r\n')],
    ['never comes', () => {}],
  ] as const)
    it(`ends in its time if it ${what}`, async (t) => {
      const found = await exchange(t, answer, milliseconds(300))
      assert.deepEqual(found, { why: 'no answer within 300 ms' })
    })

  it('is never decompressed, and leads nowhere else', async (t) => {
    const bomb = gzipSync(Buffer.alloc(500_000))
    const { at } = await member(t, (to, n) => {
      if (n === 0) to.write(`HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n`)
      else
        to.write(
          Buffer.concat([Buffer.from(`${OK}Content-Encoding: gzip\r\nContent-Length: ${bomb.length}\r\n\r\n`), bomb]),
        )
    })
    const calls = etcdCalls({})
    t.after(() => calls.close())
    for (const why of [/with status 302/, /with status 200/]) {
      const answer = await calls.call(at, '/v3/kv/txn', {}, { limit: LIMIT })
      assert.ok(answer.kind === 'silence')
      assert.match(answer.why, why)
    }
  })

  it('that nobody asked for ends its connection: the next request has another one', async (t) => {
    const { at, sockets } = await member(t, (to, n) => {
      to.write(whole(`answer ${n}`))
      setTimeout(() => to.write(whole('of nobody')), 50)
    })
    const connections = new Connections(undefined)
    t.after(() => connections.close())
    const ask = () => connections.exchange(at, { path: '/', body: '{}' }, { limit: LIMIT, longestBody: LONGEST })
    assert.deepEqual(await ask(), { status: 200, body: 'answer 0' })
    await new Promise((resolve) => setTimeout(resolve, 300))
    assert.deepEqual(await ask(), { status: 200, body: 'answer 0' })
    assert.equal(sockets.length, 2)
  })

  it('leaves its connection open for the next request', async (t) => {
    const { at, sockets } = await member(t, (to, n) => void to.write(whole(`answer ${n}`)))
    const connections = new Connections(undefined)
    t.after(() => connections.close())
    for (const body of ['answer 0', 'answer 1', 'answer 2'])
      assert.deepEqual(
        await connections.exchange(at, { path: '/', body: '{}' }, { limit: LIMIT, longestBody: LONGEST }),
        { status: 200, body },
      )
    assert.equal(sockets.length, 1)
  })
})

describe('a stream of etcd', () => {
  const follow = async (t: TestContext, answer: (socket: Socket) => void) => {
    const { at } = await member(t, answer)
    const calls = etcdCalls({})
    t.after(() => calls.close())
    const values: unknown[] = []
    const signal = new AbortController().signal
    return { why: await calls.stream(at, '/v3/watch', {}, { signal, onValue: (value) => values.push(value) }), values }
  }

  it('is one value a line, and says how it ended', async (t) => {
    const got = await follow(t, (to) => to.end(chunked('7\r\n{"a":1}\r\n1\r\n\n\r\n4\r\n[2]\n\r\n0\r\n\r\n')))
    assert.deepEqual(got, { values: [{ a: 1 }, [2]], why: 'the stream ended, with status 200' })
  })

  it('is ended by a value without an end', async (t) => {
    const { why } = await follow(t, (to) => pour(to, chunked(''), '1000\r\n'.concat('x'.repeat(0x1000), '\r\n')))
    assert.equal(why, 'a stream that is not etcd’s')
  })
})
