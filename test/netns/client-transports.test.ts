/**
 * Our client on our server, by every transport, over IPv4 and IPv6. The server captures packets passively and has a TCP
 * server. Over HTTPS, a real Apache ends TLS on another host, and passes requests on.
 *
 *   client 10.9.0.1, fd00::1 ── 10.9.0.2, fd00::2 server
 *   client 10.9.1.1 ── 10.9.1.2 gateway 10.9.2.1 ── 10.9.2.2 server
 */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { Daemon, dropByDefault, ghostportCommand, keys, SERVER, stanza } from '../support/daemon.ts'
import { type Host, Network, netnsUnavailable, type Outcome } from '../support/netns.ts'
import { makeCertificate } from '../support/tls-certificate.ts'

const SERVER6 = 'fd00::2'
const FIRST_PORT = 20_000
/** The way in the server's log, and the flags. Each asks for a port of its own. */
const ways: readonly (readonly [via: string, argv: readonly string[]])[] = [
  ['udp', []],
  ['tcp', ['-P', 'tcp']],
  ['tcp/http', ['-P', 'http', '-p', '80']],
  ['udp', ['-P', 'udpraw']],
  ['tcp', ['-P', 'tcpraw', '-p', '80']],
  ['icmp', ['-P', 'icmp']],
]
const spoofed: readonly (readonly string[])[] = [
  ['-P', 'udpraw', '-Q', '10.9.0.77'],
  ['-P', 'tcpraw', '-p', '80', '-Q', '10.9.0.77'],
  ['-P', 'icmp', '-Q', '10.9.0.77'],
]
const HTTPS_PORT = FIRST_PORT + 100

describe('our client on our server', { skip: netnsUnavailable(), concurrency: 1 }, () => {
  let net: Network
  let client: Host
  let server: Host
  let gateway: Host
  let daemon: Daemon
  let authority: string

  before(async () => {
    net = await Network.create()
    ;[client, server, gateway] = [await net.host('client'), await net.host('server'), await net.host('gateway')]
    await net.link(client, ['10.9.0.1/24', 'fd00::1/64'], server, [`${SERVER}/24`, `${SERVER6}/64`])
    await net.link(client, ['10.9.1.1/24'], gateway, ['10.9.1.2/24'])
    await net.link(gateway, ['10.9.2.1/24'], server, ['10.9.2.2/24'])
    dropByDefault(server)
    server.must(['nft', 'add', 'rule', 'inet', 'filter', 'input', 'tcp', 'dport', '{ 62201, 80 }', 'accept'])
    const ports = [...Array(30).keys()].map((i) => FIRST_PORT + i)
    await server.listen(
      [80, HTTPS_PORT, ...ports].map((port) => ({ protocol: 'tcp', port, banner: `service-${port}` }) as const),
    )
    daemon = await Daemon.start(net, server, {
      server: [
        'ENABLE_TCP_SERVER Y',
        'PCAP_FILTER udp port 62201 or tcp port 80 or icmp or icmp6',
        'ENABLE_SPA_OVER_HTTP Y',
        'LOG_LIMIT 1000',
      ],
      access: stanza(['FW_ACCESS_TIMEOUT 60']),
    })
    authority = await startTlsGateway(net, gateway)
  })
  after(() => net?.close())

  function knock(argv: readonly string[], source = '10.9.0.1'): Outcome {
    const base = ['knock', '--no-rc-file', '-a', source, '--key-rijndael', keys.key, '--key-hmac', keys.hmac]
    return client.run(ghostportCommand(...base, ...argv))
  }
  async function opens(argv: readonly string[], to: string, port: number): Promise<void> {
    assert.equal(await client.tcp(to, port, { timeoutMs: 100 }), 'timeout')
    const source = to === SERVER6 ? 'fd00::1' : '10.9.0.1'
    const told = knock(['-D', to, '-A', `tcp/${port}`, '--wait', '--wait-for', 'banner', ...argv], source)
    assert.equal(told.status, 0, `${told.stderr}${told.stdout}\n${JSON.stringify(daemon.events.slice(-4))}`)
    assert.match(told.stdout, /^open after /m)
    assert.equal(await client.tcp(to, port), `service-${port}`)
  }

  for (const [i, [via, argv]] of ways.entries())
    for (const [j, to] of [SERVER, SERVER6].entries())
      it(`${argv.join(' ') || 'UDP'} to ${to}`, async () => {
        const from = daemon.events.length
        await opens(argv, to, FIRST_PORT + 2 * i + j)
        const granted = await daemon.until(({ verdict }) => verdict === 'granted', from)
        const expected = to === SERVER6 ? via.replace('icmp', 'icmp6') : via
        assert.equal(String(granted['via']).replace('tcp-server', 'tcp'), expected)
      })
  for (const [i, argv] of spoofed.entries())
    it(`${argv.join(' ')}: from an address where nobody is`, async () => {
      const from = daemon.events.length
      await opens(argv, SERVER, FIRST_PORT + 2 * ways.length + i)
      const granted = await daemon.until(({ verdict }) => verdict === 'granted', from)
      assert.equal(granted['source'], '10.9.0.77')
    })
  it('HTTPS, through a web server that ends TLS', async () => {
    const from = daemon.events.length
    const argv = ['-D', '10.9.1.2', '-A', `tcp/${HTTPS_PORT}`, '-P', 'https']
    const stranger = knock(argv)
    assert.equal(stranger.status, 69)
    assert.match(
      stranger.stderr,
      /10\.9\.1\.2 port 443\/tcp: its certificate is from no authority that is trusted here/,
    )
    const { status, stderr } = knock([...argv, '--https-ca-file', authority])
    assert.equal(status, 0, stderr)
    const granted = await daemon.until(({ verdict }) => verdict === 'granted', from)
    assert.equal(granted['source'], '10.9.2.1')
    assert.equal(await client.tcp(SERVER, HTTPS_PORT), `service-${HTTPS_PORT}`)
  })
})

/** Apache, which passes each request on to port 80 of the server. @returns the file of its authority. */
async function startTlsGateway(net: Network, host: Host): Promise<string> {
  const folder = net.directory()
  const { key, cert } = makeCertificate(['IP:10.9.1.2'])
  writeFileSync(join(folder, 'key.pem'), key)
  writeFileSync(join(folder, 'cert.pem'), cert)
  const modules = ['mpm_event', 'authz_core', 'ssl', 'proxy', 'proxy_http']
  const lines = [
    `ServerRoot ${folder}`,
    'ServerName gateway.example.net',
    ...modules.map((name) => `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so`),
    'Listen 443',
    `DefaultRuntimeDir ${folder}`,
    'PidFile apache.pid',
    'ErrorLog error.log',
    'StartServers 1',
    'User nobody',
    'Group nogroup',
    'SSLEngine on',
    `SSLCertificateFile ${folder}/cert.pem`,
    `SSLCertificateKeyFile ${folder}/key.pem`,
    'ProxyPass / http://10.9.2.2/',
  ]
  writeFileSync(join(folder, 'apache.conf'), `${lines.join('\n')}\n`)
  host.must(['chmod', '-R', 'a+rX', folder])
  host.start(['apache2', '-f', join(folder, 'apache.conf'), '-DFOREGROUND'])
  await host.until('open', { protocol: 'tcp', address: '127.0.0.1', port: 443, timeoutMs: 200 })
  return join(folder, 'cert.pem')
}
