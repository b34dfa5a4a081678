/**
 * Authentic packets in frames that the kernel would drop, and from addresses that mean more than one host. The attacker
 * has a key, and can put any frame on the cable.
 *
 *   client 10.9.0.1, fd09::1,   fe80::c ── eth0 10.9.0.2, fd09::2,   fe80::5 ┐
 *                                                                             ├ server (forwards)
 *   other  10.9.2.1, fd09:2::1, fe80::c ── eth1 10.9.2.2, fd09:2::2, fe80::5 ┘
 *
 * rp_filter is strict on eth0 and off on eth1.
 */
import assert from 'node:assert/strict'
import { randomBytes, randomInt } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import { type IpAddress, parseAddress } from '../../src/packet/address.ts'
import { EncryptionKey, HmacKey } from '../../src/packet/key.ts'
import type { NatTarget, RequestedSource } from '../../src/packet/message.ts'
import { sealPacket } from '../../src/packet/seal.ts'
import { parseUsername } from '../../src/packet/username.ts'
import { port, unixSeconds } from '../../src/units.ts'
import { Daemon, dropByDefault, knock, sendPacket, stanza, keys as testKeys } from '../support/daemon.ts'
import { openFrameSender } from '../support/frame-sender.ts'
import { type Host, Network, netnsUnavailable } from '../support/netns.ts'
import { must } from '../support/results.ts'
import { type UdpFrame, udpFrame } from '../support/udp-frame.ts'

const bytes = (text: string) => new TextEncoder().encode(text)
const keys = {
  encryption: { key: must(EncryptionKey.fromBytes(bytes(testKeys.key))), mode: 'CBC' },
  hmac: { key: must(HmacKey.fromBytes(bytes(testKeys.hmac))), type: 'sha256' },
} as const

/** A new packet that asks for tcp/22, for its own source unless another one is named. */
function spaPacket(more: { readonly source?: IpAddress; readonly target?: NatTarget } = {}): Uint8Array {
  const { target } = more
  const source: RequestedSource = more.source ?? 'packet-source'
  const header = {
    ...{ username: must(parseUsername('mallory')), source, ports: [{ protocol: 'tcp' as const, port: port(22) }] },
    random: String(randomInt(10 ** 12)).padStart(16, '1'),
    timestamp: unixSeconds(Math.floor(Date.now() / 1000)),
  } as const
  const message = target === undefined ? ({ kind: 'access', ...header } as const) : natMessage(header, target)
  return bytes(must(sealPacket(message, keys, { digestType: 'sha256', salt: randomBytes(8) })))
}
const natMessage = <H extends object>(header: H, target: NatTarget) =>
  ({ kind: 'natAccess', ...header, target }) as const

const address = (text: string): IpAddress => must(parseAddress(text))

const four = { source: '10.9.0.1', destination: '10.9.0.2' } as const
const six = { source: 'fd09::1', destination: 'fd09::2' } as const
type Link = 'eth0' | 'eth1'

