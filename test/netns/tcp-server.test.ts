/**
 * ENABLE_TCP_SERVER: knocks over connections, beside packets that are captured passively. Attackers hold connections
 * open, send junk, and send more than a packet; knocks by UDP and by TCP are granted meanwhile.
 */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import {
  assertUnharmed,
  carrierHosts,
  grantedAfter,
  grantedWithTries,
  SERVER_TO_ATTACKER,
} from '../support/carrier-hosts.ts'
import { Daemon, keys, SERVER, sendPacket, stanza } from '../support/daemon.ts'
import { type Host, type Network, netnsUnavailable, type Program } from '../support/netns.ts'
import { requestWith, sealedPacket } from '../support/sealed.ts'

const PORT = 62_201
const SSH = { protocol: 'tcp', address: SERVER, port: 22, timeoutMs: 100 } as const

/** Connects, sends each text 100 ms after the one before, and says how much came back and after how many ms. */
const SPEAKER = `
import socket, sys, time
host, port, hang = sys.argv[1], int(sys.argv[2]), sys.argv[3] == 'hang'
s = socket.create_connection((host, port), 5)
begun = time.monotonic()
try:
    for i, text in enumerate(sys.argv[4:]):
        if i: time.sleep(0.1)
        s.sendall(text.encode('latin1'))
    if not hang: s.shutdown(socket.SHUT_WR)
except OSError: pass # the server has closed already
s.settimeout(5)
came = 0
try:
    while True:
        more = s.recv(4096)
        if not more: break
        came += len(more)
except OSError: pass
print(came, round((time.monotonic() - begun) * 1000))
`
/** Keeps as many connections as it can from each of its addresses, each with a byte, and opens those again that end. */
const SLOWLORIS = `
import selectors, socket, sys, time
to = (sys.argv[1], int(sys.argv[2])); junk = sys.argv[3] == 'junk'
sel = selectors.DefaultSelector(); made = 0
def more(i):
    global made
    s = socket.socket(); s.setblocking(False)
    s.bind(('10.9.2.%d' % (1 + i % 40), 0))
    try: s.connect(to)
    except BlockingIOError: pass
    sel.register(s, selectors.EVENT_WRITE, i); made += 1
print('begun', flush=True)
end = time.monotonic() + float(sys.argv[4])
for i in range(300): more(i)
while time.monotonic() < end:
    for key, events in sel.select(0.05):
        s = key.fileobj
        try:
            if events & selectors.EVENT_WRITE:
                s.send(b'8' + b'A' * 216 if junk else b'G')
                if junk: s.shutdown(socket.SHUT_WR)
                sel.modify(s, selectors.EVENT_READ, key.data)
            else:
                s.recv(10); raise OSError
        except OSError:
            sel.unregister(s); s.close(); more(key.data)
print('made', made, flush=True)
`

