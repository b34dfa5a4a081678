/**
 * `ghostport knock` by each transport, on the real fwknopd, which captures packets on the server's interface. Through
 * a real proxy, the packet comes from the proxy's host.
 *
 *     client 10.9.0.1 ──── server 10.9.0.2   fwknopd, tcp/80 (a web server), tcp/62201 (fwknopd's TCP server)
 *        10.9.1.1 ──── proxy 10.9.1.2, 10.9.2.1 ──── server 10.9.2.2
 */
import assert from 'node:assert/strict'
import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { type Host, Network, netnsUnavailable, type Program } from '../support/netns.ts'
import { CLIENT, SERVER } from './cases.ts'
import { type AccessLines, ghostportCommand, knock, startFwknopd } from './client-fwknopd.ts'

const fwknop = fileURLToPath(new URL('../../src/cli/fwknop.ts', import.meta.url))

/** A spoofed source is another address of the same network, where nobody is. */
const SPOOFED = '10.9.0.77'
const PROXY = '10.9.1.2:8888'
const KEYS = ['--key-rijndael', 'sesame', '--key-hmac', 'latch'] as const
const STANZAS: readonly AccessLines[] = [
  [
    ['SOURCE', 'ANY'],
    ['KEY', 'sesame'],
    ['HMAC_KEY', 'latch'],
    ['FW_ACCESS_TIMEOUT', '60'],
  ],
]
const CONF = (of: string): readonly string[] => [
  `PCAP_INTF ${of}`,
  'PCAP_FILTER udp port 62201 or tcp port 62201 or tcp port 80 or icmp',
  'ENABLE_SPA_OVER_HTTP Y',
  'ENABLE_TCP_SERVER Y',
  'TCPSERV_PORT 62201',
]

/** Each asks for a port of its own. */
const ways: readonly (readonly [name: string, argv: readonly string[]])[] = [
  ['TCP', ['-P', 'tcp']],
  ['HTTP', ['-P', 'http', '-p', '80']],
  ['HTTP with a user agent of its own', ['-P', 'http', '-p', '80', '-u', 'Fwknop/ours (test)']],
  ['raw UDP', ['-P', 'udpraw']],
  ['raw UDP from a spoofed source', ['-P', 'udpraw', '-Q', SPOOFED, '-S', '53']],
  ['raw TCP', ['-P', 'tcpraw', '-p', '80']],
  ['raw TCP from a spoofed source', ['-P', 'tcpraw', '-p', '80', '-Q', SPOOFED]],
  ['ICMP', ['-P', 'icmp']],
  ['an ICMP echo request from a spoofed source', ['-P', 'icmp', '--icmp-type', '8', '-Q', SPOOFED]],
]
const FIRST_PORT = 20_000
const PROXIED_PORT = FIRST_PORT + ways.length

describe('ghostport knock opens the real fwknopd by every transport', { skip: netnsUnavailable() }, () => {
  let net: Network
  let client: Host
  let server: Host
  let fwknopd: Program

  before(async () => {
    net = await Network.create()
    client = await net.host('client')
    server = await net.host('server')
    await net.link(client, [`${CLIENT}/24`], server, [`${SERVER}/24`], ['eth0', 'eth0'])
    const ports = Array.from({ length: ways.length + 2 }, (_, i) => FIRST_PORT + i)
    await server.listen([80, ...ports].map((port) => ({ protocol: 'tcp', port, banner: `service-${port}` }) as const))
    fwknopd = await startFwknopd(net, server, STANZAS, undefined, { conf: CONF('eth0'), ports: [80, 62201] })
  })
  after(() => net?.close())

  for (const [i, [name, argv]] of ways.entries())
    it(name, async () => {
      const port = FIRST_PORT + i
      assert.equal(await client.tcp(SERVER, port), 'refused')
      const wanted = ['-D', SERVER, '-A', `tcp/${port}`, '-a', CLIENT, '--wait', '--wait-for', 'banner']
      const { status, stdout, stderr } = knock(client, ...wanted, ...KEYS, ...argv)
      assert.equal(status, 0, `${stderr}${stdout}\nfwknopd said:\n${fwknopd.output.split('\n').slice(-40).join('\n')}`)
      assert.match(stdout, /^open after /m)
      assert.equal(await client.tcp(SERVER, port), `service-${port}`)
    })

  it('the program fwknop, with the options of 1.9.12', async () => {
    const port = FIRST_PORT + ways.length + 1
    assert.equal(await client.tcp(SERVER, port), 'refused')
    const program = [process.execPath, '--conditions=ghostport-source', fwknop]
    const argv = [
      '-A',
      `tcp/${port}`,
      '--HTTP',
      '-p',
      '80',
      '-a',
      CLIENT,
      '-D',
      SERVER,
      '--no-rc-file',
      '--no-save-args',
    ]
    client.must([...program, ...argv, ...KEYS])
    await client.until(`service-${port}`, { protocol: 'tcp', address: SERVER, port, timeoutMs: 150 }, 3_000)
  })

  it('a user agent that fwknopd does not take opens nothing, and the reason is among those that are told', () => {
    const wanted = [
      '-D',
      SERVER,
      '-A',
      `tcp/${FIRST_PORT + ways.length}`,
      '-a',
      CLIENT,
      '--wait',
      '--wait-limit',
      '0.5',
    ]
    const { status, stderr } = knock(client, ...wanted, ...KEYS, '-P', 'http', '-p', '80', '-u', 'Mozilla')
    assert.equal(status, 1)
    assert.match(stderr, /user agent does not begin with “Fwknop”/)
  })

  it('raw packets without the privilege are refused, and nothing is sent', () => {
    const argv = ['knock', '--no-rc-file', '-D', SERVER, '-A', 'tcp/1', '-a', CLIENT, ...KEYS, '-P', 'udpraw']
    const without = ['setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups', '--bounding-set', '-all']
    const { status, stderr } = client.run([...without, ...ghostportCommand(...argv)])
    assert.equal(status, 69, stderr)
    assert.match(stderr, /10\.9\.0\.2 port 62201\/udp: packets of this kind need root, or the capability CAP_NET_RAW/)
  })
})

