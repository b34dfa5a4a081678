/**
 * The closing knock (docs/WIRE.md § 18): `ghostport knock --close` with real servers, asserted by connecting.
 *
 *   client 10.9.0.1, fd09::1 ── 10.9.0.2, fd09::2 server: ghostport; then 10.9.0.3: the real fwknopd
 */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { startFwknopd } from '../interop/client-fwknopd.ts'
import { Daemon, dropByDefault, ghostportCommand, keys, knock, stanza } from '../support/daemon.ts'
import { gnupgKeys, type Keyring, makeKeyring } from '../support/gnupg.ts'
import { type Host, Network, netnsUnavailable } from '../support/netns.ts'

const skip = netnsUnavailable()
const V4 = '10.9.0.1'
const V6 = 'fd09::1'
const BOB = { key: 'a key of bob alone', hmac: 'another key of bob' }
const ssh = ['-A', 'tcp/22', '-a', V4] as const

for (const firewall of ['nftables', 'iptables'] as const)
  describe(`a closing knock, with ${firewall}`, { skip }, () => {
    let net: Network
    let client: Host
    let server: Host
    let daemon: Daemon
    let keyring: Keyring | undefined
    const setup: { stop?: () => Promise<void> } = {}

    before(async () => {
      net = await Network.create()
      setup.stop = () => net.close()
      ;[client, server] = [await net.host('client'), await net.host('server')]
      await net.link(client, [`${V4}/24`, `${V6}/64`], server, ['10.9.0.2/24', 'fd09::2/64'])
      if (firewall === 'nftables') dropByDefault(server)
      else for (const ip of ['iptables', 'ip6tables']) dropWith(server, ip)
      await server.listen([
        { protocol: 'tcp', port: 22, banner: 'ssh' },
        { protocol: 'tcp', port: 80, banner: 'web' },
      ])
      keyring = firewall === 'nftables' ? makeKeyring() : undefined
      const gnupg =
        keyring === undefined
          ? ''
          : [
              ...['SOURCE ANY', 'NAME gnu', `GPG_HOME_DIR ${keyring.home}`, 'GPG_ALLOW_NO_PW Y'],
              ...[`GPG_FINGERPRINT_ID ${gnupgKeys.client2048.primary}`, 'HMAC_KEY an hmac key for gnupg', ''],
            ].join('\n')
      daemon = await Daemon.start(net, server, {
        server: ['ENABLE_IPT_LOCAL_NAT Y', ...(firewall === 'iptables' ? ['FIREWALL iptables'] : [])],
        access: [
          // Two stanzas with the same keys: the first one allows no ssh.
          stanza(['NAME alice-web', 'OPEN_PORTS tcp/80', 'FW_ACCESS_TIMEOUT 60']),
          stanza(['NAME alice', 'FW_ACCESS_TIMEOUT 60']),
          stanza(['NAME bob', 'FW_ACCESS_TIMEOUT 60'], BOB),
          gnupg,
        ].join('\n'),
      })
    })
    after(async () => {
      await setup.stop?.()
      keyring?.remove()
    })

    const byBob = (...words: readonly string[]) =>
      client.run(
        ghostportCommand(
          ...['knock', '--no-rc-file', '-D', '10.9.0.2', '--key-rijndael', BOB.key, '--key-hmac', BOB.hmac],
          ...words,
        ),
      )

    it('shuts the door; the session goes on; the next knock opens again', async () => {
      await daemon.verdictAfter(() => knock(client, '10.9.0.2', ...ssh))
      const session = await client.connect('10.9.0.2', 22)
      const from = daemon.events.length
      const verdict = await daemon.verdictAfter(() => knock(client, '10.9.0.2', ...ssh, '--close'))
      assert.deepEqual([verdict.verdict, verdict['closes'], verdict['ended']], ['granted', 'tcp/22', 1])
      const ended = await daemon.until(({ event }) => event === 'grant ended', from)
      assert.deepEqual([ended['name'], ended['grant'], ended['for']], ['alice', 'tcp/22', V4])
      assert.equal(await client.tcp('10.9.0.2', 22), 'timeout')
      assert.deepEqual(daemon.status().grants, [])
      assert.equal(await session.echoes(), true)
      await daemon.verdictAfter(() => knock(client, '10.9.0.2', ...ssh))
      assert.equal(await client.tcp('10.9.0.2', 22), 'ssh')
      await daemon.verdictAfter(() => knock(client, '10.9.0.2', ...ssh, '--close'))
    })

    it('IPv6, and a ghost service by its public port', async () => {
      const six = ['-A', 'tcp/22', '-a', V6] as const
      await daemon.verdictAfter(() => knock(client, 'fd09::2', ...six))
      assert.equal(await client.tcp('fd09::2', 22), 'ssh')
      await daemon.verdictAfter(() => knock(client, 'fd09::2', ...six, '--close'))
      assert.equal(await client.tcp('fd09::2', 22), 'timeout')
      const ghost = [...ssh, '--nat-local', '--nat-port', '80'] as const
      await daemon.verdictAfter(() => knock(client, '10.9.0.2', ...ghost))
      assert.equal(await client.tcp('10.9.0.2', 80), 'ssh')
      const verdict = await daemon.verdictAfter(() => knock(client, '10.9.0.2', ...ghost, '--close'))
      assert.deepEqual([verdict['closes'], verdict['ended']], ['tcp/80', 1])
      assert.notEqual(await client.tcp('10.9.0.2', 80), 'ssh')
    })

    it('ends only what its own keys opened, for this address, at these ports', async () => {
      await daemon.verdictAfter(() => knock(client, '10.9.0.2', ...ssh))
      await daemon.verdictAfter(() => knock(client, '10.9.0.2', '-A', 'tcp/22', '-a', '10.9.0.77'))
      await daemon.verdictAfter(() => knock(client, '10.9.0.2', '-A', 'tcp/80', '-a', V4))
      const other = await daemon.verdictAfter(() => byBob(...ssh, '--close'))
      assert.equal(other.code, 'ACCESS_CLOSE_SHARED')
      assert.equal(daemon.status().grants.length, 3)
      await daemon.verdictAfter(() => knock(client, '10.9.0.2', ...ssh, '--close'))
      assert.deepEqual(
        daemon
          .status()
          .grants.map((it) => `${it.for} ${it.open}`)
          .sort(),
        [`${V4} tcp/80`, '10.9.0.77 tcp/22'].sort(),
      )
      // Without a port that is known: all.
      await daemon.verdictAfter(() => knock(client, '10.9.0.2', ...ssh, '--nat-local', '--nat-rand-port', '--close'))
      assert.deepEqual(
        daemon.status().grants.map((it) => it.for),
        ['10.9.0.77'],
      )
      await daemon.verdictAfter(() => knock(client, '10.9.0.2', '-A', 'tcp/22', '-a', '10.9.0.77', '--close'))
    })

    it('what two users opened for one address stays until both have closed it', async () => {
      await daemon.verdictAfter(() => knock(client, '10.9.0.2', ...ssh))
      await daemon.verdictAfter(() => byBob(...ssh))
      const mine = await daemon.verdictAfter(() => knock(client, '10.9.0.2', ...ssh, '--close'))
      assert.deepEqual([mine.verdict, mine.code], ['refused', 'ACCESS_CLOSE_SHARED'])
      assert.equal(await client.tcp('10.9.0.2', 22), 'ssh')
      const last = await daemon.verdictAfter(() => byBob(...ssh, '--close'))
      assert.deepEqual([last.verdict, last['ended']], ['granted', 1])
      assert.equal(await client.tcp('10.9.0.2', 22), 'timeout')
    })

    it('is used up like each packet, and closes what was open before a restart', async () => {
      await daemon.verdictAfter(() => knock(client, '10.9.0.2', ...ssh))
      await daemon.restart()
      assert.equal(await client.tcp('10.9.0.2', 22), 'ssh')
      const file = `${net.directory()}/packet`
      await daemon.verdictAfter(() => knock(client, '10.9.0.2', ...ssh, '--close', '-B', file))
      assert.equal(await client.tcp('10.9.0.2', 22), 'timeout')
      await daemon.verdictAfter(() => knock(client, '10.9.0.2', ...ssh))
      const send = `printf %s "$(cat ${file})" > /dev/udp/10.9.0.2/62201`
      const again = await daemon.verdictAfter(() => client.must(['bash', '-c', send]))
      assert.equal(again.code, 'SPA_REPLAYED')
      assert.equal(await client.tcp('10.9.0.2', 22), 'ssh')
      await daemon.verdictAfter(() => knock(client, '10.9.0.2', ...ssh, '--close'))
    })

    // The firewall makes no difference to it.
    if (firewall === 'iptables') return
    it('by GnuPG', async () => {
      const words = [
        ...['knock', '--no-rc-file', '-D', '10.9.0.2', ...ssh, '--gpg-home-dir', keyring?.home ?? ''],
        ...['--gpg-recipient-key', gnupgKeys.server2048.primary, '--gpg-signer-key', gnupgKeys.client2048.primary],
        ...['--gpg-no-signing-pw', '--key-hmac', 'an hmac key for gnupg'],
      ]
      const opened = await daemon.verdictAfter(() => client.must(ghostportCommand(...words)))
      assert.equal(opened['name'], 'gnu')
      assert.equal(await client.tcp('10.9.0.2', 22), 'ssh')
      const closed = await daemon.verdictAfter(() => client.must(ghostportCommand(...words, '--close')))
      assert.deepEqual([closed.verdict, closed['ended']], ['granted', 1])
      assert.equal(await client.tcp('10.9.0.2', 22), 'timeout')
    })
  })

