/**
 * ENABLE_PCAP_PROMISC and ENABLE_PCAP_ANY_DIRECTION: packets for other hosts, and packets that leave. Without them,
 * such packets are not even counted.
 *
 *   client 10.9.0.1 ── 10.9.0.2 server
 */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { encodeText } from '../../src/bytes/text.ts'
import { clientAndServer, Daemon, SERVER, sendPacket, stanza } from '../support/daemon.ts'
import { type Host, Network, netnsUnavailable } from '../support/netns.ts'
import { sealedPacket } from '../support/sealed.ts'
import { type UdpFrame, udpFrame } from '../support/udp-frame.ts'

/** To a network card that nobody on this cable has. */
const SEND = `
import socket, sys
s = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM)
s.sendto(bytes.fromhex(sys.argv[1]), ('eth0', 0x0800, 0, 0, bytes.fromhex('020000000099')))
`

describe('packets that are not for this host', { skip: netnsUnavailable(), concurrency: 1 }, () => {
  let net: Network
  let client: Host
  let server: Host

  before(async () => {
    net = await Network.create()
    ;[client, server] = await clientAndServer(net)
  })
  after(() => net?.close())

  const start = (...lines: readonly string[]) => Daemon.start(net, server, { server: lines, access: stanza() })

  function pass(frame: UdpFrame): void {
    const packet = udpFrame({
      source: '10.9.0.1',
      destination: '10.9.0.77',
      payload: encodeText(sealedPacket()),
      ...frame,
    })
    client.must(['python3', '-c', SEND, Buffer.from(packet).toString('hex')])
  }

  /** What became of all packets until one that is for this host. */
  async function verdicts(daemon: Daemon, act: () => void): Promise<readonly string[]> {
    const from = daemon.events.length
    act()
    sendPacket(client, SERVER, sealedPacket())
    await daemon.until(
      ({ verdict, source, via }) => verdict === 'granted' && source === '10.9.0.1' && via === 'udp',
      from,
    )
    return daemon.events
      .slice(from)
      .flatMap(({ verdict, source, code }) => (verdict === undefined ? [] : `${source} ${code ?? verdict}`))
  }

  it('are not looked at by default', async () => {
    const daemon = await start()
    const seen = await verdicts(daemon, () => {
      pass({})
      sendPacket(server, '10.9.0.1', sealedPacket())
    })
    assert.deepEqual(seen, ['10.9.0.1 granted'])
    await daemon.stop()
  })

  it('count with ENABLE_PCAP_PROMISC, but not from an address that the kernel does not believe', async () => {
    const daemon = await start('ENABLE_PCAP_PROMISC Y', 'PCAP_INTF eth0')
    assert.match(server.must(['ip', '-d', 'link', 'show', 'eth0']), /promiscuity 1/)
    const from = daemon.events.length
    pass({})
    await daemon.until(({ verdict }) => verdict === 'granted', from)
    pass({ source: SERVER })
    assert.equal(
      (await daemon.until(({ source, verdict }) => source === SERVER && verdict !== undefined, from)).code,
      'SPA_UNBELIEVED',
    )
    await daemon.stop()
    assert.match(server.must(['ip', '-d', 'link', 'show', 'eth0']), /promiscuity 0/)
  })

  it('count on their way out with ENABLE_PCAP_ANY_DIRECTION', async () => {
    const daemon = await start('ENABLE_PCAP_ANY_DIRECTION Y')
    const from = daemon.events.length
    sendPacket(server, '10.9.0.1', sealedPacket())
    const verdict = await daemon.until(({ verdict }) => verdict !== undefined, from)
    assert.deepEqual([verdict.verdict, verdict['source']], ['granted', SERVER])
    // What this host sends to itself comes in, and counts once.
    server.must(['ip', 'link', 'set', 'lo', 'up'])
    const again = daemon.events.length
    sendPacket(server, '127.0.0.1', sealedPacket())
    sendPacket(client, SERVER, sealedPacket())
    await daemon.until(({ verdict, source }) => verdict === 'granted' && source === '10.9.0.1', again)
    await daemon.until(({ verdict, source }) => verdict === 'granted' && source === '127.0.0.1', again)
    assert.deepEqual(
      daemon.events.slice(again).filter(({ verdict }) => verdict === 'refused'),
      [],
    )
    await daemon.stop()
  })
})