describe('ghostport knock opens the real fwknopd through a real proxy', { skip: netnsUnavailable() }, () => {
  let net: Network
  let client: Host
  let server: Host
  let fwknopd: Program
  let password: string

  before(async () => {
    net = await Network.create()
    const proxy = await net.host('proxy')
    client = await net.host('client')
    server = await net.host('server')
    await net.link(client, [`${CLIENT}/24`], server, [`${SERVER}/24`], ['eth0', 'eth0'])
    await net.link(client, ['10.9.1.1/24'], proxy, ['10.9.1.2/24'], ['eth1', 'eth0'])
    await net.link(proxy, ['10.9.2.1/24'], server, ['10.9.2.2/24'], ['eth1', 'eth1'])
    await server.listen(
      [80, PROXIED_PORT].map((port) => ({ protocol: 'tcp', port, banner: `service-${port}` }) as const),
    )
    fwknopd = await startFwknopd(net, server, STANZAS, undefined, { conf: CONF('eth1'), ports: [80, 62201] })
    password = join(net.directory(), 'password')
    writeFileSync(password, 'open:sesame\n', { mode: 0o600 })
    const squid = startSquid(net, proxy)
    const deadline = performance.now() + 10_000
    while ((await client.tcp('10.9.1.2', 8888)) !== 'open')
      assert.ok(performance.now() < deadline, `the proxy does not listen:\n${squid.output}`)
  })
  after(() => net?.close())

  const wanted = (port: number) => ['-D', '10.9.2.2', '-A', `tcp/${port}`, '-a', CLIENT, ...KEYS, '-H', PROXY]

  it('refused without a password, and with a wrong one', () => {
    const none = knock(client, ...wanted(PROXIED_PORT))
    assert.equal(none.status, 69)
    assert.match(none.stderr, /the proxy 10\.9\.1\.2 port 8888\/tcp: it wants a user name and a password \(407\)/)
    const file = join(net.directory(), 'wrong')
    writeFileSync(file, 'wrong\n', { mode: 0o600 })
    const wrong = ['--http-proxy-user', 'ada', '--http-proxy-password-file', file]
    assert.match(knock(client, ...wanted(PROXIED_PORT), ...wrong).stderr, /it refuses user name and password \(407\)/)
  })

  it('with user and password', async () => {
    assert.equal(await client.tcp(SERVER, PROXIED_PORT), 'refused')
    const login = ['--http-proxy-user', 'ada', '--http-proxy-password-file', password]
    const { status, stdout, stderr } = knock(client, ...wanted(PROXIED_PORT), ...login)
    assert.equal(status, 0, stderr)
    assert.match(stdout, /^sent to the proxy 10\.9\.1\.2 port 8888\/tcp by http/)
    const probe = { protocol: 'tcp', address: SERVER, port: PROXIED_PORT, timeoutMs: 150 } as const
    await client.until(`service-${PROXIED_PORT}`, probe, 3_000).catch((error: unknown) => {
      throw new Error(`${stdout}fwknopd said:\n${fwknopd.output.split('\n').slice(-40).join('\n')}`, { cause: error })
    })
  })
})

/** squid, which lets only ada in, with the password `open:sesame`. It runs as a user of its own. */
function startSquid(net: Network, host: Host): Program {
  const folder = net.directory()
  chmodSync(folder, 0o755)
  const users = join(folder, 'users')
  writeFileSync(users, `ada:${host.must(['openssl', 'passwd', '-apr1', 'open:sesame'])}`)
  const conf = join(folder, 'squid.conf')
  const lines = [
    'http_port 10.9.1.2:8888',
    `auth_param basic program /usr/lib/squid/basic_ncsa_auth ${users}`,
    'auth_param basic children 1',
    'acl known proxy_auth REQUIRED',
    'http_access allow known',
    'http_access deny all',
    `pid_filename ${folder}/pid`,
    `cache_log ${folder}/log`,
    'access_log none',
    'cache deny all',
    'cache_mem 8 MB',
    'max_filedescriptors 256',
    'pinger_enable off',
    `coredump_dir ${folder}`,
  ]
  writeFileSync(conf, `${lines.join('\n')}\n`)
  return host.start(['squid', '-N', '-f', conf])
}
