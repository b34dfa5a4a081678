import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { IpAddress } from '../../packet/address.ts'
import { gatewaySettingNames, judgeTargets, parseGatewayConf } from './parse-gateway-conf.ts'

const LEAST = ['LISTEN https://0.0.0.0:443', 'HOST gate.example.org', 'TARGET office 192.0.2.10']
const parse = (...lines: readonly string[]) => parseGatewayConf('gateway.conf', lines.join('\n'))

describe('gateway.conf', () => {
  it('says little in its shortest form', () => {
    const parsed = parse(...LEAST)
    assert.ok(parsed.ok)
    const { listen, hosts, targets, forms, limits } = parsed.value.config
    assert.deepEqual(listen, [{ kind: 'https', address: '0.0.0.0', port: 443 }])
    assert.deepEqual(hosts, [{ name: 'gate.example.org' }])
    assert.deepEqual(targets, [{ id: 'office', host: '192.0.2.10', port: 62201 }])
    assert.equal(forms, false)
    assert.equal(limits.perSource, 30)
    assert.deepEqual(parsed.value.notices, [])
  })

  it('reads all forms of a value', () => {
    const parsed = parse(
      'LISTEN https://[::]:443, http://127.0.0.1:8080, unix:/run/ghostport-gateway/http.sock',
      'HOST gate.example.org:8443, [2001:db8::1]',
      'TARGET home [2001:db8::2]:62222',
      'TARGET lab spa.example.org:62201',
      'PROXY unix, 10.1.0.0/16',
      'ALLOW_ORIGIN https://page.example.org, file, http://localhost:5000',
    )
    assert.ok(parsed.ok, JSON.stringify(parsed))
    const { config } = parsed.value
    assert.deepEqual(
      config.listen.map((at) => (at.kind === 'unix' ? at.path : `${at.kind} ${at.address} ${at.port}`)),
      ['https :: 443', 'http 127.0.0.1 8080', '/run/ghostport-gateway/http.sock'],
    )
    assert.deepEqual(
      config.targets.map(({ host, port }) => `${host} ${port}`),
      ['2001:db8::2 62222', 'spa.example.org 62201'],
    )
    assert.deepEqual(config.origins, ['https://page.example.org', 'null', 'http://localhost:5000'])
    assert.equal(config.proxies.overUnixSocket, true)
  })

  const refusals: readonly (readonly [line: string, code: string, detail: RegExp, suggestion?: string])[] = [
    ['LISTN https://0.0.0.0', 'CONFIG_UNKNOWN_KEY', /no setting “LISTN”/, 'LISTEN'],
    ['LISTEN 0.0.0.0:443', 'CONFIG_INVALID_VALUE', /neither https:\/\/ nor http/, 'https://0.0.0.0:443'],
    [
      'LISTEN http://0.0.0.0:80',
      'CONFIG_INVALID_VALUE',
      /plain HTTP is for proxies on this host/,
      'https://0.0.0.0:80',
    ],
    ['LISTEN http://192.0.2.1:80', 'CONFIG_INVALID_VALUE', /plain HTTP is for proxies/],
    ['LISTEN unix:run/x', 'CONFIG_INVALID_VALUE', /does not begin with/],
    ['LISTEN https://gate.example:443', 'CONFIG_INVALID_VALUE', /not a place to listen/],
    ['HOST https://gate.example.org/', 'CONFIG_INVALID_VALUE', /is a URL/, 'gate.example.org'],
    ['HOST *', 'CONFIG_INVALID_VALUE', /not the name or address/],
    ['TARGET office', 'CONFIG_INVALID_VALUE', /not an id and a host/],
    ['TARGET Office 192.0.2.1', 'CONFIG_INVALID_VALUE', /other characters/, 'office 192.0.2.1'],
    ['TARGET office 192.0.2.11', 'CONFIG_CONFLICT', /already in line 3/],
    ['CERTIFICATE_FILE /etc/a.pem', 'CONFIG_MISSING_KEY', /needs CERTIFICATE_KEY_FILE/],
    ['PROXY 0.0.0.0/0', 'CONFIG_INVALID_VALUE', /too wide/],
    ['PROXY unix', 'CONFIG_CONFLICT', /no unix: socket/],
    ['ALLOW_ORIGIN *', 'CONFIG_INVALID_VALUE', /not an origin/],
    ['ALLOW_ORIGIN http://page.example.org', 'CONFIG_INVALID_VALUE', /not an origin/],
    [
      'ALLOW_ORIGIN https://page.example.org/x',
      'CONFIG_INVALID_VALUE',
      /more than an origin/,
      'https://page.example.org',
    ],
    ['ECHO_LABELS v4.gate.example', 'CONFIG_INVALID_VALUE', /not one label/, 'v4'],
    ['ECHO_LABELS v4/x', 'CONFIG_INVALID_VALUE', /not one label/],
    ['ECHO_LABELS v4', 'CONFIG_CONFLICT', /HOST has no name that begins with “v4\.”/],
    ['RECEIPT_WAIT 5', 'CONFIG_INVALID_VALUE', /from 100 to 10000/],
    ['FORMS maybe', 'CONFIG_INVALID_VALUE', /neither Y nor N/],
  ]
  for (const [line, code, detail, suggestion] of refusals)
    it(`refuses ${line}`, () => {
      const parsed = parse(...LEAST, line)
      assert.ok(!parsed.ok)
      assert.equal(parsed.failure.code, code)
      assert.match(parsed.failure.detail, detail)
      assert.deepEqual(parsed.failure.at, { file: 'gateway.conf', line: 4 })
      if (suggestion !== undefined) assert.equal(parsed.failure.suggestion, suggestion)
    })

  it('says what is missing, with an example', () => {
    for (const name of ['LISTEN', 'HOST', 'TARGET']) {
      const parsed = parse(...LEAST.filter((line) => !line.startsWith(name)))
      assert.ok(!parsed.ok)
      assert.equal(parsed.failure.code, 'CONFIG_MISSING_KEY')
      assert.ok(parsed.failure.suggestion?.startsWith(name))
    }
  })

  it('warns where a proxy is not named, and where the target is this host', () => {
    const parsed = parse('LISTEN http://127.0.0.1:80', ...LEAST.slice(1))
    assert.ok(parsed.ok)
    assert.match(parsed.value.notices[0]?.text ?? '', /no proxy is named/)
    const at = (text: string) => text as IpAddress
    const judged = judgeTargets(
      [
        { id: 'a', address: at('192.0.2.1') },
        { id: 'b', address: at('192.0.2.2') },
      ],
      [at('192.0.2.1')],
    )
    assert.equal(judged.length, 1)
    assert.match(judged[0]?.text ?? '', /“a” is this host/)
  })

  it('no text makes it throw', () => {
    const word = fc.oneof(fc.string(), fc.constantFrom(...gatewaySettingNames, 'https://', 'unix:/', ':', '[', 'a b'))
    fc.assert(
      fc.property(fc.array(fc.array(word, { maxLength: 4 })), (lines) => {
        parse(...LEAST, ...lines.map((words) => words.join(' ')))
      }),
    )
  })
})
