/**
 * Floods of requests, segments and ICMP messages that are wrong in every way, by frames with forged sources and by real
 * connections to the web server. Knocks by UDP, HTTP and ICMP are granted meanwhile, and within seconds.
 */

import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { encodeText } from '../../src/bytes/text.ts'
import {
  assertUnharmed,
  type CarrierHosts,
  CLIENT,
  carrierHosts,
  flooded,
  FROM_CLIENT as four,
  grantedAfter,
  grantedWithTries,
  SERVER_TO_ATTACKER,
} from '../support/carrier-hosts.ts'
import { Daemon, sendPacket, stanza } from '../support/daemon.ts'
import { openFrameSender } from '../support/frame-sender.ts'
import { some } from '../support/in-full.ts'
import { netnsUnavailable } from '../support/netns.ts'
import { requestWith, sealedPacket } from '../support/sealed.ts'
import { icmpFrame, ipFrame, tcpFrame } from '../support/udp-frame.ts'

/** In how many ways the client knocks. */
const WAYS = 4
/** A proxy on the attacker’s network. No client knocks by it here: who forges its address takes part of its share. */
const PROXY = '10.9.2.251'
/** A source of the attacker; and one that no host of this network has. */
const its = (i: number): string => `10.9.2.${1 + (i % 250)}`
const anybodys = (i: number): string => `${11 + (i % 80)}.${i % 256}.${(i * 7) % 256}.${1 + (i % 250)}`
const to = { destination: SERVER_TO_ATTACKER } as const

/** The text of a packet of the right form that no key has made. */
const forged = (i: number): string => `${sealedPacket().slice(0, -8)}${String(i).padStart(8, 'A')}`
const segment = (source: string, text: string): Uint8Array => tcpFrame({ ...to, source, payload: encodeText(text) })
const random = (length: number): string =>
  Buffer.from(crypto.getRandomValues(new Uint8Array(length))).toString('latin1')

/** An ICMP message of any type. */
function icmpOfType(i: number, type: number, payload: Uint8Array, fragment?: number): Uint8Array {
  const frame = icmpFrame({ ...to, source: its(i), payload, ...(fragment !== undefined && { fragment }) })
  const body = frame.subarray(20)
  // The checksum has to fit the other type: only the first word changes.
  const before = (body[2] ?? 0) * 256 + (body[3] ?? 0)
  const sum = (before + (8 - type) * 256 + 2 * 0xffff) % 0xffff
  body[0] = type
  body[2] = sum >> 8
  body[3] = sum & 0xff
  return frame
}

const floods: readonly [what: string, frameOf: (i: number) => Uint8Array][] = [
  ['requests for garbage', (i) => segment(its(i), `GET /${random(200)} HTTP/1.1\r\n\r\n`)],
  [
    'requests with a huge user agent',
    (i) => segment(its(i), requestWith(forged(i), `User-Agent: Fwknop/${'x'.repeat(900)}\r\n`)),
  ],
  [
    'halves of packets and of requests',
    (i) => {
      const request = requestWith(forged(i))
      const parts = [request.slice(0, 140), request.slice(140), forged(i).slice(0, 150), `GET /${forged(i)}`]
      return segment(its(i), parts[i % 4] ?? '')
    },
  ],
  [
    'forged packets with X-Forwarded-For, in the name of the proxy',
    (i) => segment(PROXY, requestWith(forged(i), `User-Agent: Fwknop\r\nX-Forwarded-For: ${anybodys(i)}\r\n`)),
  ],
  [
    'requests with a thousand addresses in X-Forwarded-For',
    (i) =>
      segment(PROXY, requestWith(forged(i), `User-Agent: Fwknop\r\nX-Forwarded-For: ${'10.1.1.1, '.repeat(90)}x\r\n`)),
  ],
  ['requests from sources all over the world', (i) => segment(anybodys(i), requestWith(forged(i)))],
  ['fragments of ICMP messages', (i) => icmpOfType(i, 8, encodeText(forged(i)), i % 2 === 0 ? 0x2000 : 0x0010)],
  ['huge ICMP messages', (i) => icmpOfType(i, 8, encodeText('8'.padEnd(1450 + (i % 15), 'A')))],
  ['ICMP messages of each type', (i) => icmpOfType(i, i % 256, encodeText(forged(i)))],
  [
    'ICMP messages from sources all over the world',
    (i) => icmpFrame({ ...to, source: anybodys(i), payload: encodeText(forged(i)) }),
  ],
  [
    'ICMP messages that end in their header',
    (i) => ipFrame({ ...to, source: its(i), protocol: 1, ipLength: 400 }, new Uint8Array(i % 9)),
  ],
]

