/**
 * `ghostport serve --pcap-file`: packets from a capture file, and the end with it. The grants stay, since the kernel
 * ends them. And `-C`: the end after so many packets.
 *
 *   client 10.9.0.1 ── 10.9.0.2 server
 */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { encodeText } from '../../src/bytes/text.ts'
import { clientAndServer, Daemon, knock, SERVER, sendPacket, stanza } from '../support/daemon.ts'
import { type Host, Network, netnsUnavailable } from '../support/netns.ts'
import { framesOf, pcap, pcapng } from '../support/pcap-writer.ts'
import { requestWith, sealedPacket } from '../support/sealed.ts'
import { tcpFrame, udpFrame } from '../support/udp-frame.ts'

const CLIENT = '10.9.0.1'
/** The capture was made on another host, long ago. */
const ELSEWHERE = { source: CLIENT, destination: '198.51.100.1', checksum: 1 }

describe('serve --pcap-file', { skip: netnsUnavailable(), concurrency: 1 }, () => {
  let net: Network
  let client: Host
  let server: Host

  before(async () => {
    net = await Network.create()
    ;[client, server] = await clientAndServer(net)
  })
  after(() => net?.close())

  const ethernet = (packet: Uint8Array) => framesOf(packet)['ethernet']?.[1] as Uint8Array
  const udp = (text: string) => ethernet(udpFrame({ ...ELSEWHERE, payload: encodeText(text) }))
  const web = (text: string) => ethernet(tcpFrame({ ...ELSEWHERE, payload: encodeText(text) }))

  function fileWith(bytes: Uint8Array): string {
    const path = join(net.directory(), 'packets.pcap')
    writeFileSync(path, bytes, { mode: 0o600 })
    return path
  }

  const start = (path: string, lines: readonly string[] = [], argv: readonly string[] = ['--pcap-file', path]) =>
    Daemon.start(net, server, { access: stanza(['FW_ACCESS_TIMEOUT 4']), server: lines, argv })

  it('opens for packets of any age, once each, and ends; the door shuts on time', async () => {
    const packet = sealedPacket(10_000_000)
    const daemon = await start(fileWith(pcap([udp('junk'.repeat(50)), udp(packet), udp(packet)])))
    assert.equal(await daemon.program.end(), 0)
    assert.deepEqual(
      daemon.events
        .filter(({ verdict }) => verdict !== undefined)
        .map(({ via, code = 'granted' }) => `${via} ${code}`)
        .sort(),
      ['pcap-file SPA_MALFORMED', 'pcap-file SPA_REPLAYED', 'pcap-file granted'],
    )
    assert.equal(await client.tcp(SERVER, 22, { timeoutMs: 500 }), 'ssh')
    await client.until('timeout', { protocol: 'tcp', address: SERVER, port: 22, timeoutMs: 100 }, 8_000)
  })

  it('reads requests to a web server from pcapng, by PCAP_FILE and PCAP_FILTER', async () => {
    const file = fileWith(
      pcapng([
        web(requestWith('index.html'.padEnd(160, 'x'), 'User-Agent: Mozilla\r\n')),
        web(requestWith(sealedPacket())),
      ]),
    )
    const daemon = await start(file, [`PCAP_FILE ${file}`, 'PCAP_FILTER port 80', 'ENABLE_SPA_OVER_HTTP Y'], [])
    assert.equal(await daemon.program.end(), 0)
    const verdicts = daemon.events.filter(({ verdict }) => verdict !== undefined)
    assert.deepEqual(
      verdicts.map(({ via, verdict }) => [via, verdict]),
      [['pcap-file/http', 'granted']],
    )
  })

  it('checks the age if it is told to', async () => {
    const file = fileWith(pcap([udp(sealedPacket(10_000))]))
    const daemon = await start(file, ['ENABLE_SPA_PACKET_AGING Y'])
    assert.equal(await daemon.program.end(), 0)
    assert.ok(daemon.events.some(({ code }) => code === 'SPA_STALE'))
  })

  it('judges what comes before the damage, says where the file is damaged, and ends with a failure', async () => {
    const whole = pcap([udp(sealedPacket()), udp(sealedPacket())])
    const daemon = await start(fileWith(whole.subarray(0, -10)))
    assert.equal(await daemon.program.end(), 69)
    assert.equal(daemon.events.filter(({ verdict }) => verdict === 'granted').length, 1)
    assert.match(daemon.program.output, /the file ends within a packet of \d+ bytes \(at byte \d+\)/)
  })

  it('takes all packets of a long file, and none is lost', async () => {
    const daemon = await start(fileWith(pcap(Array.from({ length: 3000 }, () => udp(sealedPacket())))))
    assert.equal(await daemon.program.end(), 0)
    assert.equal(daemon.events.filter(({ verdict }) => verdict === 'granted').length, 3000)
  })

  for (const [what, file, message] of [
    ['a file that is none', '/nonexistent/x.pcap', /cannot be read/],
    ['a folder', '/tmp', /is no file/],
    ['another file', '/etc/passwd', /neither pcap nor pcapng/],
  ] as const)
    it(`refuses ${what}`, async () => {
      await assert.rejects(start(file), message)
    })

  it('a packet that came from a file is used up for the network', async () => {
    const packet = sealedPacket()
    const state = join(net.directory(), 'replay.db')
    const first = await start(fileWith(pcap([udp(packet)])), [`REPLAY_DB ${state}`])
    assert.equal(await first.program.end(), 0)
    const live = await start('', [`REPLAY_DB ${state}`], [])
    const verdict = await live.verdictAfter(() => sendPacket(client, SERVER, packet))
    assert.equal(verdict.code, 'SPA_REPLAYED')
    await live.stop()
  })

  it('-C ends after so many packets, with the verdict of the last', async () => {
    const daemon = await start('', [], ['-C', '2'])
    await daemon.verdictAfter(() => sendPacket(client, SERVER, `${sealedPacket().slice(0, -4)}AAAA`))
    knock(client, SERVER, '-A', 'tcp/22', '-s')
    assert.equal(await daemon.program.end(), 0)
    assert.deepEqual(
      daemon.events.flatMap(({ verdict }) => verdict ?? []),
      ['refused', 'granted'],
    )
  })
})
