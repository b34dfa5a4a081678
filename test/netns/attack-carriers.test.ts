/**
 * Attacks on what is read passively beside UDP: TCP segments and ICMP messages whose lengths and addresses lie, and
 * floods of requests to the web server. Knocks by UDP, HTTP and ICMP are granted meanwhile.
 *
 *   client 10.9.0.1, fd09::1 ── eth0 10.9.0.2, fd09::2 ┐
 *                                                       ├ server, a web server on tcp/80
 *   attacker 10.9.2.1 ───────── eth1 10.9.2.2          ┘
 */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { encodeText } from '../../src/bytes/text.ts'
import { Daemon, dropByDefault, type LogEvent, sendPacket, stanza } from '../support/daemon.ts'
import { openFrameSender } from '../support/frame-sender.ts'
import { type Host, Network, netnsUnavailable } from '../support/netns.ts'
import { requestWith, sealedPacket } from '../support/sealed.ts'
import { icmpFrame, type TcpFrame, tcpFrame } from '../support/udp-frame.ts'

const four = { source: '10.9.0.1', destination: '10.9.0.2' } as const
const six = { source: 'fd09::1', destination: 'fd09::2' } as const
type Make = (payload: Uint8Array) => Uint8Array

const tcp =
  (frame: TcpFrame): Make =>
  (payload) =>
    tcpFrame({ ...frame, payload })
const icmp =
  (frame: TcpFrame): Make =>
  (payload) =>
    icmpFrame({ ...frame, payload })

const granted: readonly [what: string, make: Make, via: string][] = [
  ['in a segment of no connection', tcp(four), 'tcp'],
  [
    'in a segment with options of both headers',
    tcp({ ...four, options: new Uint8Array(12), tcpOptions: new Uint8Array(12) }),
    'tcp',
  ],
  ['in a segment over IPv6', tcp(six), 'tcp'],
  ['in a segment over IPv6 with extension headers', tcp({ ...six, extensions: [{ header: 0 }] }), 'tcp'],
  ['in an ICMP message', icmp(four), 'icmp'],
  ['in an ICMPv6 message', icmp(six), 'icmp6'],
]

/** An authentic packet in each. */
const refused: readonly [what: string, make: Make][] = [
  ['a TCP header that is shorter than any', tcp({ ...four, dataOffset: 4 })],
  ['a TCP header that is longer than the packet', tcp({ ...four, dataOffset: 15, ipLength: 90 })],
  ['an IP packet that is longer than the frame', tcp({ ...four, ipLength: 700 })],
  ['an IP packet that ends within the packet', tcp({ ...four, ipLength: 200 })],
  ['a wrong TCP checksum', tcp({ ...four, checksum: 0xbad })],
  ['a wrong ICMP checksum', icmp({ ...four, checksum: 0xbad })],
  ['a wrong ICMPv6 checksum', icmp({ ...six, checksum: 0xbad })],
  ['a fragment', tcp({ ...four, fragment: 0x2000 })],
  ['the server’s own address', tcp({ ...four, source: '10.9.0.2' })],
  ['an address of the other link, against rp_filter', icmp({ ...four, source: '10.9.2.1' })],
  ['a destination that is another host', tcp({ ...four, destination: '10.9.2.1' })],
  ['the port as its source', tcp({ ...four, sourcePort: 80, destinationPort: 4000 })],
]

const FLOOD = `
import socket, sys, time
name, mac, path, seconds = sys.argv[1], bytes.fromhex(sys.argv[2]), sys.argv[3], float(sys.argv[4])
frames = [bytes.fromhex(line) for line in open(path).read().split()]
s = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM)
print('begun', flush=True)
end = time.monotonic() + seconds; sent = 0
while time.monotonic() < end:
    for frame in frames:
        try: s.sendto(frame, (name, 0x0800, 0, 0, mac)); sent += 1
        except OSError: pass
print('sent', sent, flush=True)
`

