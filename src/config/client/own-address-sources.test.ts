import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { parseResolveDns, parseResolveUrls } from './own-address-sources.ts'

describe('RESOLVE_URL', () => {
  for (const [text, expected] of [
    ['https://ip.example/', [{ host: 'ip.example', path: '/', secure: true }]],
    ['http://ip.example', [{ host: 'ip.example', path: '/', secure: false }]],
    ['ip.example/cgi-bin/myip', [{ host: 'ip.example', path: '/cgi-bin/myip' }]],
    ['HTTPS://[2001:db8::1]:8443/a?b=c', [{ host: '2001:db8::1', path: '/a?b=c', secure: true, port: 8443 }]],
    ['ip.example:8080/x', [{ host: 'ip.example', path: '/x', port: 8080 }]],
    [
      'https://a.example/,b.example',
      [
        { host: 'a.example', path: '/', secure: true },
        { host: 'b.example', path: '/' },
      ],
    ],
  ] as const)
    it(text, () => {
      const parsed = parseResolveUrls(text)
      assert.ok(parsed.ok)
      assert.deepEqual(parsed.value, expected)
    })
  for (const text of [
    '',
    'ftp://ip.example/',
    'file:///etc/passwd',
    'https://',
    'https://ada:pw@ip.example/',
    'https://ip.example/#x',
    'https://ip.example:0/',
    'https://ip.example:99999/',
    'https://a.example/,',
    'https://ip\\.example/',
    Array(9).fill('a.example').join(),
  ])
    it(`${JSON.stringify(text.slice(0, 40))} is refused`, () => assert.equal(parseResolveUrls(text).ok, false))
})

describe('RESOLVE_DNS', () => {
  for (const [text, expected] of [
    ['myip.opendns.com@208.67.222.222', { name: 'myip.opendns.com', server: '208.67.222.222' }],
    [
      'myip.opendns.com@resolver1.opendns.com:5353',
      { name: 'myip.opendns.com', server: 'resolver1.opendns.com', port: 5353 },
    ],
    ['me.example@[2001:db8::1]:53', { name: 'me.example', server: '2001:db8::1', port: 53 }],
    ['me.example@2001:db8::1', { name: 'me.example', server: '2001:db8::1' }],
  ] as const)
    it(text, () => {
      const parsed = parseResolveDns(text)
      assert.ok(parsed.ok)
      assert.deepEqual(parsed.value, expected)
    })
  for (const text of [
    '',
    'name',
    '@server',
    'name@',
    '1.2.3.4@5.6.7.8',
    'a@b@c',
    'name@server:0',
    'na me@server',
    'name@[x',
  ])
    it(`${JSON.stringify(text)} is refused`, () => assert.equal(parseResolveDns(text).ok, false))
})

it('no text makes the parsers throw', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.webUrl(), fc.emailAddress()), (text) => {
      for (const parsed of [parseResolveUrls(text), parseResolveDns(text)])
        if (!parsed.ok) assert.equal(parsed.failure.code, 'CONFIG_INVALID_VALUE')
    }),
  )
})
