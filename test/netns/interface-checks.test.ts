/**
 * The interface checks, provoked on a server with PCAP_INTF eth0: the link is deleted and made again, goes down and up,
 * loses its carrier, counts anew. Each condition has one line when it begins and one when it ends, and knocks are heard
 * again without anybody's help.
 *
 *   client eth0 10.9.0.1 ── 10.9.0.2 eth0 server
 */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { encodeText } from '../../src/bytes/text.ts'
import { clientAndServer, Daemon, knock, SERVER, sendPacket, stanza } from '../support/daemon.ts'
import { type Host, Network, netnsUnavailable } from '../support/netns.ts'
import { sealedPacket } from '../support/sealed.ts'
import { udpFrame } from '../support/udp-frame.ts'

/** To a network card that nobody on this cable has. */
const SEND = `
import socket, sys
s = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM)
s.sendto(bytes.fromhex(sys.argv[1]), ('eth0', 0x0800, 0, 0, bytes.fromhex('020000000099')))
`

describe('the interface checks', { skip: netnsUnavailable(), concurrency: 1, timeout: 120_000 }, () => {
  let net: Network
  let client: Host
  let server: Host
  let daemon: Daemon

  before(async () => {
    net = await Network.create()
    ;[client, server] = await clientAndServer(net)
    daemon = await Daemon.start(net, server, {
      server: ['PCAP_INTF eth0', 'INTF_CHECKS_INTERVAL 1'],
      access: stanza(),
    })
  })
  after(() => net?.close())

  const about = (code: string, from: number) =>
    daemon.events.slice(from).filter((each) => each.code === code && each.event.startsWith('interface'))

  /** Each condition that the status shows. */
  const shown = () => (daemon.status()['interfaces'] as { code: string }[]).map(({ code }) => code)

  /** The cable between the two, made again. @param index of the server's end. */
  async function cable(index?: string): Promise<void> {
    if (index === undefined) await net.link(client, ['10.9.0.1/24'], server, [`${SERVER}/24`], ['eth0', 'eth0'])
    else {
      server.must([
        'ip',
        'link',
        'add',
        'eth0',
        'index',
        index,
        'type',
        'veth',
        'peer',
        'name',
        'eth0',
        'netns',
        `${client.pid}`,
      ])
      for (const [host, address] of [
        [client, '10.9.0.1/24'],
        [server, `${SERVER}/24`],
      ] as const) {
        host.must(['ip', 'address', 'add', address, 'dev', 'eth0'])
        host.must(['ip', 'link', 'set', 'eth0', 'up'])
      }
    }
    await reachable()
  }

  /** A new cable loses packets until both ends are up and know each other: what it takes to reach a dropped port. */
  async function reachable(): Promise<void> {
    for (let tries = 0; ; tries++) {
      client.run(['bash', '-c', `echo > /dev/udp/${SERVER}/9`])
      await delay(50)
      if (/REACHABLE|STALE|DELAY/.test(client.must(['ip', 'neigh', 'show', SERVER, 'dev', 'eth0']))) return
      assert(tries < 100)
    }
  }

  async function opens(): Promise<void> {
    const verdict = await daemon.verdictAfter(() => knock(client, SERVER, '-A', 'tcp/22', '-s'))
    assert.equal(verdict.verdict, 'granted')
  }

  it('say nothing while all is well', async () => {
    await opens()
    await delay(2500)
    assert.deepEqual(
      daemon.events.filter(({ event }) => event.startsWith('interface')),
      [],
    )
    assert.deepEqual(shown(), [])
  })

  it('a deleted link that is made again', async () => {
    const from = daemon.events.length
    server.must(['ip', 'link', 'delete', 'eth0'])
    const begun = await daemon.until(({ event }) => event === 'interface', from)
    assert.equal(begun.code, 'INTF_MISSING')
    assert.equal(begun.level, 'warning')
    assert.match(String(begun['text']), /“eth0” of PCAP_INTF does not exist/)
    assert.deepEqual(shown(), ['INTF_MISSING'])
    await delay(2200)
    await cable()
    await daemon.until(({ event, code }) => event === 'interface mended' && code === 'INTF_MISSING', from)
    assert.equal(about('INTF_MISSING', from).length, 2, 'one line for the begin, one for the end')
    assert.deepEqual(shown(), [])
    await opens()
  })

  it('down and up', async () => {
    const from = daemon.events.length
    server.must(['ip', 'link', 'set', 'eth0', 'down'])
    const begun = await daemon.until(({ event }) => event === 'interface', from)
    assert.equal(begun.code, 'INTF_NOT_RUNNING')
    assert.match(String(begun['text']), /is down/)
    assert.equal(begun['cure'], 'ip link set eth0 up')
    assert.deepEqual(shown(), ['INTF_NOT_RUNNING'])
    server.must(String(begun['cure']).split(' '))
    await daemon.until(({ event }) => event === 'interface mended', from)
    assert.equal(about('INTF_NOT_RUNNING', from).length, 2)
    await reachable()
    await opens()
  })

  it('a cable without the other end', async () => {
    const from = daemon.events.length
    client.must(['ip', 'link', 'set', 'eth0', 'down'])
    const begun = await daemon.until(({ event }) => event === 'interface', from)
    assert.match(String(begun['text']), /has no carrier/)
    client.must(['ip', 'link', 'set', 'eth0', 'up'])
    await daemon.until(({ event }) => event === 'interface mended', from)
    await reachable()
    await opens()
  })

  it('counters that begin again, of the same interface and of one made again', async () => {
    const { ifindex } = JSON.parse(server.must(['ip', '-j', 'link', 'show', 'eth0']))[0]
    // So many bytes that a new interface has fewer.
    for (let i = 0; i < 5; i++) client.run(['bash', '-c', `head -c 60000 /dev/zero > /dev/udp/${SERVER}/9`])
    for (const index of [String(ifindex), String(ifindex + 100)]) {
      await delay(1200)
      const from = daemon.events.length
      server.must(['ip', 'link', 'delete', 'eth0'])
      await cable(index)
      const begun = await daemon.until(({ code }) => code === 'INTF_RESET' || code === 'INTF_MISSING', from)
      if (begun.code === 'INTF_MISSING') continue // A look in the moment between.
      assert.match(String(begun['text']), index === String(ifindex) ? /counts its bytes anew/ : /made again/)
      assert.equal(begun.level, 'info')
      await daemon.until(({ event }) => event === 'interface mended', from)
      await opens()
    }
  })

  it('a reload switches each off', async () => {
    const lines = ['PCAP_INTF eth0', 'INTF_CHECKS_INTERVAL 1', 'ENABLE_INTF_RUNNING_CHECK N']
    daemon.configure({ server: lines, access: stanza() })
    let from = daemon.events.length
    daemon.reload()
    await daemon.until(({ event }) => event === 'reload', from)
    from = daemon.events.length
    server.must(['ip', 'link', 'set', 'eth0', 'down'])
    await delay(2500)
    assert.deepEqual(shown(), [])
    assert.deepEqual(
      daemon.events.slice(from).filter(({ event }) => event.startsWith('interface')),
      [],
    )
    server.must(['ip', 'link', 'set', 'eth0', 'up'])
    await reachable()
    await opens()
    await daemon.stop()
  })

  it('with ENABLE_PCAP_PROMISC, an interface made again hears packets for other hosts', async () => {
    daemon = await Daemon.start(net, server, {
      server: ['PCAP_INTF eth0', 'ENABLE_PCAP_PROMISC Y', 'INTF_CHECKS_INTERVAL 1'],
      access: stanza(),
    })
    const isPromiscuous = () => /promiscuity [1-9]/.test(server.must(['ip', '-d', 'link', 'show', 'eth0']))
    assert(isPromiscuous())
    server.must(['ip', 'link', 'delete', 'eth0'])
    await cable()
    for (let tries = 0; !isPromiscuous() && tries < 50; tries++) await delay(100)
    assert(isPromiscuous())
    const frame = udpFrame({ source: '10.9.0.1', destination: '10.9.0.77', payload: encodeText(sealedPacket()) })
    const verdict = await daemon.verdictAfter(() =>
      client.must(['python3', '-c', SEND, Buffer.from(frame).toString('hex')]),
    )
    assert.equal(verdict.verdict, 'granted')
    sendPacket(client, SERVER, sealedPacket())
    await daemon.stop()
  })
})
