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
import { clientAndServer, Daemon, ghostportCommand, knock, SERVER, sendPacket, stanza } from '../support/daemon.ts'
import { examined, onlyCheck } from '../support/doctor.ts'
import { type Host, Network, netnsUnavailable } from '../support/netns.ts'
import { sealedPacket } from '../support/sealed.ts'
import { udpFrame } from '../support/udp-frame.ts'

/** To a network card that nobody on this cable has. */
const SEND = `
import socket, sys
s = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM)
s.sendto(bytes.fromhex(sys.argv[1]), ('eth0', 0x0800, 0, 0, bytes.fromhex('020000000099')))
`

describe('the interface checks', { skip: netnsUnavailable(), concurrency: 1, timeout: 500_000 }, () => {
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

  /** Until all conditions have ended: a look in the moment between two changes finds its own. */
  async function calm(): Promise<void> {
    for (let tries = 0; shown().length > 0; tries++) {
      assert(tries < 40)
      await delay(250)
    }
  }

  /** What the doctor says of interfaces: `error ip link set eth0 up`, or `good`. */
  function doctor(): readonly string[] {
    const files = ['-c', daemon.path('fwknopd.conf'), '-a', daemon.path('access.conf')]
    const command = ghostportCommand('doctor', '--json', ...files, '--only', 'INTERFACES')
    const { answer, findings } = onlyCheck(examined(server.run(command, { timeoutMs: 60_000 })))
    if (answer !== 'bad') return [answer]
    return findings.map(
      ({ severity, evidence, command, advice }) => `${severity} ${evidence[0]?.split(',')[0]} ${command ?? advice}`,
    )
  }

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
      assert(tries < 400)
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
    assert.deepEqual(doctor(), ['good'])
  })

  it('a deleted link that is made again', async () => {
    const from = daemon.events.length
    server.must(['ip', 'link', 'delete', 'eth0'])
    const begun = await daemon.until(({ event }) => event === 'interface', from)
    assert.equal(begun.code, 'INTF_MISSING')
    assert.equal(begun.level, 'warning')
    assert.match(String(begun['text']), /“eth0” of PCAP_INTF does not exist/)
    assert.deepEqual(shown(), ['INTF_MISSING'])
    assert.match(doctor().join(), /^error INTF_MISSING .*capture goes on by itself/)
    await delay(2200)
    await cable()
    await daemon.until(({ event, code }) => event === 'interface mended' && code === 'INTF_MISSING', from)
    assert.equal(about('INTF_MISSING', from).length, 2, 'one line for the begin, one for the end')
    await calm()
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
    assert.deepEqual(doctor(), ['error INTF_NOT_RUNNING ip link set eth0 up'])
    server.must(String(begun['cure']).split(' '))
    await daemon.until(({ event }) => event === 'interface mended', from)
    assert.equal(about('INTF_NOT_RUNNING', from).length, 2)
    await calm()
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
    await calm()
    await reachable()
    await opens()
  })

  it('counters that begin again, of the same interface and of one made again', async () => {
    const { ifindex } = JSON.parse(server.must(['ip', '-j', 'link', 'show', 'eth0']))[0]
    for (const [isSame, text] of [
      [true, /counts its bytes anew/],
      [false, /made again/],
    ] as const) {
      // A look may come in the moment between, and find another condition.
      for (let tries = 0; ; tries++) {
        assert(tries < 8)
        // So many bytes that a new interface has fewer.
        for (let i = 0; i < 5; i++) client.run(['bash', '-c', `head -c 60000 /dev/zero > /dev/udp/${SERVER}/9`])
        await delay(1200)
        const from = daemon.events.length
        server.must(['ip', 'link', 'delete', 'eth0'])
        await cable(String(isSame ? ifindex : ifindex + 100 + tries))
        const begun = await daemon.until(({ event }) => event === 'interface', from)
        await daemon.until(({ event, code }) => event === 'interface mended' && code === begun.code, from)
        await calm()
        if (begun.code !== 'INTF_RESET') continue
        assert.match(String(begun['text']), text)
        assert.equal(begun.level, 'info')
        break
      }
      await opens()
    }
  })

  /** Gives the server's end other addresses, and nothing else. */
  function readdress(...addresses: readonly string[]): void {
    server.must(['ip', 'address', 'flush', 'dev', 'eth0', 'scope', 'global'])
    for (const each of addresses) server.must(['ip', 'address', 'add', ...each.split(' '), 'dev', 'eth0'])
  }

  it('an address that changes, as by DHCP or ppp', async () => {
    let from = daemon.events.length
    readdress('10.9.0.7/24')
    const changed = await daemon.until(({ event }) => event === 'addresses', from)
    assert.deepEqual(
      [changed.level, changed['added'], changed['removed'], changed['stillNamedBy']],
      ['info', ['10.9.0.7 eth0'], [`${SERVER} eth0`], undefined],
    )
    const verdict = await daemon.verdictAfter(() => knock(client, '10.9.0.7', '-A', 'tcp/22', '-s'))
    assert.equal(verdict.verdict, 'granted')
    await client.until('ssh', { protocol: 'tcp', address: '10.9.0.7', port: 22 })

    from = daemon.events.length
    readdress()
    const lost = await daemon.until(({ code }) => code === 'INTF_NO_ADDRESS', from)
    assert.match(String(lost['text']), /“eth0” has no address any more/)
    assert.deepEqual(shown(), ['INTF_NO_ADDRESS'])
    assert.match(doctor().join(), /^error INTF_NO_ADDRESS .*DHCP client/)
    readdress(`${SERVER} peer 10.9.0.1/32`)
    await daemon.until(({ event, code }) => event === 'interface mended' && code === 'INTF_NO_ADDRESS', from)
    const back = daemon.events.slice(from).filter(({ event }) => event === 'addresses')
    assert.deepEqual(
      back.map(({ added, removed }) => [added, removed]),
      [
        [undefined, ['10.9.0.7 eth0']],
        [[`${SERVER} eth0`], undefined],
      ],
    )
    assert.equal(about('INTF_NO_ADDRESS', from).length, 2)
    assert.deepEqual(doctor(), ['good'])
    await reachable()
    await opens()
    readdress(`${SERVER}/24`)
    // The server may have looked while there was none: it then says once more that this is mended.
    await delay(2500)
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

  it('an address that a setting names, with PCAP_INTF any; the relay listens there again when it is back', async () => {
    const relayed = await Daemon.start(net, server, {
      server: [
        'INTF_CHECKS_INTERVAL 1',
        ...['FIREWALL relay', `RELAY ${SERVER}:8080 decoy=reset service=127.0.0.1:22`, 'ENABLE_IPT_LOCAL_NAT Y'],
      ],
      access: stanza(),
    })
    relayed.status() // By now it has looked once.
    const from = relayed.events.length
    readdress('10.9.0.7/24')
    const changed = await relayed.until(({ event }) => event === 'addresses', from)
    assert.deepEqual([changed.level, changed['stillNamedBy']], ['warning', [`RELAY ${SERVER}:8080`]])
    readdress(`${SERVER}/24`)
    const isBack = (added: unknown) => Array.isArray(added) && added.includes(`${SERVER} eth0`)
    await relayed.until(({ event, added }) => event === 'addresses' && isBack(added), from)
    server.must(['nft', 'add', 'rule', 'inet', 'filter', 'input', 'tcp', 'dport', '8080', 'accept'])
    await reachable()
    // A stranger meets the decoy: the relay is there.
    await client.until('refused', { protocol: 'tcp', address: SERVER, port: 8080 })
    await relayed.stop()
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