const refused: readonly [what: string, link: Link, frame: UdpFrame, code: string][] = [
  ['from 127.0.0.1', 'eth0', { ...four, source: '127.0.0.1' }, 'SPA_UNBELIEVED'],
  ['from 0.0.0.0', 'eth0', { ...four, source: '0.0.0.0' }, 'SPA_UNBELIEVED'],
  ['from 0.0.0.0 to everybody', 'eth0', { source: '0.0.0.0', destination: '255.255.255.255' }, 'SPA_UNBELIEVED'],
  ['from a multicast group', 'eth0', { ...four, source: '224.0.0.5' }, 'SPA_UNBELIEVED'],
  ['from everybody', 'eth0', { ...four, source: '255.255.255.255' }, 'SPA_UNBELIEVED'],
  ['from the server’s own address', 'eth0', { ...four, source: '10.9.0.2' }, 'SPA_UNBELIEVED'],
  ['from the server’s other address', 'eth0', { ...four, source: '10.9.2.2' }, 'SPA_UNBELIEVED'],
  ['from the server’s own address, rp_filter off', 'eth1', { ...four, source: '10.9.0.2' }, 'SPA_UNBELIEVED'],
  ['from the other link, rp_filter strict', 'eth0', { ...four, source: '10.9.2.1' }, 'SPA_UNBELIEVED'],
  ['from where no way leads back, rp_filter strict', 'eth0', { ...four, source: '203.0.113.7' }, 'SPA_UNBELIEVED'],
  ['with a time to live of 0', 'eth0', { ...four, hops: 0 }, 'SPA_UNBELIEVED'],
  ['with a wrong checksum of its IP header', 'eth0', { ...four, headerChecksum: 0xbad }, 'SPA_UNBELIEVED'],
  ['with a wrong UDP checksum', 'eth0', { ...four, checksum: 0xbad }, 'SPA_UNBELIEVED'],
  ['to 127.0.0.1', 'eth0', { ...four, destination: '127.0.0.1' }, 'SPA_UNBELIEVED'],
  ['that passes through to another link', 'eth0', { ...four, destination: '10.9.2.1' }, 'SPA_NOT_FOR_US'],
  [
    'to an address that nobody has',
    'eth1',
    { ...four, source: '10.9.2.1', destination: '10.9.0.77' },
    'SPA_NOT_FOR_US',
  ],
  ['to where no way leads', 'eth0', { ...four, destination: '203.0.113.9' }, 'SPA_NOT_FOR_US'],
  ['to a multicast group', 'eth0', { ...four, destination: '224.0.0.1' }, 'SPA_NOT_FOR_US'],
  ['over IPv6 from ::1', 'eth0', { ...six, source: '::1' }, 'SPA_UNBELIEVED'],
  ['over IPv6 from ::', 'eth0', { ...six, source: '::' }, 'SPA_UNBELIEVED'],
  ['over IPv6 from a multicast group', 'eth0', { ...six, source: 'ff02::1' }, 'SPA_UNBELIEVED'],
  ['over IPv6 from the server’s own address', 'eth0', { ...six, source: 'fd09::2' }, 'SPA_UNBELIEVED'],
  ['over IPv6 from the server’s other address', 'eth0', { ...six, source: 'fd09:2::2' }, 'SPA_UNBELIEVED'],
  ['over IPv6 with a hop limit of 0', 'eth0', { ...six, hops: 0 }, 'SPA_UNBELIEVED'],
  ['over IPv6 with a wrong UDP checksum', 'eth0', { ...six, checksum: 0xbad }, 'SPA_UNBELIEVED'],
  ['over IPv6 without a UDP checksum', 'eth0', { ...six, checksum: 0 }, 'SPA_UNBELIEVED'],
  ['over IPv6 that passes through', 'eth0', { ...six, destination: 'fd09:2::1' }, 'SPA_NOT_FOR_US'],
  ['over IPv6 to where no way leads', 'eth0', { ...six, destination: '2001:db8::9' }, 'SPA_NOT_FOR_US'],
  ['over IPv6 to a multicast group', 'eth0', { ...six, destination: 'ff02::1' }, 'SPA_NOT_FOR_US'],
  [
    'from a link-local address',
    'eth1',
    { ...six, source: 'fe80::c', destination: 'fe80::5' },
    'ACCESS_SOURCE_UNUSABLE',
  ],
  ['from 169.254.0.0/16', 'eth1', { source: '169.254.7.7', destination: '10.9.2.2' }, 'ACCESS_SOURCE_UNUSABLE'],
]

const granted: readonly [what: string, link: Link, frame: UdpFrame][] = [
  ['in a good frame', 'eth0', four],
  ['without a UDP checksum', 'eth0', { ...four, checksum: 0 }],
  ['with IPv4 options', 'eth0', { ...four, options: Uint8Array.of(1, 1, 1, 0) }],
  ['to everybody on the link', 'eth0', { ...four, destination: '10.9.0.255' }],
  ['to the server’s other address', 'eth0', { ...four, destination: '10.9.2.2' }],
  ['from the other link, rp_filter off', 'eth1', { source: '10.9.0.9', destination: '10.9.2.2' }],
  ['over IPv6', 'eth0', six],
  ['over IPv6 with extension headers', 'eth0', { ...six, extensions: [{ header: 0 }] }],
]

