import assert from 'node:assert/strict'
import { test } from 'node:test'
import { encodeText, latin1Text } from '../bytes/text.ts'
import { encodeHttpRequest, parseHttpRequest } from './http.ts'

const PACKET = '8Ab+/09'

test('writes the request that fwknop 2.6.10 writes', () => {
  const request = encodeHttpRequest(PACKET, { server: 'spa.example' })
  assert.ok(request.ok)
  assert.equal(
    request.value,
    'GET /8Ab-_09 HTTP/1.0\r\nUser-Agent: Fwknop/2.6.10\r\nAccept: */*\r\nHost: spa.example\r\nConnection: close\r\n\r\n',
  )
})

test('asks a proxy for the whole URL, and names the proxy as host', () => {
  const request = encodeHttpRequest(PACKET, { server: '[2001:db8::1]:8080', proxy: 'proxy.example:3128' })
  assert.ok(request.ok)
  assert.match(request.value, /^GET http:\/\/\[2001:db8::1\]:8080\/8Ab-_09 HTTP\/1\.0\r\n/)
  assert.match(request.value, /\r\nHost: proxy\.example:3128\r\n/)
})

for (const host of ['', 'a b', 'a\r\nX: y', 'a/b', '2001:db8::1', 'a:', 'user@host', '[::1', 'a:123456']) {
  test(`does not write ${JSON.stringify(host)} into a request`, () => {
    const [server, proxy] = [
      encodeHttpRequest(PACKET, { server: host }),
      encodeHttpRequest(PACKET, { server: 'a', proxy: host }),
    ]
    assert.ok(!server.ok && !proxy.ok)
    assert.equal(server.failure.code, 'VALUE_INVALID')
  })
}
test('does not write a user agent that ends its line', () => {
  assert.equal(encodeHttpRequest(PACKET, { server: 'a', userAgent: 'Fwknop\r\nX: y' }).ok, false)
})

const requests: [head: string, headers: string, packet: string | undefined][] = [
  ['GET /8Ab-_09 HTTP/1.0', 'User-Agent: Fwknop/2.6.10', PACKET],
  ['get /8Ab-_09 HTTP/1.1', 'User-Agent: Fwknop/2.6.10', PACKET],
  ['GET /8Ab+/09 HTTP/1.0', 'user-agent:Fwknop', PACKET],
  ['GET /8Ab-_09', 'Host: x\r\nUser-Agent: Fwknop', PACKET],
  ['GET /8Ab-_09\tx', 'User-Agent: Fwknop', PACKET],
  ['GET / HTTP/1.0', 'User-Agent: Fwknop', ''],
  ['GET /8Ab-_09 HTTP/1.0', 'User-Agent: curl/8', undefined],
  ['GET /8Ab-_09 HTTP/1.0', 'X-User-Agent: Fwknop', undefined],
  ['GET /User-Agent:Fwknop HTTP/1.0', 'Host: x', undefined],
]
for (const [head, headers, packet] of requests) {
  test(`${head} with ${JSON.stringify(headers)} carries ${packet ?? 'nothing'}`, () => {
    const parsed = parseHttpRequest(encodeText(`${head}\r\n${headers}\r\n\r\n`), { anyUserAgent: false })
    assert.ok(parsed)
    assert.equal(parsed.ok ? latin1Text(parsed.value.packet) : undefined, packet)
  })
}

const unended: [text: string, isTaken: boolean][] = [
  ['GET /8Ab-_09 HTTP/1.0\r\nHost: x\r\n', true],
  ['GET /8Ab-_09 HTTP/1.0\r\nHost: x\r\nUser-Ag', true],
  ['GET /8Ab-_09 HTTP/1.0', true],
  ['GET /8Ab-_09 HTTP/1.0\r\nUser-Agent: curl/8\r\n', false],
  ['GET /8Ab-_09 HTTP/1.0\r\nHost: x\r\n\r\n', false],
]
for (const [text, isTaken] of unended) {
  test(`${JSON.stringify(text)}: the user agent ${isTaken ? 'may follow' : 'is another'}`, () => {
    assert.equal(parseHttpRequest(encodeText(text), { anyUserAgent: false })?.ok, isTaken)
  })
}

for (const payload of ['POST /8Ab HTTP/1.0\r\n', 'GET http://x/8Ab HTTP/1.0\r\n', 'GET', '8Ab']) {
  test(`${JSON.stringify(payload)} is not taken for a request`, () => {
    assert.equal(parseHttpRequest(encodeText(payload), { anyUserAgent: true }), undefined)
  })
}

const forwarded: [headers: string, address: string | undefined][] = [
  ['X-Forwarded-For: 203.0.113.9', '203.0.113.9'],
  ['x-forwarded-for:2001:DB8::9 ', '2001:db8::9'],
  ['X-Forwarded-For: 203.0.113.10, 10.0.0.1', undefined],
  ['X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-For: 203.0.113.10', undefined],
  ['X-Forwarded-For: 010.0.0.1', undefined],
  ['X-Forwarded-For: spa.example', undefined],
  ['X-Forwarded-For:', undefined],
  ['Host: 203.0.113.9', undefined],
]
for (const [headers, address] of forwarded) {
  test(`${JSON.stringify(headers)} says that it came from ${address ?? 'nobody knows where'}`, () => {
    const parsed = parseHttpRequest(encodeText(`GET /8 HTTP/1.0\r\n${headers}\r\n\r\n`), { anyUserAgent: true })
    assert.ok(parsed?.ok)
    assert.equal(parsed.value.forwardedFor, address)
  })
}
