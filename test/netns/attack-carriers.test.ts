/**
 * Attacks on what is read passively beside UDP: TCP segments and ICMP messages whose lengths and addresses lie, and
 * floods of requests to the web server. Knocks by UDP, HTTP and ICMP are granted meanwhile.
 */

import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { encodeText } from '../../src/bytes/text.ts'
import {
  assertUnharmed,
  type CarrierHosts,
  carrierHosts,
  flooded,
  FROM_CLIENT as four,
  grantedAfter,
  grantedWithTries,
  SERVER_TO_ATTACKER,
  FROM_CLIENT_SIX as six,
} from '../support/carrier-hosts.ts'
import { Daemon, sendPacket, stanza } from '../support/daemon.ts'
import { openFrameSender } from '../support/frame-sender.ts'
import { some } from '../support/in-full.ts'
import { netnsUnavailable } from '../support/netns.ts'
import { requestWith, sealedPacket } from '../support/sealed.ts'
import { icmpFrame, type TcpFrame, tcpFrame } from '../support/udp-frame.ts'

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

describe('what is read passively beside UDP', { skip: netnsUnavailable(), concurrency: 1 }, () => {
  let hosts: CarrierHosts
  let daemon: Daemon

  before(async () => {
    hosts = await carrierHosts([80])
    const { net, server } = hosts
    server.sysctl({
      'net.ipv4.conf.eth0.rp_filter': 1,
      'net.ipv4.conf.eth1.rp_filter': 0,
      'net.ipv4.conf.all.rp_filter': 0,
    })
    daemon = await Daemon.start(net, server, {
      server: ['PCAP_FILTER udp port 62201 or tcp port 80 or icmp or icmp6', 'ENABLE_SPA_OVER_HTTP Y'],
      access: stanza(['FW_ACCESS_TIMEOUT 1']),
    })
  })
  after(() => hosts?.net.close())

  for (const [what, make, via] of granted)
    it(`opens for a packet ${what}`, async () => {
      using sender = await openFrameSender(hosts.client, 'eth0', hosts.server, 'eth0')
      const verdict = await grantedAfter(daemon, () => sender.send(make(encodeText(sealedPacket()))))
      assert.equal(verdict['via'], via)
    })

  for (const [what, make] of refused)
    it(`opens nothing for ${what}`, async () => {
      using sender = await openFrameSender(hosts.client, 'eth0', hosts.server, 'eth0')
      const from = daemon.events.length
      sender.send(make(encodeText(sealedPacket())))
      // What comes after it has its verdict: so it had its own, if any.
      sendPacket(hosts.client, '10.9.0.2', sealedPacket())
      await daemon.until(({ verdict, via }) => verdict === 'granted' && via === 'udp', from)
      assert.equal(daemon.events.slice(from).filter(({ verdict }) => verdict === 'granted').length, 1)
    })

  /** A request with a packet of the right form, which no key has made. */
  const forged = (i: number): Uint8Array =>
    encodeText(requestWith(`${sealedPacket().slice(0, -8)}${String(i).padStart(8, 'A')}`))
  const floods: readonly [string, (i: number) => Uint8Array][] = [
    [
      'forged knocks of one source',
      (i) => tcpFrame({ source: '10.9.2.1', destination: SERVER_TO_ATTACKER, payload: forged(i) }),
    ],
    [
      'forged knocks of many sources',
      (i) => tcpFrame({ source: `10.9.2.${3 + (i % 250)}`, destination: SERVER_TO_ATTACKER, payload: forged(i) }),
    ],
    [
      'other requests',
      () =>
        tcpFrame({
          source: '10.9.2.1',
          destination: SERVER_TO_ATTACKER,
          payload: encodeText(requestWith('x'.repeat(150), 'User-Agent: Mozilla/5.0\r\n')),
        }),
    ],
    [
      'pings with a knock’s form',
      (i) =>
        icmpFrame({
          source: '10.9.2.1',
          destination: SERVER_TO_ATTACKER,
          payload: encodeText(`${sealedPacket().slice(0, -8)}${String(i).padStart(8, 'A')}`),
        }),
    ],
  ]
  for (const [what, frameOf] of some(floods, 2))
    it(`grants knocks by UDP, HTTP and ICMP in a flood of ${what}`, async () => {
      const frames = Array.from({ length: 400 }, (_, i) => frameOf(i))
      const sent = await flooded(hosts, frames, 4, async () => {
        await delay(500)
        using sender = await openFrameSender(hosts.client, 'eth0', hosts.server, 'eth0')
        for (let i = 0; i < 3; i++) {
          await grantedWithTries(daemon, () => sendPacket(hosts.client, '10.9.0.2', sealedPacket()))
          await grantedWithTries(daemon, () =>
            sender.send(tcpFrame({ ...four, payload: encodeText(requestWith(sealedPacket())) })),
          )
          await grantedWithTries(daemon, () => sender.send(icmpFrame({ ...four, payload: encodeText(sealedPacket()) })))
        }
      })
      assert.ok(sent > 10_000, `only ${sent} were sent`)
      assertUnharmed(daemon)
    })
})
