import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { FailureCode } from '../../failure-codes.ts'
import { EncryptionKey, exposeKey, HmacKey } from '../../packet/key.ts'
import { ok } from '../../result.ts'
import { clientSettings, ownSettings } from './fwknoprc-settings.ts'
import { type SettingLayer, settle } from './layer.ts'
import { parseFwknoprc } from './parse-fwknoprc.ts'

function settings(text: string, stanza?: string, flags: SettingLayer = {}) {
  const file = parseFwknoprc('rc', text)
  if (!file.ok) return file
  const layer = file.value.settings(stanza)
  return layer.ok ? ok(settle([layer.value, flags])) : layer
}

/** What one line in a used stanza is read as. */
function line(text: string) {
  return settings(`[x]\n${text}\n`, 'x')
}

const keyText = (key: EncryptionKey | HmacKey): string => Buffer.from(exposeKey(key)).toString()

/** The cure for a proxy with a login in its URL. */
const LOGIN = 'HTTP_PROXY_USER and HTTP_PROXY_PASSWORD'

describe('.fwknoprc', () => {
  const understood: [string, object][] = [
    ['SPA_SERVER host.example', { server: 'host.example' }],
    ['  \tSPA_SERVER:   host.example', { server: 'host.example' }],
    ['SPA_SERVER host.example; # comment', { server: 'host.example' }],
    ['SPA_SERVER host.example # comment', { server: 'host.example' }],
    ['# SPA_SERVER host.example', {}],
    ['; SPA_SERVER host.example', {}],
    ['SPA_SERVER_PORT 53', { serverPort: 53, randomPort: false }],
    ['SPA_SERVER_PROTO UDP', { transport: 'udp' }],
    ['SPA_SERVER_PROTO http', { transport: 'http' }],
    ['SPA_SERVER_PROTO tcpraw', { transport: 'tcpraw' }],
    ['SPOOF_SOURCE_IP 192.0.2.1', { spoofedSource: '192.0.2.1' }],
    ['HTTP_PROXY http://proxy.example:3128/', { httpProxy: { host: 'proxy.example', port: 3128 } }],
    ['HTTP_PROXY proxy.example', { httpProxy: { host: 'proxy.example' } }],
    ['HTTP_PROXY HTTP://[2001:db8::1]:8080', { httpProxy: { host: '2001:db8::1', port: 8080 } }],
    ['HTTP_PROXY N', {}],
    ['HTTP_PROXY_USER ada', { httpProxyUser: 'ada' }],
    ['HTTP_PROXY_PASSWORD_FILE /home/ada/pw', { httpProxyPassword: { file: '/home/ada/pw' } }],
    ['HTTPS_CA_FILE /etc/ca.pem', { caFile: '/etc/ca.pem' }],
    ['GATEWAY https://gate.example', { gateways: [{ secure: true, host: 'gate.example', port: 443 }] }],
    ['GATEWAY_TARGET office', { gatewayTarget: 'office' }],
    ['SPA_SOURCE_PORT 1', { sourcePort: 1 }],
    ['RAND_PORT yes', { randomPort: true }],
    ['RAND_PORT N', { randomPort: false }],
    ['SERVER_RESOLVE_IPV4 Y', { family: 4 }],
    ['SERVER_RESOLVE_IPV4 N', {}],
    [
      'ACCESS tcp/22,UDP/53',
      {
        access: [
          { protocol: 'tcp', port: 22 },
          { protocol: 'udp', port: 53 },
        ],
      },
    ],
    ['ALLOW_IP source', { allow: 'packet-source' }],
    ['ALLOW_IP 0.0.0.0', { allow: 'packet-source' }],
    ['ALLOW_IP 1.2.3.4', { allow: '1.2.3.4' }],
    ['ALLOW_IP 2001:DB8::1', { allow: '2001:db8::1' }],
    ['FW_TIMEOUT 0', { timeout: 0 }],
    ['FW_TIMEOUT 65535', { timeout: 65535 }],
    ['TIME_OFFSET 90', { timeOffset: 90 }],
    ['TIME_OFFSET -2days', { timeOffset: -172_800 }],
    ['TIME_OFFSET 5m', { timeOffset: 300 }],
    ['TIME_OFFSET 2H', { timeOffset: 7200 }],
    ['SPOOF_USER ada', { username: 'ada' }],
    ['NAT_ACCESS 10.0.0.5', { natAccess: { host: '10.0.0.5' } }],
    ['NAT_ACCESS 10.0.0.5:22', { natAccess: { host: '10.0.0.5', port: 22 } }],
    ['NAT_ACCESS inner.example,22', { natAccess: { host: { name: 'inner.example' }, port: 22 } }],
    ['NAT_ACCESS [::1]:22', { natAccess: { host: '::1', port: 22 } }],
    ['NAT_ACCESS fd00::5', { natAccess: { host: 'fd00::5' } }],
    ['NAT_LOCAL Y', { natLocal: true }],
    ['NAT_PORT 80', { natPort: 80, natRandomPort: false }],
    ['NAT_RAND_PORT Y', { natRandomPort: true }],
    ['DIGEST_TYPE SHA512', { digestType: 'sha512' }],
    ['HMAC_DIGEST_TYPE sha3_256', { hmacDigestType: 'sha3_256' }],
    ['ENCRYPTION_MODE cfb', { encryptionMode: 'CFB' }],
    ['KEY_FILE /k', { encryptionKey: { file: '/k' } }],
    ['HMAC_KEY_FILE /h', { hmacKey: { file: '/h' } }],
    ['USE_HMAC Y', { useHmac: true }],
    ['VERBOSE 2', { verbose: true }],
    ['VERBOSE N', { verbose: false }],
    ['TIME_OFFSET -86400', { timeOffset: -86_400 }],
    ['NO_SAVE_ARGS Y', { noSaveArgs: true }],
    ['USE_GPG N', { gpg: false }],
    ['USE_GPG Y', { gpg: true }],
    ['ENCRYPTION_MODE Asymmetric', { encryptionMode: 'asymmetric' }],
    ['RESOLVE_IP_HTTPS N', { resolveOwn: false }],
    ['RESOLVE_IP_HTTP Y', { resolveOwn: true }],
    ['ALLOW_IP resolve', { resolveOwn: true }],
    ['RESOLVE_DNS me.example@192.0.2.1', { resolveDns: { name: 'me.example', server: '192.0.2.1' } }],
    ['GPG_RECIPIENT ABCD', { gpgRecipient: 'ABCD' }],
    ['GPG_NO_SIGNING_PW Y', { gpgNoPassphrase: true }],
    ['USE_GPG_AGENT Y', { gpgAgent: true }],
    ['HTTP_USER_AGENT Mozilla/5.0 (X11; Linux)', { userAgent: 'Mozilla/5.0 (X11; Linux)' }],
    ['RESOLVE_URL https://ip.example/', { resolveUrl: [{ host: 'ip.example', path: '/', secure: true }] }],
    ['RESOLVE_HTTP_ONLY Y', { resolveHttpOnly: true }],
    ['WGET_CMD /bin/wget', { wgetCommand: '/bin/wget' }],
  ]
  for (const [text, expected] of understood)
    it(`${text.trim()} is understood`, () => {
      const result = line(text)
      assert.ok(result.ok, result.ok ? '' : result.failure.detail)
      assert.deepEqual(result.value, expected)
    })

  it('keys are read as text and as base64, into keys', () => {
    const result = settings('[x]\nKEY a+b=\nHMAC_KEY_BASE64 c2VjcmV0\n', 'x')
    assert.ok(result.ok)
    const { encryptionKey, hmacKey } = result.value
    assert.ok(encryptionKey && 'key' in encryptionKey && encryptionKey.key instanceof EncryptionKey)
    assert.ok(hmacKey && 'key' in hmacKey && hmacKey.key instanceof HmacKey)
    assert.deepEqual([keyText(encryptionKey.key), keyText(hmacKey.key)], ['a+b=', 'secret'])
  })

  const refused: [string, FailureCode, RegExp, string?][] = [
    ['SPA_SERVER', 'CONFIG_SYNTAX', /SPA_SERVER has no value/],
    ['SPA_SERVER=host', 'CONFIG_SYNTAX', /a blank separates name and value/, 'SPA_SERVER …'],
    ['KEY:abc', 'CONFIG_SYNTAX', /a blank is missing after the colon/, 'KEY …'],
    ['KEY_BASE64 = YWJj', 'CONFIG_SYNTAX', /not an equals sign/, 'KEY_BASE64 …'],
    ['KEY = abc', 'CONFIG_SYNTAX', /not an equals sign/, 'KEY …'],
    ['SPA_SERVER =host', 'CONFIG_SYNTAX', /not an equals sign/, 'SPA_SERVER …'],
    ['//comment', 'CONFIG_SYNTAX', /a blank, and its value/],
    ['[y', 'CONFIG_SYNTAX', /closing bracket/, '[NAME]'],
    ['ACCES tcp/22', 'CONFIG_UNKNOWN_KEY', /no setting ACCES/, 'ACCESS'],
    ['access tcp/22', 'CONFIG_UNKNOWN_KEY', /no setting access/, 'ACCESS'],
    ['CLIENT_TIMEOUT 30', 'CONFIG_UNKNOWN_KEY', /CLIENT_TIMEOUT/, 'FW_TIMEOUT'],
    ['FROB_NICATE 1', 'CONFIG_UNKNOWN_KEY', /FROB_NICATE/],
    ['FROBNICATE 1', 'CONFIG_UNKNOWN_KEY', /does not begin with the name of a setting/],
    ['ACCESS tcp/22 udp/53', 'CONFIG_SYNTAX', /the value of ACCESS ends at a blank/, 'ACCESS tcp/22,udp/53'],
    ['ACCESS tcp/22, udp/53', 'CONFIG_SYNTAX', /the value of ACCESS ends at a blank/, 'ACCESS tcp/22,udp/53'],
    ['KEY two words', 'CONFIG_SYNTAX', /KEY ends at a blank/, 'KEY_BASE64'],
    ['HMAC_KEY a#b', 'CONFIG_SYNTAX', /HMAC_KEY ends at a blank/, 'HMAC_KEY_BASE64'],
    ['KEY __CHANGEME__', 'KEY_INVALID', /placeholder/],
    ['KEY 123456789012345678901234567890123', 'KEY_INVALID', /at most 32 bytes, this one has 33/],
    ['KEY_BASE64 YWJj!', 'KEY_INVALID', /not base64/],
    ['HMAC_KEY_BASE64 !', 'KEY_INVALID', /not base64/],
    ['SPA_SERVER_PORT 0', 'CONFIG_INVALID_VALUE', /port 0/],
    ['SPA_SERVER_PORT 65536', 'CONFIG_INVALID_VALUE', /65536/],
    ['SPA_SERVER_PORT http', 'CONFIG_INVALID_VALUE', /“http”/],
    ['SPA_SOURCE_PORT -1', 'CONFIG_INVALID_VALUE', /“-1”/],
    ['NAT_PORT 0', 'CONFIG_INVALID_VALUE', /port 0/],
    ['HTTP_PROXY https://proxy.example:3128', 'CONFIG_INVALID_VALUE', /over plain HTTP/, 'http://HOST:PORT'],
    ['HTTP_PROXY http://ada:hunter2@proxy.example', 'CONFIG_INVALID_VALUE', /settings of their own/, LOGIN],
    ['HTTP_PROXY http://ada:hunt@er2@proxy.example', 'CONFIG_INVALID_VALUE', /settings of their own/, LOGIN],
    ['HTTP_PROXY proxy.example:0', 'CONFIG_INVALID_VALUE', /port 0/],
    ['HTTP_PROXY proxy.example/path', 'CONFIG_INVALID_VALUE', /is not a proxy/],
    ['HTTP_PROXY_USER a:b', 'CONFIG_INVALID_VALUE', /no colon/],
    ['HTTP_USER_AGENT Ägent', 'CONFIG_INVALID_VALUE', /ASCII/],
    ['SPA_SERVER_PROTO upd', 'CONFIG_INVALID_VALUE', /“upd” is not a transport/, 'udp'],
    ['ACCESS tcp/0', 'CONFIG_INVALID_VALUE', /tcp\/0/],
    ['ACCESS tcp/22,', 'CONFIG_INVALID_VALUE', /delete the extra comma/],
    ['ACCESS tcp/8000-8001', 'CONFIG_INVALID_VALUE', /“tcp\/8000-8001” is a range/, 'tcp/8000,tcp/8001'],
    ['ACCESS icmp/1', 'CONFIG_INVALID_VALUE', /icmp\/1/],
    ['ALLOW_IP 1.2.3', 'CONFIG_INVALID_VALUE', /1\.2\.3/],
    ['ALLOW_IP sourc', 'CONFIG_INVALID_VALUE', /sourc/, 'source'],
    ['ALLOW_IP resolv', 'CONFIG_INVALID_VALUE', /resolv/, 'resolve'],
    ['FW_TIMEOUT 5x', 'CONFIG_INVALID_VALUE', /5x/],
    ['TIME_OFFSET 65537d', 'CONFIG_INVALID_VALUE', /at most 65536 days/],
    ['TIME_OFFSET 123456789999', 'CONFIG_INVALID_VALUE', /at most 65536 days/],
    ['FW_TIMEOUT 65536', 'CONFIG_INVALID_VALUE', /65536/],
    ['FW_TIMEOUT -1', 'CONFIG_INVALID_VALUE', /-1/],
    ['TIME_OFFSET soon', 'CONFIG_INVALID_VALUE', /soon/],
    ['TIME_OFFSET 5w', 'CONFIG_INVALID_VALUE', /5w/],
    ['SPOOF_USER a:b', 'CONFIG_INVALID_VALUE', /a:b/],
    ['NAT_ACCESS :22', 'CONFIG_INVALID_VALUE', /:22/],
    ['NAT_ACCESS host:0', 'CONFIG_INVALID_VALUE', /port 0/],
    ['NAT_ACCESS 10.0.0', 'CONFIG_INVALID_VALUE', /10\.0\.0/],
    ['NAT_ACCESS [::1', 'CONFIG_INVALID_VALUE', /::1/],
    ['RAND_PORT maybe', 'CONFIG_INVALID_VALUE', /neither Y nor N/],
    ['DIGEST_TYPE sha224', 'CONFIG_INVALID_VALUE', /“…” is not a digest type/],
    ['HMAC_DIGEST_TYPE sha', 'CONFIG_INVALID_VALUE', /“sha”/],
    ['ENCRYPTION_MODE PCBC', 'CONFIG_INVALID_VALUE', /PCBC/],
    ['SPOOF_SOURCE_IP 1.2.3', 'CONFIG_INVALID_VALUE', /1\.2\.3/],
    ['RESOLVE_URL ftp://x/', 'CONFIG_INVALID_VALUE', /not a URL of a web service/],
    ['RESOLVE_DNS me.example', 'CONFIG_INVALID_VALUE', /not a DNS query/],
    ['VERBOSE 100', 'CONFIG_INVALID_VALUE', /^VERBOSE: “100” is not Y, N, or a number from 0 to 4/],
    ['RESOLVE_IP_HTTP maybe', 'CONFIG_INVALID_VALUE', /neither Y nor N/],
  ]
  for (const [text, code, detail, suggestion] of refused)
    it(`${text} is refused`, () => {
      const result = line(text)
      assert.ok(!result.ok)
      assert.equal(result.failure.code, code)
      assert.match(result.failure.detail, detail)
      assert.equal(result.failure.suggestion, suggestion)
      assert.deepEqual(result.failure.at, { file: 'rc', line: 2 })
    })

  // [default] and [x] → what counts of them.
  const layered: [string, SettingLayer, object][] = [
    ['[x]\nRESOLVE_IP_HTTPS Y', { allow: 'packet-source' }, { allow: 'packet-source' }],
    ['[x]\nALLOW_IP resolve', { allow: 'packet-source' }, { allow: 'packet-source' }],
    ['[x]\nRESOLVE_IP_HTTP Y\nRESOLVE_IP_HTTPS Y\nALLOW_IP 192.0.2.1', {}, { allow: '192.0.2.1' }],
    ['[default]\nALLOW_IP source\n[x]\nRESOLVE_IP_HTTPS Y', {}, { allow: 'packet-source' }],
    ['[default]\nRESOLVE_IP_HTTPS Y\n[x]\nALLOW_IP source', {}, { allow: 'packet-source' }],
    ['[default]\nRESOLVE_IP_HTTPS Y\n[x]\nRESOLVE_IP_HTTPS N', {}, { resolveOwn: false }],
    ['[default]\nALLOW_IP source\n[x]\nALLOW_IP resolve', {}, { resolveOwn: true }],
    ['[default]\nRESOLVE_IP_HTTPS Y\n[x]\nRESOLVE_IP_HTTP N', {}, { resolveOwn: false }],
    ['[default]\nSPA_SERVER_PROTO tcp\n[x]\nSPA_SERVER_PROTO udp', {}, { transport: 'udp' }],
    ['[x]\nSPA_SERVER_PROTO tcp', { transport: 'udp' }, { transport: 'udp' }],
    ['[default]\nSPA_SERVER_PROTO udp\n[x]\nSPA_SERVER_PROTO icmp', {}, { transport: 'icmp' }],
    ['[default]\nUSE_GPG Y\n[x]\nUSE_GPG N\nGPG_RECIPIENT A', {}, { gpg: false, gpgRecipient: 'A' }],
    ['[default]\nUSE_GPG Y\n[x]\nGPG_RECIPIENT A', {}, { gpg: true, gpgRecipient: 'A' }],
    ['[default]\nENCRYPTION_MODE asymmetric\n[x]\nENCRYPTION_MODE CBC', {}, { encryptionMode: 'CBC' }],
    ['[x]\nENCRYPTION_MODE asymmetric', { encryptionMode: 'CTR' }, { encryptionMode: 'CTR' }],
    ['[default]\nSERVER_RESOLVE_IPV4 Y\n[x]\nSERVER_RESOLVE_IPV4 N', {}, {}],
    ['[x]\nSERVER_RESOLVE_IPV4 N', { family: 6 }, { family: 6 }],
  ]
  for (const [text, flags, expected] of layered)
    it(`${JSON.stringify(text)} under ${JSON.stringify(flags)} is judged by what counts`, () => {
      const result = settings(`${text}\n`, 'x', flags)
      assert.deepEqual(result, { ok: true, value: expected })
    })

  it('a line that cannot be understood is refused, although a flag takes its place', () => {
    const result = settings('[default]\nALLOW_IP somewhere\n', undefined, { allow: 'packet-source' })
    assert.ok(!result.ok)
    assert.deepEqual([result.failure.code, result.failure.at], ['CONFIG_INVALID_VALUE', { file: 'rc', line: 2 }])
  })

  it('every name of fwknop’s is known', () => {
    // As fwknop 2.6.10 lists them, and those that are ghostport’s own.
    const names =
      'DIGEST_TYPE SPA_SERVER_PROTO SPA_SERVER_PORT SPA_SOURCE_PORT FW_TIMEOUT ALLOW_IP TIME_OFFSET ENCRYPTION_MODE USE_GPG USE_GPG_AGENT GPG_RECIPIENT GPG_SIGNER GPG_HOMEDIR GPG_EXE GPG_SIGNING_PW GPG_SIGNING_PW_BASE64 GPG_NO_SIGNING_PW SPOOF_USER SPOOF_SOURCE_IP ACCESS SPA_SERVER RAND_PORT KEY KEY_BASE64 HMAC_DIGEST_TYPE HMAC_KEY_BASE64 HMAC_KEY USE_HMAC USE_WGET_USER_AGENT KEY_FILE HMAC_KEY_FILE NAT_ACCESS HTTP_USER_AGENT RESOLVE_URL SERVER_RESOLVE_IPV4 NAT_LOCAL NAT_RAND_PORT NAT_PORT VERBOSE RESOLVE_IP_HTTP RESOLVE_IP_HTTPS RESOLVE_HTTP_ONLY WGET_CMD NO_SAVE_ARGS'
    assert.deepEqual(Object.keys(clientSettings).sort(), [...names.split(' '), ...ownSettings].sort())
  })

  it('no refusal shows a key', () => {
    for (const text of [
      'KEY:hunter2',
      'KEY=hunter2',
      'KEY hunter2 x',
      'KEY_BASE64 hunter2!',
      'HMAC_KEY hunter2#x',
      'KEYS=hunter2',
      'HTTP_PROXY http://ada:hunter2@proxy.example',
      'HTTP_PROXY_PASSWORD hunter2 x',
    ])
      assert.doesNotMatch(JSON.stringify(line(text)), /hunter2/, text)
  })

  const rc =
    '[default]\nSPA_SERVER d\nSPA_SERVER_PORT 1\nKEY a\n[One]\nSPA_SERVER one\nRAND_PORT Y\n[two]\nSPOOF_SOURCE_IP 192.0.2\n'
  it('a named stanza counts over [default], in any case', () => {
    const [none, one] = [settings(rc), settings(rc, 'ONE')]
    assert.ok(none.ok && one.ok)
    assert.equal(none.value.server, 'd')
    assert.deepEqual([one.value.server, one.value.serverPort, one.value.randomPort], ['one', 1, true])
    assert.ok(one.value.encryptionKey)
  })
  it('what stands in a stanza that is not used does not matter', () => {
    assert.ok(settings(rc, 'one').ok)
    const two = settings(rc, 'two')
    assert.ok(!two.ok)
    assert.deepEqual(two.failure.at, { file: 'rc', line: 9 })
  })
  it('a stanza that is not there is refused with the nearest', () => {
    const result = settings(rc, 'onne')
    assert.ok(!result.ok)
    assert.equal(result.failure.code, 'CONFIG_MISSING_KEY')
    assert.equal(result.failure.suggestion, 'One')
  })

  const conflicts: [string, number][] = [
    ['[x]\nSPA_SERVER a\nSPA_SERVER b\n', 3],
    ['[x]\nKEY a\nKEY_BASE64 YQ==\n', 3],
    ['[x]\nKEY_FILE a\nKEY b\n', 3],
    ['[x]\nRAND_PORT Y\nSPA_SERVER_PORT 5\n', 3],
    ['[x]\nNAT_PORT 5\nNAT_RAND_PORT Y\n', 3],
    ['[x]\nSPA_SERVER a\n[y]\n[X]\nSPA_SERVER b\n', 4],
  ]
  for (const [text, at] of conflicts)
    it(`${JSON.stringify(text)} contradicts itself`, () => {
      const result = settings(text, 'x')
      assert.ok(!result.ok)
      assert.equal(result.failure.code, 'CONFIG_CONFLICT')
      assert.equal(result.failure.at?.line, at)
    })

  it('a line before the first stanza would have no effect, and is refused', () => {
    const result = parseFwknoprc('rc', '# fine\n\nSPA_SERVER a\n[default]\n')
    assert.ok(!result.ok)
    assert.deepEqual([result.failure.code, result.failure.at?.line], ['CONFIG_SYNTAX', 3])
  })
  it('a bracket that is not closed is named, also in the first line', () => {
    for (const [text, line] of [
      ['[myserver\nKEY a\n', 1],
      ['[default]\nKEY a\n[myserver\nKEY b\n', 3],
    ] as const) {
      const result = parseFwknoprc('rc', text)
      assert.ok(!result.ok)
      assert.match(result.failure.detail, /no closing bracket/)
      assert.deepEqual([result.failure.suggestion, result.failure.at?.line], ['[NAME]', line])
    }
  })
  it('a name of a stanza that is empty, or in one bracket, or in four, is named', () => {
    for (const [text, detail] of [
      ['myserver]\nKEY a\n', /no opening bracket/],
      ['[]\nKEY a\n', /one name/],
      ['[ ]\nKEY a\n', /one name/],
      ['[[myserver]]\nKEY a\n', /one pair of brackets/],
    ] as const) {
      const result = parseFwknoprc('rc', text)
      assert.ok(!result.ok, text)
      assert.match(result.failure.detail, detail)
      assert.deepEqual([result.failure.suggestion, result.failure.at?.line], ['[NAME]', 1])
    }
  })
  it('the half of the server is told from a mistake', () => {
    for (const [text, detail] of [
      ['[x]\nSOURCE ANY\n', /^SOURCE belongs in access\.conf/],
      ['[x]\nSPA_PORTS 1\n', /^SPA_PORTS belongs in fwknopd\.conf/],
      ['SOURCE ANY\n', /^SOURCE belongs in access\.conf/],
    ] as const) {
      const result = settings(text, 'x')
      assert.ok(!result.ok, text)
      assert.match(result.failure.detail, detail)
    }
  })
  it('a raw key may begin with an equals sign', () => {
    const result = settings('[x]\nKEY =a\n', 'x')
    assert.ok(result.ok && result.value.encryptionKey && 'key' in result.value.encryptionKey)
    assert.equal(keyText(result.value.encryptionKey.key), '=a')
  })
  it('a name in brackets stands alone', () => {
    for (const text of ['[x] KEY a\n', '[]\nKEY a\n']) {
      const result = settings(text, text.startsWith('[]') ? '' : 'x')
      assert.ok(!result.ok && result.failure.code === 'CONFIG_SYNTAX', text)
    }
  })
  it('knows whether it holds keys, in whichever stanza', () => {
    const holds = (text: string): boolean | undefined => {
      const file = parseFwknoprc('rc', text)
      return file.ok ? file.value.holdsKeys : undefined
    }
    assert.equal(holds('[default]\n[y]\nHMAC_KEY a\n'), true)
    assert.equal(holds('[default]\nKEY_FILE a\n#KEY a\n'), false)
  })
  it('finds stanzas by their server', () => {
    const servers =
      '[default]\nSPA_SERVER c\n[x]\nSPA_SERVER: A.example; # one\n[y]\nSPA_SERVER b\n[z]\nSPA_SERVER a.Example\n'
    const file = parseFwknoprc('rc', servers)
    assert.ok(file.ok)
    const found = ['a.example', 'b', 'c', 'd'].map((host) => file.value.withServer(host))
    assert.deepEqual(found, [['x', 'z'], ['y'], [], []])
  })
  it('lists its stanzas', () => {
    const file = parseFwknoprc('rc', rc)
    assert.ok(file.ok)
    assert.deepEqual(file.value.stanzas, ['One', 'two'])
  })
})
