import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { AnswerReader, type ReadHttp } from './answer-reader.ts'

const lines = (...all: readonly string[]): string => all.join('\r\n')
const OK = 'HTTP/1.1 200 OK'

function read(text: string, size = text.length): ReadHttp {
  const [reader, bytes] = [new AnswerReader(50), Buffer.from(text)]
  for (let at = 0; at < bytes.length; at += size) {
    const found = reader.push(bytes.subarray(at, at + size))
    if (found !== undefined) return found
  }
  return undefined
}
const shown = (answer: ReadHttp): unknown =>
  answer !== undefined && 'status' in answer ? { ...answer, body: answer.body.toString() } : answer

describe('an answer of HTTP', () => {
  for (const [what, text, wanted] of [
    ['with its length', lines(OK, 'Content-Length: 5', '', 'hello'), [200, 'hello', true]],
    ['without a body', lines('HTTP/1.1 503 Not now', 'content-length: 0', '', ''), [503, '', true]],
    ['the last one', lines(OK, 'Content-Length: 2', 'Connection: close', '', 'hi'), [200, 'hi', false]],
    [
      'in chunks',
      lines(OK, 'Transfer-Encoding: chunked', '', '5', 'hello', 'A', ' and again', '0', '', ''),
      [200, 'hello and again', true],
    ],
    [
      'in chunks, with a trailer',
      lines(OK, 'Transfer-Encoding: chunked', '', '2', 'hi', '0', 'Grpc-Trailer: 1', '', ''),
      [200, 'hi', true],
    ],
  ] as const)
    it(`${what}, in pieces of any size`, () => {
      const [status, body, staysOpen] = wanted
      for (let size = 1; size <= text.length; size++)
        assert.deepEqual(shown(read(text, size)), { status, body, staysOpen }, `${size}`)
      assert.equal(read(text.slice(0, -1)), undefined)
    })

  it('is the last one if something follows', () => {
    const text = `${lines(OK, 'Content-Length: 2', '', 'hi')}HTTP`
    assert.deepEqual(shown(read(text)), { status: 200, body: 'hi', staysOpen: false })
  })

  for (const [what, text, why] of [
    ['another protocol', lines('SSH-2.0', '', ''), /not etcd/],
    ['no length', lines(OK, '', ''), /not etcd/],
    ['two lengths', lines(OK, 'Content-Length: 1', 'Content-Length: 2', '', ''), /not etcd/],
    ['a length and chunks', lines(OK, 'Content-Length: 1', 'Transfer-Encoding: chunked', '', ''), /not etcd/],
    ['another coding', lines(OK, 'Transfer-Encoding: gzip, chunked', '', ''), /not etcd/],
    ['a negative length', lines(OK, 'Content-Length: -1', '', ''), /not etcd/],
    ['an answer before the answer', lines('HTTP/1.1 100 Continue', '', ''), /not etcd/],
    ['a head without an end', `${OK}\r\n${'a: b\r\n'.repeat(20_000)}`, /long head/],
    ['a long body', lines(OK, 'Content-Length: 51', '', ''), /more than 50 bytes/],
    ['long chunks', lines(OK, 'Transfer-Encoding: chunked', '', '33', ''), /more than 50 bytes/],
    ['a chunk without a size', lines(OK, 'Transfer-Encoding: chunked', '', 'xyz', ''), /without a size/],
    ['a chunk without an end', lines(OK, 'Transfer-Encoding: chunked', '', '2', 'hi!!'), /without an end/],
    [
      'a trailer without an end',
      lines(OK, 'Transfer-Encoding: chunked', '', '0', ...Array(20).fill('a: b')),
      /more than 50/,
    ],
  ] as const)
    it(`is refused: ${what}`, () => {
      const found = read(text)
      assert.ok(found !== undefined && 'why' in found, JSON.stringify(shown(found)))
      assert.match(found.why, why)
    })
})
