/**
 * `ghostport serve` with the relay in place of a kernel firewall: nothing on this server filters packets.
 *
 *   client 10.9.0.1, fd09:0::1 ──┐ server 10.9.0.2, fd09:0::2
 *                                 ├ relay on 80 (decoy “web”) and 443 (reset, service “own”) ── inner 10.9.1.2
 *   other  10.9.2.1, fd09:2::1 ──┘ 10.9.2.2, fd09:2::2; on the loopback “ssh” 22, “web” 8000, “own” 8443
 */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { Daemon, keys, knock, sendPacket, stanza } from '../support/daemon.ts'
import { type Host, Network, netnsUnavailable } from '../support/netns.ts'

const SERVER = '10.9.0.2'
const CONF = [
  'FIREWALL relay',
  'RELAY 80 decoy=127.0.0.1:8000',
  'RELAY 443 decoy=reset service=127.0.0.1:8443',
  'ENABLE_IPT_FORWARDING Y',
  'ENABLE_IPT_LOCAL_NAT Y',
]
/** Long enough for the checks, short enough to wait for. */
const LIFETIME = 2
const ACCESS = stanza([`FW_ACCESS_TIMEOUT ${LIFETIME}`, 'NAT_TARGETS local:22, 10.9.1.2:5432'])
const GHOST = ['-s', '-A', 'tcp/22', '--nat-local', '--nat-port', '80']

describe('ghostport serve with the relay', { skip: netnsUnavailable() }, () => {
  let net: Network
  let client: Host
  let other: Host
  let server: Host
  let daemon: Daemon

  before(async () => {
    net = await Network.create()
    ;[client, other, server] = [await net.host('client'), await net.host('other'), await net.host('server')]
    const inner = await net.host('inner')
    await net.link(client, ['10.9.0.1/24', 'fd09:0::1/64'], server, ['10.9.0.2/24', 'fd09:0::2/64'])
    await net.link(other, ['10.9.2.1/24', 'fd09:2::1/64'], server, ['10.9.2.2/24', 'fd09:2::2/64'])
    await net.link(server, ['10.9.1.1/24'], inner, ['10.9.1.2/24'])
    await server.listen([
      { protocol: 'tcp', port: 22, banner: 'ssh', address: '127.0.0.1' },
      { protocol: 'tcp', port: 8000, banner: 'web', address: '127.0.0.1' },
      { protocol: 'tcp', port: 8443, banner: 'own', address: '127.0.0.1' },
    ])
    await inner.listen([{ protocol: 'tcp', port: 5432, banner: 'inner sees %peer' }])
    daemon = await Daemon.start(net, server, { server: CONF, access: ACCESS })
  })
  after(() => net?.close())

  async function granted(from: Host, at: string, ...argv: readonly string[]): Promise<void> {
    const verdict = await daemon.verdictAfter(() => knock(from, at, ...argv))
    assert.equal(verdict.verdict, 'granted', JSON.stringify(verdict))
  }
  const sendText = (text: string): void => {
    sendPacket(client, SERVER, text)
  }

  for (const { family, at, elsewhere } of [
    { family: 'IPv4', at: SERVER, elsewhere: '10.9.2.2' },
    { family: 'IPv6', at: 'fd09:0::2', elsewhere: 'fd09:2::2' },
  ]) {
    it(`${family}: ssh through port 80 for one, the web server for all others, at once; the session outlives the grant`, async () => {
      assert.deepEqual(await Promise.all([client.tcp(at, 80), other.tcp(elsewhere, 80)]), ['web', 'web'])
      const asked = performance.now()
      await granted(client, at, ...GHOST)
      assert.deepEqual(
        await Promise.all([client.tcp(at, 80), other.tcp(elsewhere, 80), client.tcp(at, 22), other.tcp(elsewhere, 22)]),
        ['ssh', 'web', 'refused', 'refused'],
      )
      const session = await client.connect(at, 80)
      await client.until('web', { protocol: 'tcp', address: at, port: 80 })
      const took = performance.now() - asked
      assert.ok(took > LIFETIME * 1000, `it ended after ${took} ms`)
      assert.equal(await session.echoes(), true)
    })
  }

  it('the port itself leads to its service, and resets strangers', async () => {
    assert.notEqual(await client.tcp(SERVER, 443), 'own')
    await granted(client, SERVER, '-s', '-A', 'tcp/443')
    assert.equal(await client.tcp(SERVER, 443), 'own')
    assert.notEqual(await other.tcp('10.9.2.2', 443), 'own')
  })

  it('forwards to an inner host, which sees the server', async () => {
    await client.until('web', { protocol: 'tcp', address: SERVER, port: 80 })
    await granted(client, SERVER, '-s', '-A', 'tcp/80', '-N', '10.9.1.2:5432')
    assert.equal(await client.tcp(SERVER, 80), 'inner sees 10.9.1.1')
  })

  it('says which ports it has, where another is asked for', async () => {
    const verdict = await daemon.verdictAfter(() => knock(client, SERVER, '-s', '-A', 'tcp/8080'))
    assert.equal(verdict.code, 'FIREWALL_REFUSED')
    assert.match(String(verdict['detail']), /does not listen on tcp\/8080, only on tcp\/80, tcp\/443/)
  })

  it('the real fwknop client opens it', async () => {
    await client.until('web', { protocol: 'tcp', address: SERVER, port: 80 })
    const files = ['--no-rc-file', '--no-home-dir', '--no-save-args', '-E', 'none']
    const secrets = ['--key-rijndael', keys.key, '--key-hmac', keys.hmac]
    const verdict = await daemon.verdictAfter(() =>
      client.must(['fwknop', ...files, '-D', SERVER, ...secrets, ...GHOST]),
    )
    assert.equal(verdict.verdict, 'granted', JSON.stringify(verdict))
    assert.equal(await client.tcp(SERVER, 80), 'ssh')
  })

  it('a reload keeps live grants', async () => {
    await granted(client, SERVER, ...GHOST)
    const from = daemon.events.length
    daemon.reload()
    await daemon.until(({ event }) => event === 'reload', from)
    assert.equal(await client.tcp(SERVER, 80), 'ssh')
    await client.until('web', { protocol: 'tcp', address: SERVER, port: 80 })
  })

  it('kill -9 leaves nothing open, and no used packet new', async () => {
    const shown = JSON.parse(knock(client, SERVER, '-T', '--json', ...GHOST).stdout) as {
      packets: { packet: string }[]
    }
    const packet = shown.packets[0]?.packet ?? ''
    assert.equal((await daemon.verdictAfter(() => sendText(packet))).verdict, 'granted')
    await client.until('ssh', { protocol: 'tcp', address: SERVER, port: 80 })
    await daemon.stop('SIGKILL')
    await client.until('refused', { protocol: 'tcp', address: SERVER, port: 80 })
    await daemon.again()
    await client.until('web', { protocol: 'tcp', address: SERVER, port: 80 })
    assert.equal((await daemon.verdictAfter(() => sendText(packet))).code, 'SPA_REPLAYED')
    assert.equal(await client.tcp(SERVER, 80), 'web')
  })
})
