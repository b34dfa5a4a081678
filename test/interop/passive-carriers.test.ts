/**
 * Knocks that do not come by UDP, read on their way to another program: the real fwknop client sends them in HTTP
 * requests to a real Apache, in TCP segments, and in ICMP messages.
 *
 *   client 10.9.0.1 ───────────────────── 10.9.0.2 server: Apache on tcp/80, two virtual hosts; ssh on tcp/22, dropped
 *      └─ proxy 10.9.0.1:8888 (tinyproxy)
 */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { pageOf, startApache, VIRTUAL_HOSTS } from '../support/apache.ts'
import { clientAndServer, Daemon, keys, type LogEvent, SERVER, stanza } from '../support/daemon.ts'
import { type Host, Network, netnsUnavailable, type Outcome } from '../support/netns.ts'

const CLIENT = '10.9.0.1'

describe('SPA on its way to another program', { skip: netnsUnavailable(), concurrency: 1 }, () => {
  let net: Network
  let client: Host
  let server: Host
  let daemon: Daemon
  let from = 0

  before(async () => {
    net = await Network.create()
    ;[client, server] = await clientAndServer(net)
    server.must(['nft', 'add', 'rule', 'inet', 'filter', 'input', 'tcp', 'dport', '{ 80, 8080 }', 'accept'])
    await startApache(net, server)
    daemon = await Daemon.start(net, server, {
      server: ['PCAP_FILTER port 80 or tcp port 8080 or icmp or udp port 62201', 'ENABLE_SPA_OVER_HTTP Y'],
      access: stanza(['FW_ACCESS_TIMEOUT 2']),
    })
  })
  after(() => net?.close())

  const knock = (...argv: readonly string[]): Outcome => {
    const secrets = ['--key-rijndael', keys.key, '--key-hmac', keys.hmac, '--use-hmac']
    const common = ['--no-rc-file', '--no-home-dir', '--no-save-args', '-E', 'none', '-D', SERVER, '-A', 'tcp/22']
    const outcome = client.run(['fwknop', ...common, '-a', CLIENT, ...secrets, ...argv])
    assert.equal(outcome.status, 0, outcome.stderr + outcome.stdout)
    return outcome
  }

  /** Shut, then a knock, then open, then shut again. */
  async function opens(act: () => unknown): Promise<LogEvent> {
    const probe = { protocol: 'tcp', address: SERVER, port: 22, timeoutMs: 100 } as const
    await client.until('timeout', probe, 5_000)
    from = daemon.events.length
    await act()
    const verdict = await daemon.until(({ verdict }) => verdict !== undefined, from)
    assert.equal(verdict.verdict, 'granted', JSON.stringify(verdict))
    await client.until('ssh', probe, 3_000)
    return verdict
  }

  function everybodySeesThePages(): void {
    for (const [name, page] of Object.entries(VIRTUAL_HOSTS))
      assert.equal(pageOf(client, SERVER, name as keyof typeof VIRTUAL_HOSTS), page)
  }

  it('in an HTTP request that Apache answers; the pages are there for everybody, before and after', async () => {
    everybodySeesThePages()
    const verdict = await opens(() => knock('-P', 'http', '-p', '80'))
    assert.equal(verdict['via'], 'tcp/http')
    assert.equal(verdict['destinationPort'], 80)
    everybodySeesThePages()
    // Visitors are not refused knocks: neither a line nor a count.
    assert.deepEqual(
      daemon.events.filter(({ verdict }) => verdict === 'refused'),
      [],
    )
    assert.deepEqual((daemon.status()['counters'] as { refused: object }).refused, {})
  })

  it('in a TCP segment to a port where a server listens', async () => {
    await server.listen([{ protocol: 'tcp', port: 8080, banner: 'other' }])
    const verdict = await opens(() => knock('-P', 'tcp', '-p', '8080'))
    assert.equal(verdict['via'], 'tcp')
    assert.equal(verdict['destinationPort'], 8080)
  })

  it('in a raw TCP segment of no connection, with another source than the client’s', async () => {
    client.must(['ip', 'address', 'add', '10.9.0.77/32', 'dev', 'lo'])
    const verdict = await opens(() => knock('-P', 'tcpraw', '-p', '80', '-Q', '10.9.0.77'))
    assert.equal(verdict['via'], 'tcp')
    assert.equal(verdict['source'], '10.9.0.77')
  })

  it('in an ICMP message', async () => {
    const verdict = await opens(() => knock('-P', 'icmp', '-Q', CLIENT))
    assert.equal(verdict['via'], 'icmp')
    assert.equal(verdict['sourcePort'], undefined)
  })

  it('in a UDP datagram as well, at the same time', async () => {
    const verdict = await opens(() => knock())
    assert.equal(verdict['via'], 'udp')
  })

  it('through a real proxy', async () => {
    const folder = net.directory()
    writeFileSync(
      join(folder, 'proxy.conf'),
      ['Port 8888', 'Timeout 10', 'MaxClients 10', 'DisableViaHeader Yes', 'XTinyproxy Yes', ''].join('\n'),
    )
    const proxy = client.start(['tinyproxy', '-d', '-c', join(folder, 'proxy.conf')])
    await client.until('open', { protocol: 'tcp', address: CLIENT, port: 8888, timeoutMs: 200 })
    assert.equal(pageOf(client, SERVER, 'www.example.net', `http://${CLIENT}:8888`), 'the shop')
    const verdict = await opens(() => knock('-P', 'http', '-H', `http://${CLIENT}:8888`))
    assert.equal(verdict['via'], 'tcp/http')
    await proxy.stop()
  })

  it('once: a packet that came by UDP is used up for HTTP', async () => {
    const folder = net.directory()
    const saved = join(folder, 'packet')
    await opens(() => knock('--save-packet', saved))
    const packet = client.must(['cat', saved]).trim()
    await client.until('timeout', { protocol: 'tcp', address: SERVER, port: 22, timeoutMs: 100 }, 5_000)
    from = daemon.events.length
    const path = packet.replaceAll('+', '-').replaceAll('/', '_')
    client.must(['curl', '-s', '-m', '10', '--path-as-is', '-A', 'Fwknop/2.6.10', `http://${SERVER}/${path}`])
    const verdict = await daemon.until(({ verdict }) => verdict !== undefined, from)
    assert.equal(verdict.code, 'SPA_REPLAYED')
    assert.equal(await client.tcp(SERVER, 22, { timeoutMs: 300 }), 'timeout')
  })

  it('is not put together from two segments: Apache gets it, and nothing opens', async () => {
    from = daemon.events.length
    const script = `
      exec 3<>/dev/tcp/${SERVER}/80
      printf 'GET /8%s' "$(printf 'A%.0s' {1..100})" >&3; sleep 0.3
      printf '%s HTTP/1.0\\r\\nUser-Agent: Fwknop\\r\\n\\r\\n' "$(printf 'A%.0s' {1..124})" >&3
      head -c 12 <&3`
    assert.match(client.must(['bash', '-c', script]), /^HTTP\/1\.1 40/)
    assert.deepEqual(daemon.events.slice(from), [])
  })
})
