import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { ClientSettings } from '../config/client/layer.ts'
import { parseAddress } from '../packet/address.ts'
import { port } from '../units.ts'
import { requestOptions, routeFor } from './route.ts'

const parsed = parseAddress('192.0.2.9')
assert.ok(parsed.ok)
const spoofed = parsed.value
const proxy = { host: 'proxy.example', port: port(3128) }

describe('the way of a packet', () => {
  const ways: readonly (readonly [ClientSettings, object])[] = [
    [{}, { transport: 'udp', port: 62201 }],
    [
      { transport: 'tcp', serverPort: port(53) },
      { transport: 'tcp', port: 53 },
    ],
    [
      { transport: 'icmp', icmpType: 8 },
      { transport: 'icmp', port: 62201 },
    ],
    [
      { transport: 'udpraw', spoofedSource: spoofed },
      { transport: 'udpraw', port: 62201, family: 4 },
    ],
    [
      { httpProxy: proxy, transport: 'https' },
      { transport: 'https', port: 3128, proxy },
    ],
    [{ transport: 'http' }, { transport: 'http', port: 62201 }],
    [{ transport: 'https' }, { transport: 'https', port: 443 }],
    [
      { transport: 'https', serverPort: port(62201), family: 6 },
      { transport: 'https', port: 62201, family: 6 },
    ],
    [{ httpProxy: proxy }, { transport: 'http', port: 3128, proxy }],
    [{ httpProxy: { host: 'proxy' } }, { transport: 'http', port: 80, proxy: { host: 'proxy', port: 80 } }],
    [
      { httpProxy: { host: 'p' }, serverPort: port(8080) },
      { transport: 'http', port: 8080, proxy: { host: 'p', port: 8080 } },
    ],
    [
      { httpProxy: proxy, serverPort: port(8080) },
      { transport: 'http', port: 3128, proxy },
    ],
  ]
  for (const [settings, expected] of ways)
    it(`${JSON.stringify(settings)}`, () => {
      const route = routeFor(settings, 'spa.example')
      assert.ok(route.ok)
      assert.deepEqual(route.value, expected)
    })

  const contradictions: readonly (readonly [ClientSettings, RegExp])[] = [
    [{ httpProxy: proxy, transport: 'udp' }, /proxy .* not udp/],
    [{ spoofedSource: spoofed }, /udpraw, tcpraw or icmp \(-P\), and not udp/],
    [{ spoofedSource: spoofed, transport: 'tcp' }, /and not tcp/],
    [{ spoofedSource: spoofed, transport: 'tcpraw', family: 6 }, /192\.0\.2\.9 .*is not an IPv6 address/],
    [{ icmpType: 0 }, /need --server-proto icmp/],
    [{ icmpCode: 0, transport: 'udpraw' }, /and not udpraw/],
    [{ httpProxy: proxy, randomPort: true }, /random port/],
    [{ httpProxy: proxy, httpProxyPassword: { file: 'f' } }, /HTTP_PROXY_USER/],
  ]
  for (const [settings, detail] of contradictions)
    it(`${JSON.stringify(settings)} contradicts itself`, () => {
      const route = routeFor(settings, 'spa.example')
      assert.ok(!route.ok)
      assert.equal(route.failure.code, 'CONFIG_CONFLICT')
      assert.match(route.failure.detail, detail)
    })

  it('a server whose name fits no request is refused for HTTP alone', () => {
    for (const server of ['a b', 'host/path', 'höst', 'a\r\nX: y']) {
      assert.ok(routeFor({}, server).ok)
      const route = routeFor({ transport: 'http' }, server)
      assert.equal(route.ok || route.failure.code, 'VALUE_INVALID')
    }
  })
})

describe('what a request says of the server', () => {
  const requests: readonly (readonly [ClientSettings, string, object])[] = [
    [{ serverPort: port(8080) }, 'Spa.Example', { server: 'Spa.Example' }],
    [{ userAgent: 'Fwknop/2' }, '2001:db8::1', { server: '[2001:db8::1]', userAgent: 'Fwknop/2' }],
    [{}, '[2001:db8::1]', { server: '[2001:db8::1]' }],
    [{ httpProxy: proxy, transport: 'https', serverPort: port(8443) }, 'spa.example', { server: 'spa.example' }],
    [{ httpProxy: proxy }, 'spa.example', { server: 'spa.example', proxy: 'proxy.example' }],
    [{ httpProxy: proxy, serverPort: port(80) }, 'spa.example', { server: 'spa.example', proxy: 'proxy.example' }],
    [{ httpProxy: proxy, serverPort: port(81) }, '2001:db8::1', { server: '[2001:db8::1]:81', proxy: 'proxy.example' }],
    [{ httpProxy: { host: 'p' }, serverPort: port(81) }, 'spa.example', { server: 'spa.example', proxy: 'p' }],
    [{ httpProxy: { host: '::1' }, httpProxyUser: 'ada' }, 'h', { server: 'h', proxy: '[::1]', proxyUser: 'ada' }],
  ]
  for (const [settings, server, expected] of requests)
    it(`${JSON.stringify(settings)}: ${server}`, () => assert.deepEqual(requestOptions(settings, server), expected))
})
