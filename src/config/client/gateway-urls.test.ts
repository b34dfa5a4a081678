import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { parseFingerprints, parseGatewayTarget, parseGatewayUrls } from './gateway-urls.ts'

describe('GATEWAY', () => {
  const table: readonly (readonly [text: string, read: string | RegExp])[] = [
    ['https://gate.example', 'https gate.example 443'],
    ['gate.example:8443', 'https gate.example 8443'],
    ['https://[2001:db8::1]:8443/', 'https 2001:db8::1 8443'],
    ['https://a.example, https://b.example', 'https a.example 443, https b.example 443'],
    ['http://localhost:8080', 'http localhost 8080'],
    ['http://127.0.0.1', 'http 127.0.0.1 80'],
    ['http://gate.example', /asked over HTTPS/],
    ['ftp://gate.example', /not the URL of a gateway/],
    ['https://gate.example/v1', /no path/],
    ['https://ada:pw@gate.example', /no path, query, user or password/],
    ['', /not the URL/],
    [Array.from({ length: 9 }, () => 'a.example').join(','), /at most 8/],
  ]
  for (const [text, read] of table)
    it(`“${text.slice(0, 40)}”`, () => {
      const parsed = parseGatewayUrls(text)
      if (typeof read === 'string') {
        assert.ok(parsed.ok)
        const all = parsed.value.map(({ secure, host, port }) => `http${secure ? 's' : ''} ${host} ${port}`)
        assert.equal(all.join(', '), read)
      } else assert.match(parsed.ok ? '' : parsed.failure.detail, read)
    })

  it('its target is an id, and its fingerprint a SHA-256 in any spelling', () => {
    assert.ok(parseGatewayTarget('office-2').ok)
    assert.ok(!parseGatewayTarget('Office').ok)
    const digits = 'ab'.repeat(32)
    for (const text of [digits, digits.toUpperCase(), digits.replace(/..(?!$)/g, '$&:'), `sha256:${digits}`]) {
      const read = parseFingerprints(text)
      assert.deepEqual(read.ok && read.value, ['AB:'.repeat(32).slice(0, -1)])
    }
    const several = parseFingerprints(`none, ${digits}`)
    assert.deepEqual(several.ok && several.value, [undefined, 'AB:'.repeat(32).slice(0, -1)])
    for (const text of ['ab', '', `${digits},`]) assert.ok(!parseFingerprints(text).ok)
  })

  it('no text makes a reader throw', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        for (const parse of [parseGatewayUrls, parseGatewayTarget, parseFingerprints]) parse(text)
      }),
    )
  })
})
