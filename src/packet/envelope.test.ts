import assert from 'node:assert/strict'
import { test } from 'node:test'
import { latin1Bytes, latin1Text } from '../bytes/text.ts'
import { type HttpAcceptance, parseEnvelope } from './envelope.ts'

/** 161 characters: with the prefix 171, which leaves three in the last group of four. */
const WIRE = `8${'Ab+/'.repeat(40)}`
const FWKNOP = { anyUserAgent: false }
const ANYBODY = { anyUserAgent: true }

const refused: [what: string, payload: string, http: HttpAcceptance, code: string, rule?: string][] = [
  ['nothing', '', 'off', 'SPA_LENGTH'],
  ['139 characters', WIRE.slice(0, 139), 'off', 'SPA_LENGTH'],
  ['1501 characters', '8'.repeat(1501), 'off', 'SPA_LENGTH'],
  ['a newline at the end', `${WIRE}\n`, 'off', 'SPA_MALFORMED'],
  ['a NUL', `${WIRE.slice(0, 80)}\0${WIRE.slice(80)}`, 'off', 'SPA_MALFORMED'],
  ['a byte past ASCII', `${WIRE}\xff`, 'off', 'SPA_MALFORMED'],
  ['the alphabet of URLs', path(WIRE).slice(1), 'off', 'SPA_MALFORMED'],
  ['“=” in the middle', `${WIRE.slice(0, 80)}=${WIRE.slice(80)}`, 'off', 'SPA_MALFORMED'],
  ['three “=”', `${WIRE}===`, 'off', 'SPA_MALFORMED'],
  ['too many “=”', `${WIRE}==`, 'off', 'SPA_MALFORMED', 'outer-padding'],
  ['“=” where none is due', `${WIRE}A=`, 'off', 'SPA_MALFORMED', 'outer-padding'],
  ['the prefix put back', `U2FsdGVkX1${WIRE}`, 'off', 'SPA_MALFORMED', 'prefix-left-off'],
  ['a start that no ciphertext has', `A${WIRE}`, 'off', 'SPA_MALFORMED', 'salted-head'],
  ['a request where none is expected', request(path(WIRE)), 'off', 'SPA_MALFORMED'],
  ['the prefix put back in a request', request(path(`U2FsdGVkX1${WIRE}`)), FWKNOP, 'SPA_MALFORMED', 'prefix-left-off'],
  ['a short packet in a request', request(path(WIRE.slice(0, 139))), FWKNOP, 'SPA_LENGTH'],
  ['a request of a browser', request(path(WIRE), 'Mozilla/5.0'), FWKNOP, 'SPA_MALFORMED'],
  ['another page', request(`/${'A'.repeat(140)}`), ANYBODY, 'SPA_MALFORMED', 'salted-head'],
  ['a whole URL', request(`http://spa.example${path(WIRE)}`), ANYBODY, 'SPA_MALFORMED'],
  ['a longer path', request(`/x${path(WIRE)}`), ANYBODY, 'SPA_MALFORMED', 'salted-head'],
]
for (const [what, payload, http, code, rule] of refused) {
  test(`refuses ${what}`, () => {
    const envelope = parse(payload, http)
    assert.ok(!envelope.ok)
    assert.equal(envelope.failure.code, code)
    assert.equal(envelope.failure.rule, rule)
  })
}

const accepted: [what: string, payload: string, http: HttpAcceptance][] = [
  ['a bare packet', WIRE, 'off'],
  ['a bare packet where HTTP is allowed too', WIRE, FWKNOP],
  ['the “=” that is due', `${WIRE}=`, 'off'],
  ['a request', request(path(WIRE)), FWKNOP],
  ['a request with the plain alphabet', request(`/${WIRE}`), FWKNOP],
  ['a request of any user agent', request(path(WIRE), 'curl/8'), ANYBODY],
  ['a request cut off after its path', `GET ${path(WIRE)} `, ANYBODY],
]
for (const [what, payload, http] of accepted) {
  test(`takes ${what}`, () => {
    const envelope = parse(payload, http)
    assert.ok(envelope.ok, JSON.stringify(envelope))
    assert.equal(latin1Text(envelope.value.ascii), `U2FsdGVkX1${WIRE}`)
    assert.equal(envelope.value.wireLength, payload.endsWith('=') ? 162 : 161)
  })
}

test('from 400 characters on, where a packet may be GnuPG’s, any start will do', () => {
  assert.equal(parse(`E${'A'.repeat(398)}`, 'off').ok, false)
  assert.equal(parse(`E${'A'.repeat(399)}`, 'off').ok, true)
})

test('is cut where the HMAC begins', () => {
  const envelope = parse(WIRE, 'off')
  assert.ok(envelope.ok)
  const { encoded, tag } = envelope.value.cut(43)
  assert.equal(latin1Text(encoded), `U2FsdGVkX1${WIRE.slice(0, -43)}`)
  // 43 characters of which the last has two unused bits: “/” sets them, so this is not a valid HMAC.
  assert.equal(tag, undefined)
  assert.equal(envelope.value.cut(40).tag?.length, 30)
  assert.equal(envelope.value.cut(43), envelope.value.cut(43))
})

test('an HTTP request where none is accepted is refused as what it is', () => {
  const refused = parse(request(path(WIRE)), 'off')
  assert(!refused.ok)
  assert.deepEqual(
    [refused.failure.code, refused.failure.detail],
    ['SPA_MALFORMED', 'it is an HTTP request, and ENABLE_SPA_OVER_HTTP is N'],
  )
})

test('does not keep the payload', () => {
  const payload = latin1Bytes(WIRE) ?? new Uint8Array()
  const envelope = parseEnvelope(payload, { http: 'off' })
  payload.fill(0)
  assert.ok(envelope.ok)
  assert.equal(latin1Text(envelope.value.ascii), `U2FsdGVkX1${WIRE}`)
})

function parse(payload: string, http: HttpAcceptance) {
  const bytes = latin1Bytes(payload)
  assert.ok(bytes)
  return parseEnvelope(bytes, { http })
}

function request(path: string, userAgent = 'Fwknop/2.6.10'): string {
  return `GET ${path} HTTP/1.0\r\nUser-Agent: ${userAgent}\r\nHost: spa.example\r\n\r\n`
}

/** In the alphabet of URLs. */
function path(packet: string): string {
  return `/${packet.replaceAll('+', '-').replaceAll('/', '_')}`
}