describe('the TCP server', { skip: netnsUnavailable(), concurrency: 1 }, () => {
  let net: Network
  let client: Host
  let server: Host
  let attacker: Host
  let daemon: Daemon

  before(async () => {
    ;({ net, client, server, attacker } = await carrierHosts([PORT, 80], 40))
    daemon = await Daemon.start(net, server, {
      server: [
        'ENABLE_TCP_SERVER Y',
        `PCAP_FILTER udp port ${PORT} or tcp port ${PORT} or tcp port 80`,
        'ENABLE_SPA_OVER_HTTP Y',
        'ENABLE_X_FORWARDED_FOR Y',
        'TRUSTED_PROXIES 10.9.0.1',
        'LOG_LIMIT 1000',
      ],
      access: stanza(['FW_ACCESS_TIMEOUT 2']),
    })
  })
  after(() => net?.close())

  /** Bytes that came back, and when the server closed. */
  function speak(how: 'hang' | 'end', texts: readonly string[], to = SERVER, port = PORT): readonly [number, number] {
    const [came = -1, time = -1] = client
      .must(['python3', '-c', SPEAKER, to, `${port}`, how, ...texts])
      .trim()
      .split(' ')
      .map(Number)
    return [came, time]
  }

  it('says how each way of capture came, and takes each packet once', async () => {
    const [came, time] = speak('end', [sealedPacket()])
    assert.equal(came, 0)
    assert.ok(time < 500, `${time} ms`)
    assert.deepEqual(
      daemon.events.filter(({ event }) => event === 'notice'),
      [],
      'the receiver is confined',
    )
    const verdict = await daemon.until(({ verdict }) => verdict !== undefined)
    assert.deepEqual([verdict.verdict, verdict['via'], verdict['destinationPort']], ['granted', 'tcp-server', PORT])
    await client.until('ssh', SSH, 3_000)
    sendPacket(client, SERVER, sealedPacket())
    speak('end', [requestWith(sealedPacket())], SERVER, 80)
    await daemon.until(({ via }) => via === 'tcp/http')
    assert.deepEqual(
      daemon.events.flatMap(({ verdict, via }) => (verdict === undefined ? [] : [`${verdict} ${via}`])),
      ['granted tcp-server', 'granted udp', 'granted tcp/http'],
    )
    const { ways } = daemon.status()['counters'] as { ways: object }
    assert.deepEqual(ways, { udp: 1, 'tcp-server': 1, tcp: 1 })
    await client.until('timeout', SSH, 5_000)
  })

  it('puts a packet together from several segments', async () => {
    const packet = sealedPacket()
    await grantedAfter(daemon, () => speak('end', [packet.slice(0, 60), packet.slice(60, 150), packet.slice(150)]))
  })

  it('takes a packet in an HTTP request, and does not wait for the client to close', async () => {
    const verdict = await grantedAfter(daemon, () => {
      const [came, time] = speak('hang', [requestWith(sealedPacket())])
      assert.equal(came, 0)
      assert.ok(time < 500, `${time} ms`)
    })
    assert.equal(verdict['via'], 'tcp-server/http')
  })

  it('looks after a second at what a client sent that says nothing more, and closes', async () => {
    await grantedAfter(daemon, () => {
      const [came, time] = speak('hang', [sealedPacket()])
      assert.equal(came, 0)
      assert.ok(time > 700 && time < 2000, `${time} ms`)
    })
  })

  it('opens for the address in X-Forwarded-For if a named proxy says so, and not if others do', async () => {
    const headers = 'User-Agent: Fwknop\r\nX-Forwarded-For: 192.0.2.77\r\n'
    for (const port of [PORT, 80]) {
      const named = await grantedAfter(daemon, () => speak('end', [requestWith(sealedPacket(), headers)], SERVER, port))
      assert.equal(named['for'], '192.0.2.77')
      const from = daemon.events.length
      attacker.must([
        'python3',
        '-c',
        SPEAKER,
        SERVER_TO_ATTACKER,
        `${port}`,
        'end',
        requestWith(sealedPacket(), headers),
      ])
      assert.equal((await daemon.until(({ verdict }) => verdict === 'granted', from))['for'], '10.9.2.1')
    }
  })

  it('takes IPv6', async () => {
    const verdict = await grantedAfter(daemon, () => speak('end', [sealedPacket()], 'fd09::2'))
    assert.equal(verdict['for'], 'fd09::1')
  })

  it('a packet that came by UDP is used up for it', async () => {
    const packet = sealedPacket()
    await grantedAfter(daemon, () => sendPacket(client, SERVER, packet))
    const from = daemon.events.length
    speak('end', [packet])
    assert.equal((await daemon.until(({ verdict }) => verdict !== undefined, from)).code, 'SPA_REPLAYED')
  })

  it('hangs up on more than a packet, without a word', async () => {
    const from = daemon.events.length
    const [came, time] = speak('end', [sealedPacket(), 'A'.repeat(3000)])
    assert.equal(came, 0)
    assert.ok(time < 1000)
    await delay(100)
    assert.deepEqual(
      daemon.events.slice(from).filter(({ verdict }) => verdict === 'granted'),
      [],
    )
  })

  for (const [what, kind] of [
    ['hold all connections open', 'slow'],
    ['send junk as fast as they can', 'junk'],
  ] as const)
    it(`grants knocks by UDP, HTTP and TCP while forty sources ${what}`, async () => {
      const flood: Program = attacker.start(['python3', '-c', SLOWLORIS, SERVER_TO_ATTACKER, `${PORT}`, kind, '6'])
      await flood.says(/begun/)
      await delay(500)
      for (let i = 0; i < 5; i++) {
        await grantedWithTries(daemon, () => sendPacket(client, SERVER, sealedPacket()))
        await grantedWithTries(daemon, () => speak('end', [sealedPacket()]))
        await grantedWithTries(daemon, () => speak('end', [requestWith(sealedPacket())], SERVER, 80))
      }
      await flood.says(/made \d+/)
      await flood.end()
      assertUnharmed(daemon)
      const descriptors = Number(server.must(['bash', '-c', `ls /proc/${receiverPid()}/fd | wc -l`]))
      assert.ok(descriptors < 60, `${descriptors} descriptors are left`)
      assert.equal(connectionsDropped(), 0, 'the kernel had no place for a connection')
    })

  /** By the server's kernel, for all its sockets that listen, because their queue was full. */
  function connectionsDropped(): number {
    const [names = [], values = []] = server
      .must(['cat', '/proc/net/netstat'])
      .split('\n')
      .filter((line) => line.startsWith('TcpExt:'))
      .map((line) => line.split(' '))
    return Number(values[names.indexOf('ListenDrops')])
  }

  function receiverPid(): number {
    return Number(daemon.events.find(({ event }) => event === 'ready')?.['receiver'])
  }

  it('the real fwknop client knocks by it', async () => {
    const secrets = ['--key-rijndael', keys.key, '--key-hmac', keys.hmac, '--use-hmac']
    const verdict = await grantedAfter(daemon, () =>
      client.must([
        'fwknop',
        '--no-rc-file',
        '--no-home-dir',
        '--no-save-args',
        '-E',
        'none',
        '-P',
        'tcp',
        '-D',
        SERVER,
        '-A',
        'tcp/22',
        '-s',
        ...secrets,
      ]),
    )
    assert.equal(verdict['via'], 'tcp-server')
  })
})
