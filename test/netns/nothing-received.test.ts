/**
 * Packets that could be knocks come to the server, and it receives none: log and status say so, and where they are.
 * What ends it is said too.
 *
 *   client eth0 10.9.0.1 ── 10.9.0.2 eth0 server
 *   client eth1 10.9.1.1 ── 10.9.1.2 eth1 server
 */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import {
  clientAndServer,
  Daemon,
  ghostportCommand,
  knock,
  type LogEvent,
  SERVER,
  sendPacket,
  stanza,
} from '../support/daemon.ts'
import { examined, onlyCheck } from '../support/doctor.ts'
import { type Host, Network, netnsUnavailable } from '../support/netns.ts'
import { sealedPacket } from '../support/sealed.ts'

const OTHER = '10.9.1.2'

describe('nothing is received though packets come', {
  skip: netnsUnavailable(),
  concurrency: 1,
  timeout: 500_000,
}, () => {
  let net: Network
  let client: Host
  let server: Host

  before(async () => {
    net = await Network.create()
    ;[client, server] = await clientAndServer(net)
    await net.link(client, ['10.9.1.1/24'], server, [`${OTHER}/24`])
  })
  after(() => net?.close())

  const start = (...lines: readonly string[]) =>
    Daemon.start(net, server, { server: [...lines, 'INTF_CHECKS_INTERVAL 1'], access: stanza() })
  const shown = (daemon: Daemon) => (daemon.status()['interfaces'] as LogEvent[]).map(({ code }) => code)
  const told = (daemon: Daemon) => daemon.events.filter(({ event }) => event.startsWith('interface'))

  /** What the doctor says of interfaces. */
  function doctor(daemon: Daemon): readonly string[] {
    const files = ['-c', daemon.path('fwknopd.conf'), '-a', daemon.path('access.conf')]
    const command = ghostportCommand('doctor', '--json', ...files, '--only', 'INTERFACES')
    const { answer, findings } = onlyCheck(examined(server.run(command, { timeoutMs: 60_000 })))
    return answer === 'bad' ? findings.map(({ severity, text }) => `${severity} ${text}`) : [answer]
  }

  /** Sends packets until the log has a line for which `is` holds. */
  async function sendUntil(daemon: Daemon, to: string, is: (event: LogEvent) => boolean): Promise<LogEvent> {
    for (let tries = 0; tries < 60; tries++) {
      sendPacket(client, to, sealedPacket())
      await delay(200)
      const found = daemon.events.find(is)
      if (found !== undefined) return found
    }
    assert.fail(JSON.stringify(daemon.events))
  }

  it('they come in by an interface that PCAP_INTF does not name', async () => {
    const daemon = await start('PCAP_INTF eth0')
    const begun = await sendUntil(daemon, OTHER, ({ event }) => event === 'interface')
    assert.deepEqual([begun.code, begun.level, begun['interface']], ['INTF_ELSEWHERE', 'warning', 'eth1'])
    assert.deepEqual(shown(daemon), ['INTF_ELSEWHERE'])
    assert.match(doctor(daemon).join(), /^warning packets that could be knocks come in by “eth1”/)
    const { counters } = daemon.status() as unknown as { counters: { looked: number; elsewhere: number } }
    assert.equal(counters.looked, 0)
    assert(counters.elsewhere >= 3)
    knock(client, SERVER, '-A', 'tcp/22', '-s')
    await daemon.until(({ event, code }) => event === 'interface mended' && code === 'INTF_ELSEWHERE')
    assert.equal(told(daemon).length, 2)
    await daemon.stop()
  })

  it('the host’s firewall drops them before the UDP socket', async () => {
    const daemon = await start('CAPTURE udp')
    const begun = await sendUntil(daemon, SERVER, ({ event }) => event === 'interface')
    assert.deepEqual([begun.code, begun.level], ['INTF_UNHEARD', 'warning'])
    assert.match(String(begun['text']), /udp\/62201, and none reaches the socket/)
    assert.deepEqual(shown(daemon), ['INTF_UNHEARD'])
    assert.match(doctor(daemon).join(), /^warning packets that could be knocks arrive for udp\/62201/)
    server.must(['nft', 'insert', 'rule', 'inet', 'filter', 'input', 'udp', 'dport', '62201', 'accept'])
    const verdict = await daemon.verdictAfter(() => knock(client, SERVER, '-A', 'tcp/22', '-s'))
    assert.equal(verdict.verdict, 'granted')
    await daemon.until(({ event, code }) => event === 'interface mended' && code === 'INTF_UNHEARD')
    assert.deepEqual(doctor(daemon), ['good'])
    assert.equal(told(daemon).length, 2)

    // A packet that reaches the socket ends the silence, also a useless one. What could not be a knock is not counted.
    for (let i = 0; i < 10; i++) {
      sendPacket(client, SERVER, sealedPacket())
      await delay(300)
    }
    server.must(['nft', 'flush', 'chain', 'inet', 'filter', 'input'])
    for (let i = 0; i < 12; i++) {
      sendPacket(client, SERVER, `no knock ${'x'.repeat(300)}`)
      await delay(300)
    }
    assert.equal(told(daemon).length, 2)
    await daemon.stop()
  })

  it('with ENABLE_INTF_RECEIVED_CHECK N nothing is said, and nothing counts packets', async () => {
    const daemon = await start('CAPTURE udp', 'ENABLE_INTF_RECEIVED_CHECK N')
    for (let i = 0; i < 15; i++) {
      sendPacket(client, SERVER, sealedPacket())
      await delay(300)
    }
    assert.deepEqual(told(daemon), [])
    assert.equal(server.must(['cat', '/proc/net/packet']).trim().split('\n').length, 1, 'no packet socket')
    await daemon.stop()
  })
})
