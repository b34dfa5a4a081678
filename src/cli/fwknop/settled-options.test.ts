import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { settingsFromOptions } from '../../client/plan-options.ts'
import { settle } from '../../config/client/layer.ts'
import { exposeKey } from '../../packet/key.ts'
import { ok } from '../../result.ts'
import { knockFlags } from '../knock/knock-flags.ts'
import { getopt } from '../terminal/getopt.ts'
import type { OptionSpec } from '../terminal/parse-command-line.ts'
import { fwknopOptions } from './options.ts'
import { asKnockOptions, settleOptions } from './settled-options.ts'

function settings(line: string, environment: NodeJS.ProcessEnv = {}) {
  const parsed = getopt(fwknopOptions, line.split(' '))
  if (!parsed.ok) return parsed
  const settled = settleOptions(parsed.value, environment)
  if (!settled.ok) return settled
  const flags = knockFlags(asKnockOptions(settled.value.given))
  if (!flags.ok) return flags
  const read = settingsFromOptions(flags.value.options)
  return read.ok ? ok(settle([read.value])) : read
}

const proxied = { transport: 'http', httpProxy: { host: 'p.example' } }

describe('the options of fwknop', () => {
  const cases: [line: string, settings: object | RegExp][] = [
    ['-s -a 192.0.2.1', { allow: '192.0.2.1' }],
    ['-a 192.0.2.1 --source-i', { allow: 'packet-source' }],
    ['-A tcp/1 -A tcp/22', { access: [{ protocol: 'tcp', port: 22 }] }],
    ['-p 1 -r', { randomPort: true }],
    ['--nat-port 80 --nat-rand', { natRandomPort: true }],
    ['--time-offset-plus 5 --time-offset-m 7', { timeOffset: -7 }],
    ['--get-h f --get-k g', { encryptionKey: { file: 'g' }, hmacKey: { file: 'f' } }],
    ['--server-r', { family: 4 }],
    ['-sr', { allow: 'packet-source', randomPort: true }],
    ['-Atcp/22', { access: [{ protocol: 'tcp', port: 22 }] }],
    [
      '--NAT-access 192.0.2.1,80 --NAT-local',
      { natLocal: true, natAccess: { host: '192.0.2.1' }, natPort: 80, natRandomPort: false },
    ],
    ['--NAT-access 192.0.2.1:80', { natAccess: { host: '192.0.2.1' }, natPort: 80, natRandomPort: false }],
    ['--NAT-local', { natLocal: true, natPort: 55_000, natRandomPort: false }],
    ['--NAT-local --nat-port 81', { natLocal: true, natPort: 81, natRandomPort: false }],
    ['--HTTP -P udp', { transport: 'http' }],
    ['-H 192.0.2.1 -P udp', { transport: 'udp', httpProxy: { host: '192.0.2.1' } }],
    ['-P udp -H 192.0.2.1', { transport: 'http', httpProxy: { host: '192.0.2.1' } }],
    ['--NAT-access 192.0.2.1', /HOST,PORT/],
    ['--NAT-access 192.0.2.1,80 -N 192.0.2.2', /contradict/],
    ['--http proxy.example:3128', { transport: 'http', httpProxy: { host: 'proxy.example', port: 3128 } }],
    ['--HTTP --HTTP-proxy=http://proxy.example', { transport: 'http', httpProxy: { host: 'proxy.example' } }],
    ['--resolve-u ip.example', { resolveOwn: true, resolveUrl: [{ host: 'ip.example', path: '/' }] }],
    [
      '--HTTP --HTTP-proxy http://proxy.example:3128',
      { transport: 'http', httpProxy: { host: 'proxy.example', port: 3128 } },
    ],
    [
      '--HTTP-proxy http://p.example --HTTP-proxy-user ada -s',
      { ...proxied, httpProxyUser: 'ada', allow: 'packet-source' },
    ],
    ['--HTTP-proxy http://ada:@p.example', { ...proxied, httpProxyUser: 'ada' }],
    [
      '--HTTP-proxy http://eve:x@p.example --HTTP-proxy-user ada --HTTP-proxy-password=',
      /--http-proxy-password: .* empty/,
    ],
    ['-H http://ada:x@p.example', /HTTP_PROXY_USER and HTTP_PROXY_PASSWORD|settings of their own/],
    ['--HTTP-proxy', /http_proxy/],
    ['--HTTP-proxy -s', /http_proxy/],
    ['--key', /ambiguous/],
    ['--nat', /ambiguous/],
    ['-a', /needs a value/],
    ['--source-ip=1', /takes no value/],
  ]
  for (const [line, expected] of cases)
    it(`“${line}” ${expected instanceof RegExp ? 'is refused' : 'is understood'}`, () => {
      const result = settings(line)
      if (expected instanceof RegExp) assert.match(result.ok ? '' : result.failure.detail, expected)
      else assert.deepEqual(result, { ok: true, value: expected })
    })

  it('have the login of a proxy from its URL, and from the options before it', () => {
    const password = (line: string, environment?: NodeJS.ProcessEnv) => {
      const result = settings(line, environment)
      const { httpProxyUser: user, httpProxyPassword: secret } = result.ok ? result.value : {}
      assert(secret !== undefined && secret !== null && 'key' in secret)
      return [user, Buffer.from(exposeKey(secret.key)).toString()]
    }
    assert.deepEqual(password('--HTTP-proxy http://ada:a:b@p.example:80'), ['ada', 'a:b'])
    assert.deepEqual(password('--HTTP-proxy', { http_proxy: 'http://ada:pw@p.example/' }), ['ada', 'pw'])
    const line = '--HTTP-proxy=http://eve:x@p.example --HTTP-proxy-user ada --HTTP-proxy-password=pw'
    assert.deepEqual(password(line), ['ada', 'pw'])
  })

  it('have the letters and the names of fwknop 2.6', () => {
    const letters = Object.values<OptionSpec>(fwknopOptions).flatMap(({ short, value }) =>
      short === undefined ? [] : [`${short}${value === undefined ? '' : ':'}`],
    )
    assert.equal(
      letters.toSorted().join(' '),
      'A: B: C: D: E: G: H: K: M: N: P: Q: R S: T U: V a: b f: g h k l m: n: p: r s u: v w:',
    )
  })
})
