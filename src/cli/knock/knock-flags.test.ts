import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { settingsFromOptions } from '../../client/plan-options.ts'
import { settle } from '../../config/client/layer.ts'
import { ok } from '../../result.ts'
import { parseCommandLine } from '../terminal/parse-command-line.ts'
import { knockFlags, knockOptions } from './knock-flags.ts'

function settings(...argv: string[]) {
  const parsed = parseCommandLine(knockOptions, {}, argv)
  if (!parsed.ok) return parsed
  const flags = knockFlags(parsed.value.options)
  if (!flags.ok) return flags
  const read = settingsFromOptions(flags.value.options)
  return read.ok ? ok(settle([read.value, flags.value.besides])) : read
}

describe('the flags of a knock', () => {
  const understood: [string, object][] = [
    ['', {}],
    ['-D host -A tcp/22 -s', { server: 'host', access: [{ protocol: 'tcp', port: 22 }], allow: 'packet-source' }],
    [
      '--destination host --access tcp/22 --allow-ip 1.2.3.4',
      { server: 'host', access: [{ protocol: 'tcp', port: 22 }], allow: '1.2.3.4' },
    ],
    [
      '-A tcp/22 -A udp/53',
      {
        access: [
          { protocol: 'tcp', port: 22 },
          { protocol: 'udp', port: 53 },
        ],
      },
    ],
    ['-A TCP/22', { access: [{ protocol: 'tcp', port: 22 }] }],
    ['-a ::1', { allow: '::1' }],
    ['-f 30', { timeout: 30 }],
    ['-p 53', { serverPort: 53, randomPort: false }],
    ['-r', { randomPort: true }],
    ['-S 1000', { sourcePort: 1000 }],
    ['-4', { family: 4 }],
    ['--server-resolve-ipv4', { family: 4 }],
    ['-6', { family: 6 }],
    ['-N 10.0.0.5:22', { natAccess: { host: '10.0.0.5', port: 22 } }],
    ['--nat-local --nat-port 80', { natLocal: true, natPort: 80, natRandomPort: false }],
    ['--nat-rand-port', { natRandomPort: true }],
    ['-G k --get-hmac-key h', { encryptionKey: { file: 'k' }, hmacKey: { file: 'h' } }],
    ['--use-hmac', { useHmac: true }],
    ['--hmac-digest-type md5 -m sha1 -M ctr', { hmacDigestType: 'md5', digestType: 'sha1', encryptionMode: 'CTR' }],
    ['-U ada', { username: 'ada' }],
    ['--time-offset-plus 5m', { timeOffset: 300 }],
    ['--time-offset-minus 2h', { timeOffset: -7200 }],
    ['-vv', { verbose: true }],
    ['--no-save-args', {}],
    ['-P udp', { transport: 'udp' }],
    ['-P http', { transport: 'http' }],
    ['-P udpraw -Q 192.0.2.1', { transport: 'udpraw', spoofedSource: '192.0.2.1' }],
    ['-P ICMP --spoof-src 2001:db8::1', { transport: 'icmp', spoofedSource: '2001:db8::1' }],
    ['-P icmp --icmp-type 8 --icmp-code 0', { transport: 'icmp', icmpType: 8, icmpCode: 0 }],
    ['-H proxy:3128', { transport: 'http', httpProxy: { host: 'proxy', port: 3128 } }],
    ['-H proxy -P tcp', { transport: 'tcp', httpProxy: { host: 'proxy' } }],
    ['-R -a 192.0.2.1', { allow: '192.0.2.1' }],
    ['-s --resolve-http-only', { allow: 'packet-source', resolveHttpOnly: true }],
    ['-w /bin/wget -u agent --use-wget-user-agent', { userAgent: 'agent' }],
    [
      '-s --resolve-url https://ip.example/',
      { allow: 'packet-source', resolveUrl: [{ host: 'ip.example', path: '/', secure: true }] },
    ],
    ['-R', { resolveOwn: true }],
    ['--resolve-ip-http', { resolveOwn: true }],
    ['--resolve-http-only', { resolveOwn: true, resolveHttpOnly: true }],
    ['--resolve-url ip.example', { resolveOwn: true, resolveUrl: [{ host: 'ip.example', path: '/' }] }],
    [
      '--resolve-dns me.example@192.0.2.1',
      { resolveOwn: true, resolveDns: { name: 'me.example', server: '192.0.2.1' } },
    ],
    ['-a resolve', { resolveOwn: true }],
    ['--no-home-dir', {}],
  ]
  for (const [line, expected] of understood)
    it(`“${line}” is understood`, () => {
      const result = settings(...line.split(' ').filter((word) => word !== ''))
      assert.ok(result.ok, result.ok ? '' : result.failure.detail)
      assert.deepEqual(result.value, expected)
    })

  const refused: [string, string, RegExp][] = [
    ['-A tcp', 'VALUE_INVALID', /--access: “tcp”/],
    ['-A tcp/0', 'VALUE_INVALID', /“tcp\/0” has no port/],
    ['-A tcp/65536', 'VALUE_INVALID', /65536/],
    ['-A icmp/8', 'VALUE_INVALID', /icmp/],
    ['-a 1.2.3.256', 'VALUE_INVALID', /--allow-ip: “1.2.3.256” is not an IP address/],
    ['--resolve-url ftp://x/', 'VALUE_INVALID', /--resolve-url: “ftp:\/\/x\/” is not a URL/],
    ['--resolve-dns x', 'VALUE_INVALID', /--resolve-dns: “x” is not a DNS query/],
    ['-f soon', 'VALUE_INVALID', /--fw-timeout: “soon”/],
    ['-f 70000', 'VALUE_INVALID', /70000/],
    ['-p 0', 'VALUE_INVALID', /--server-port: port 0/],
    ['-p 65536', 'VALUE_INVALID', /--server-port: port 65536/],
    ['-S x', 'VALUE_INVALID', /--source-port/],
    ['-N :22', 'VALUE_INVALID', /--nat-access/],
    ['-N host:0', 'VALUE_INVALID', /port 0/],
    ['--nat-port 0', 'VALUE_INVALID', /--nat-port: port 0/],
    ['-m sha224', 'VALUE_INVALID', /--digest-type: “sha224”/],
    ['--hmac-digest-type x', 'VALUE_INVALID', /--hmac-digest-type/],
    ['-M PCBC', 'VALUE_INVALID', /--encryption-mode: “PCBC”/],
    ['-Q fe80::1%eth0', 'VALUE_INVALID', /--spoof-source: .*is not an IP address/],
    ['-P icmp --icmp-type 256', 'VALUE_INVALID', /--icmp-type: .*256/],
    ['-P icmp --icmp-code -1', 'CLI_USAGE', /--icmp-code needs a value/],
    ['-H ftp://h', 'VALUE_INVALID', /--http-proxy: a proxy is asked over plain HTTP/],
    ['-H http://ada:pw@h', 'VALUE_INVALID', /--http-proxy: user and password of the proxy have settings of their own/],
    ['-P upd', 'VALUE_INVALID', /--server-proto: “upd” is not a transport/],
    ['-U a:b', 'VALUE_INVALID', /--spoof-user/],
    ['--time-offset-plus x', 'VALUE_INVALID', /--time-offset-plus: “x”/],
    ['--time-offset-minus 5y', 'VALUE_INVALID', /--time-offset-minus/],
    ['--key-base64-rijndael !', 'KEY_INVALID', /--key-base64-rijndael: the key is not base64/],
    ['--key-base64-hmac !', 'KEY_INVALID', /--key-base64-hmac/],
    ['--key-rijndael 123456789012345678901234567890123', 'KEY_INVALID', /33/],
    ['-a 1.2.3.4 -s', 'CLI_USAGE', /--allow-ip \(-a\) and --source-ip \(-s\) cannot be used together/],
    ['-p 1 -r', 'CLI_USAGE', /--server-port \(-p\) and --rand-port \(-r\)/],
    ['--nat-port 1 --nat-rand-port', 'CLI_USAGE', /--nat-port and --nat-rand-port/],
    ['-4 -6', 'CLI_USAGE', /--ipv4 \(-4\) and --ipv6 \(-6\)/],
    ['--rc-file f --no-rc-file', 'CLI_USAGE', /cannot be used together/],
    ['-n x --no-rc-file', 'CLI_USAGE', /cannot be used together/],
    ['--time-offset-plus 1 --time-offset-minus 1', 'CLI_USAGE', /cannot be used together/],
    ['-G f --key-rijndael k', 'CLI_USAGE', /cannot be used together/],
    ['--get-hmac-key f --key-base64-hmac aaaa', 'CLI_USAGE', /cannot be used together/],
    ['--stdin --fd 3', 'CLI_USAGE', /cannot be used together/],
    ['-s 1.2.3.4', 'CLI_USAGE', /unexpected argument “[^”]+”: -s takes no value/],
    ['--source-ip 1.2.3.4', 'CLI_USAGE', /unexpected argument “[^”]+”: --source-ip takes no value/],
    ['-r 62201', 'CLI_USAGE', /unexpected argument “[^”]+”: -r takes no value/],
    ['--nat-local 80', 'CLI_USAGE', /unexpected argument “[^”]+”: --nat-local takes no value/],
  ]
  for (const [line, code, detail] of refused)
    it(`“${line}” is refused`, () => {
      const result = settings(...line.split(' '))
      assert.ok(!result.ok)
      assert.equal(result.failure.code, code)
      assert.match(result.failure.detail, detail)
    })

  it('a named address makes -R unnecessary, also one of the rc file beside RESOLVE_IP_HTTPS', () => {
    const rc = settle([{ allow: 'packet-source' }, { resolveOwn: true }])
    assert.deepEqual(rc, { allow: 'packet-source' })
  })

  // What fwknop has and ghostport has not is known by name, so that nobody believes it to count.
  const unsupported =
    '-k -K=f --key-len=16 --hmac-key-len=16 --save-rc-stanza --force-stanza --stanza-list -l --show-last -E=f -B=f -b --fault-injection-tag=t'
  for (const word of unsupported.split(' '))
    it(`${word} is fwknop’s, and refused as such`, () => {
      const result = settings(word)
      assert.ok(!result.ok)
      assert.match(result.failure.detail, /is fwknop's and not supported yet: ./)
    })
})

it('a key of bytes that the system does not tell is refused', () => {
  for (const flag of ['--key-rijndael', '--key-hmac']) {
    const read = settings(flag, 'gr\ufffd\ufffde')
    assert.ok(!read.ok)
    assert.equal(read.failure.code, 'KEY_INVALID')
    assert.match(read.failure.suggestion ?? '', /write it into a file/)
  }
  assert.ok(settings('--key-rijndael', 'gr\udcfc\udcdfe').ok)
})