it('the real fwknopd refuses it, opens nothing, and goes on', { skip }, async () => {
  await using net = await Network.create()
  const [client, server] = [await net.host('client'), await net.host('server')]
  await net.link(client, [`${V4}/24`], server, ['10.9.0.2/24'])
  await server.listen([{ protocol: 'tcp', port: 22, banner: 'ssh' }])
  const lines = [
    ['SOURCE', 'ANY'],
    ['OPEN_PORTS', 'tcp/22'],
    ['KEY', keys.key],
    ['HMAC_KEY', keys.hmac],
    ['ENABLE_CMD_EXEC', 'Y'],
    ['FW_ACCESS_TIMEOUT', '30'],
  ] as const
  const fwknopd = await startFwknopd(net, server, [lines])
  const refused = fwknopd.says(/Error creating fko context|decode|FKO_ERROR|message type/i)
  knock(client, '10.9.0.2', ...ssh, '--close')
  await refused
  assert.equal(await client.tcp('10.9.0.2', 22), 'refused')
  // It serves the next one, and a close does not end what it has opened.
  knock(client, '10.9.0.2', ...ssh)
  await client.until('ssh', { protocol: 'tcp', address: '10.9.0.2', port: 22 })
  knock(client, '10.9.0.2', ...ssh, '--close')
  assert.equal(await client.tcp('10.9.0.2', 22), 'ssh')
})

function dropWith(host: Host, iptables: string): void {
  const icmp = iptables === 'iptables' ? 'icmp' : 'ipv6-icmp'
  for (const chain of ['INPUT', 'FORWARD']) {
    host.must([iptables, '-P', chain, 'DROP'])
    host.must([iptables, '-A', chain, '-m', 'conntrack', '--ctstate', 'ESTABLISHED,RELATED', '-j', 'ACCEPT'])
    host.must([iptables, '-A', chain, '-p', icmp, '-j', 'ACCEPT'])
  }
  host.must([iptables, '-A', 'INPUT', '-i', 'lo', '-j', 'ACCEPT'])
}