describe('what is read passively beside UDP', { skip: netnsUnavailable(), concurrency: 1 }, () => {
  let net: Network
  let client: Host
  let server: Host
  let attacker: Host
  let daemon: Daemon

  before(async () => {
    net = await Network.create()
    ;[client, server, attacker] = [await net.host('client'), await net.host('server'), await net.host('attacker')]
    await net.link(client, ['10.9.0.1/24', 'fd09::1/64'], server, ['10.9.0.2/24', 'fd09::2/64'])
    await net.link(attacker, ['10.9.2.1/24'], server, ['10.9.2.2/24'])
    server.sysctl({
      'net.ipv4.conf.eth0.rp_filter': 1,
      'net.ipv4.conf.eth1.rp_filter': 0,
      'net.ipv4.conf.all.rp_filter': 0,
    })
    dropByDefault(server)
    server.must(['nft', 'add', 'rule', 'inet', 'filter', 'input', 'tcp', 'dport', '80', 'accept'])
    await server.listen([
      { protocol: 'tcp', port: 22, banner: 'ssh' },
      { protocol: 'tcp', port: 80, banner: 'web' },
    ])
    daemon = await Daemon.start(net, server, {
      server: ['PCAP_FILTER udp port 62201 or tcp port 80 or icmp or icmp6', 'ENABLE_SPA_OVER_HTTP Y'],
      access: stanza(['FW_ACCESS_TIMEOUT 1']),
    })
  })
  after(() => net?.close())

  const isOfClient = ({ source }: LogEvent) => source === '10.9.0.1' || source === 'fd09::1'
  async function grantedAfter(act: () => unknown): Promise<LogEvent> {
    const from = daemon.events.length
    await act()
    return await daemon.until((event) => event.verdict === 'granted' && isOfClient(event), from)
  }

  for (const [what, make, via] of granted)
    it(`opens for a packet ${what}`, async () => {
      using sender = await openFrameSender(client, 'eth0', server, 'eth0')
      const verdict = await grantedAfter(() => sender.send(make(encodeText(sealedPacket()))))
      assert.equal(verdict['via'], via)
    })

  for (const [what, make] of refused)
    it(`opens nothing for ${what}`, async () => {
      using sender = await openFrameSender(client, 'eth0', server, 'eth0')
      const from = daemon.events.length
      sender.send(make(encodeText(sealedPacket())))
      // What comes after it has its verdict: so it had its own, if any.
      sendPacket(client, '10.9.0.2', sealedPacket())
      await daemon.until(({ verdict, via }) => verdict === 'granted' && via === 'udp', from)
      assert.equal(daemon.events.slice(from).filter(({ verdict }) => verdict === 'granted').length, 1)
    })

  /** A request with a packet of the right form, which no key has made. */
  const forged = (i: number): Uint8Array =>
    encodeText(requestWith(`${sealedPacket().slice(0, -8)}${String(i).padStart(8, 'A')}`))
  const floods: readonly [string, (i: number) => Uint8Array][] = [
    [
      'forged knocks of one source',
      (i) => tcpFrame({ source: '10.9.2.1', destination: '10.9.2.2', payload: forged(i) }),
    ],
    [
      'forged knocks of many sources',
      (i) => tcpFrame({ source: `10.9.2.${3 + (i % 250)}`, destination: '10.9.2.2', payload: forged(i) }),
    ],
    [
      'other requests',
      () =>
        tcpFrame({
          source: '10.9.2.1',
          destination: '10.9.2.2',
          payload: encodeText(requestWith('x'.repeat(150), 'User-Agent: Mozilla/5.0\r\n')),
        }),
    ],
    [
      'pings with a knock’s form',
      (i) =>
        icmpFrame({
          source: '10.9.2.1',
          destination: '10.9.2.2',
          payload: encodeText(`${sealedPacket().slice(0, -8)}${String(i).padStart(8, 'A')}`),
        }),
    ],
  ]
  for (const [what, frameOf] of floods)
    it(`grants knocks by UDP, HTTP and ICMP in a flood of ${what}`, async () => {
      const path = join(net.directory(), 'frames')
      writeFileSync(path, Array.from({ length: 400 }, (_, i) => Buffer.from(frameOf(i)).toString('hex')).join('\n'))
      const { address } = JSON.parse(server.must(['ip', '-json', 'link', 'show', 'dev', 'eth1']))[0] as {
        address: string
      }
      const flood = attacker.start(['python3', '-c', FLOOD, 'eth0', address.replaceAll(':', ''), path, '4'])
      await flood.says(/begun/)
      await delay(500)
      using sender = await openFrameSender(client, 'eth0', server, 'eth0')
      for (let i = 0; i < 3; i++) {
        await grantedAfter(() => sendPacket(client, '10.9.0.2', sealedPacket()))
        await grantedAfter(() => sender.send(tcpFrame({ ...four, payload: encodeText(requestWith(sealedPacket())) })))
        await grantedAfter(() => sender.send(icmpFrame({ ...four, payload: encodeText(sealedPacket()) })))
      }
      const [, sent = '0'] = await flood.says(/sent (\d+)/)
      await flood.end()
      assert.ok(Number(sent) > 10_000, `only ${sent} were sent`)
      assert.deepEqual(
        daemon.events.filter(({ event }) => event === 'receiver lost'),
        [],
      )
    })
})