/** Keeps 300 connections to the web server, each with a part of a request, for so many seconds. */
const CONNECTIONS = `
import socket, sys, time
address, seconds, text = sys.argv[1], float(sys.argv[2]), sys.argv[3].encode('latin1')
print('begun', flush=True)
end = time.monotonic() + seconds; held = []; made = 0
while time.monotonic() < end:
    try:
        s = socket.create_connection((address, 80), 1); s.sendall(text); held.append(s); made += 1
    except OSError: pass
    if len(held) > 300: held.pop(0).close()
print('made', made, flush=True)
`

describe('floods of what is read passively', { skip: netnsUnavailable(), concurrency: 1 }, () => {
  let hosts: CarrierHosts
  let daemon: Daemon

  before(async () => {
    hosts = await carrierHosts([80])
    hosts.server.sysctl({
      'net.ipv4.conf.eth0.rp_filter': 1,
      'net.ipv4.conf.eth1.rp_filter': 0,
      'net.ipv4.conf.all.rp_filter': 0,
    })
    daemon = await Daemon.start(hosts.net, hosts.server, {
      server: [
        'PCAP_FILTER udp port 62201 or tcp port 80 or icmp or icmp6',
        'ENABLE_SPA_OVER_HTTP Y',
        'ENABLE_X_FORWARDED_FOR Y',
        `TRUSTED_PROXIES ${PROXY}`,
      ],
      access: stanza(['FW_ACCESS_TIMEOUT 1']),
    })
  })
  after(() => hosts?.net.close())

  /** By UDP, by a segment, by ICMP, and by a real connection to the web server. @returns how many were sent. */
  async function knocks(): Promise<number> {
    let knocked = 0
    const { client, server } = hosts
    using sender = await openFrameSender(client, 'eth0', server, 'eth0')
    const ways: readonly (() => unknown)[] = [
      () => sendPacket(client, '10.9.0.2', sealedPacket()),
      () => sender.send(tcpFrame({ ...four, payload: encodeText(requestWith(sealedPacket())) })),
      () => sender.send(icmpFrame({ ...four, payload: encodeText(sealedPacket()) })),
      () =>
        client.must([
          'python3',
          '-c',
          'import socket, sys; s = socket.create_connection(("10.9.0.2", 80), 5); s.sendall(sys.argv[1].encode())',
          requestWith(sealedPacket()),
        ]),
    ]
    assert.equal(ways.length, WAYS)
    for (const act of ways) {
      const verdict = await grantedWithTries(daemon, () => {
        knocked++
        return act()
      })
      assert.equal(verdict['for'], CLIENT.four)
    }
    return knocked
  }

  /** Knocks in a flood of these frames: each way is granted, and nothing else is. */
  async function knocksAmid(frames: readonly Uint8Array[]): Promise<void> {
    const from = daemon.events.length
    let knocked = 0
    const sent = await flooded(hosts, frames, 2, async () => {
      await delay(300)
      knocked = await knocks()
    })
    assert.ok(sent > 5_000, `only ${sent} were sent`)
    assertUnharmed(daemon)
    const granted = daemon.events.slice(from).filter(({ verdict }) => verdict === 'granted')
    assert.ok(granted.length >= WAYS && granted.length <= knocked, `${granted.length} of ${knocked} were granted`)
    assert.deepEqual(
      granted.filter(({ for: address }) => address !== CLIENT.four),
      [],
      'nothing else was granted',
    )
    // Anybody can cause lines: they are limited.
    assert.ok(daemon.events.length - from < 500, `${daemon.events.length - from} lines`)
  }

  for (const [what, frameOf] of some(floods, 2))
    it(`grants knocks in a flood of ${what}`, async () => {
      await knocksAmid(Array.from({ length: 300 }, (_, i) => frameOf(i)))
    })

  it('grants knocks in a flood of copies of a used packet, also with another X-Forwarded-For', async () => {
    const used = sealedPacket()
    await grantedAfter(daemon, () => sendPacket(hosts.client, '10.9.0.2', used))
    const copies = Array.from({ length: 300 }, (_, i) =>
      i % 2 === 0
        ? segment(its(i), requestWith(used))
        : segment(PROXY, requestWith(used, `User-Agent: Fwknop\r\nX-Forwarded-For: ${anybodys(i)}\r\n`)),
    )
    await knocksAmid(copies)
  })

  for (const [what, text] of [
    ['half a request', 'GET /8'],
    ['a forged packet', requestWith(forged(1))],
  ] as const)
    it(`grants knocks while an attacker holds hundreds of connections with ${what}`, async () => {
      const flood = hosts.attacker.start(['python3', '-c', CONNECTIONS, SERVER_TO_ATTACKER, '3', text])
      await flood.says(/begun/)
      await delay(300)
      await knocks()
      await flood.says(/made \d+/)
      await flood.end()
      assertUnharmed(daemon)
    })
})