describe('frames of an attacker', { skip: netnsUnavailable() }, () => {
  let net: Network
  let hosts: Readonly<Record<'client' | 'server' | 'other', Host>>
  let daemon: Daemon

  before(async () => {
    net = await Network.create()
    const [client, server, other] = [await net.host('client'), await net.host('server'), await net.host('other')]
    hosts = { client, server, other }
    await net.link(
      ...([client, ['10.9.0.1/24', 'fd09::1/64', 'fe80::c/64']] as const),
      ...([server, ['10.9.0.2/24', 'fd09::2/64', 'fe80::5/64']] as const),
      ['eth0', 'eth0'],
    )
    await net.link(
      ...([other, ['10.9.2.1/24', 'fd09:2::1/64', 'fe80::c/64', '169.254.7.7/16']] as const),
      ...([server, ['10.9.2.2/24', 'fd09:2::2/64', 'fe80::5/64']] as const),
      ['eth0', 'eth1'],
    )
    server.sysctl({
      ...{ 'net.ipv4.ip_forward': 1, 'net.ipv6.conf.all.forwarding': 1, 'net.ipv4.conf.all.rp_filter': 0 },
      ...{ 'net.ipv4.conf.eth0.rp_filter': 1, 'net.ipv4.conf.eth1.rp_filter': 0 },
    })
    client.must(['ip', 'route', 'add', '10.9.2.0/24', 'via', '10.9.0.2'])
    dropByDefault(server)
    await server.listen([{ protocol: 'tcp', port: 22, banner: 'ssh' }])
    daemon = await Daemon.start(net, server, {
      server: ['ENABLE_IPT_FORWARDING Y', 'LOG_LIMIT 1000'],
      access: stanza(),
    })
  })
  after(async () => {
    await net.close()
  })

  const by = (link: Link) => openFrameSender(link === 'eth0' ? hosts.client : hosts.other, 'eth0', hosts.server, link)

  for (const [what, link, frame, code] of refused)
    it(`opens nothing for a packet ${what}`, async () => {
      using cable = await by(link)
      const packet = udpFrame({ ...frame, payload: spaPacket() })
      const verdict = await daemon.verdictAfter(() => cable.send(packet))
      assert.deepEqual([verdict.verdict, verdict.code], ['refused', code], JSON.stringify(verdict))
    })

  it('counts them by code, and has no grant', () => {
    const { grants, counters } = daemon.status()
    const counts: Record<string, number> = {}
    for (const [, , , code] of refused) counts[code] = (counts[code] ?? 0) + 1
    assert.deepEqual((counters as { refused: object }).refused, counts)
    assert.deepEqual(grants, [])
  })

  for (const [what, link, frame] of granted)
    it(`opens for a packet ${what}`, async () => {
      using cable = await by(link)
      const verdict = await daemon.verdictAfter(() => cable.send(udpFrame({ ...frame, payload: spaPacket() })))
      assert.deepEqual([verdict.verdict, verdict['for']], ['granted', frame.source], JSON.stringify(verdict))
    })

  it('opens for a client whose checksums a network card would fill in', async () => {
    for (const server of ['10.9.0.2', 'fd09::2', '10.9.2.2']) {
      const verdict = await daemon.verdictAfter(() => knock(hosts.client, server, '-s', '-A', 'tcp/22'))
      assert.equal(verdict.verdict, 'granted', JSON.stringify(verdict))
    }
  })

  it('does not use up what passes through, or comes from where nobody believes it', async () => {
    using cable = await by('eth0')
    for (const frame of [
      { ...four, destination: '10.9.2.1' },
      { ...four, source: '10.9.2.1' },
      { ...four, checksum: 0xbad },
    ]) {
      const payload = spaPacket()
      for (let i = 0; i < 3; i++) {
        const verdict = await daemon.verdictAfter(() => cable.send(udpFrame({ ...frame, payload })))
        assert.match(verdict.code ?? '', /^SPA_(UNBELIEVED|NOT_FOR_US)$/)
      }
      const verdict = await daemon.verdictAfter(() => cable.send(udpFrame({ ...four, payload })))
      assert.equal(verdict.verdict, 'granted', JSON.stringify(verdict))
      const again = await daemon.verdictAfter(() => cable.send(udpFrame({ ...four, payload })))
      assert.equal(again.code, 'SPA_REPLAYED')
    }
  })

  it('keeps fe80::c of one link out when fe80::c of the other knocks', async () => {
    using cable = await by('eth0')
    const frame = { source: 'fe80::c', destination: 'fe80::5', payload: spaPacket() }
    const verdict = await daemon.verdictAfter(() => cable.send(udpFrame(frame)))
    assert.equal(verdict.code, 'ACCESS_SOURCE_UNUSABLE')
    for (const host of [hosts.client, hosts.other])
      assert.equal(await host.tcp('fe80::5%eth0', 22, { timeoutMs: 300 }), 'timeout')
  })

  for (const [what, packet, code] of [
    ['for fe80::c by name', { source: address('fe80::c') }, 'ACCESS_SOURCE_UNUSABLE'],
    ['for 169.254.7.7 by name', { source: address('169.254.7.7') }, 'ACCESS_SOURCE_UNUSABLE'],
    ['for 127.0.0.1 by name', { source: address('127.0.0.1') }, 'ACCESS_SOURCE_UNUSABLE'],
    [
      'for a way to 169.254.169.254',
      { target: { host: address('169.254.169.254'), port: port(80) } },
      'ACCESS_NAT_TARGET_INVALID',
    ],
  ] as const)
    it(`opens nothing ${what}`, async () => {
      using cable = await by('eth0')
      const verdict = await daemon.verdictAfter(() => cable.send(udpFrame({ ...four, payload: spaPacket(packet) })))
      assert.equal(verdict.code, code, JSON.stringify(verdict))
    })

  it('refuses link-local sources with CAPTURE udp too', async () => {
    const server = await net.host('udp server')
    await net.link(hosts.client, ['fe80::d/64'], server, ['fe80::6/64'], ['eth9', 'eth0'])
    const daemon = await Daemon.start(net, server, { server: ['CAPTURE udp'], access: stanza() })
    const packet = new TextDecoder().decode(spaPacket())
    const verdict = await daemon.verdictAfter(() => sendPacket(hosts.client, 'fe80::6%eth9', packet))
    assert.equal(verdict.code, 'ACCESS_SOURCE_UNUSABLE', JSON.stringify(verdict))
  })
})
