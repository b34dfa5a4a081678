/**
 * Receipts, and the other rules for packets that come through a gateway, with a real server.
 *
 *   gateway 10.9.0.1, fd09::1 ──┐
 *                               ├ server 10.9.0.2, fd09::2 / 10.9.2.2, which drops by default: ssh on tcp/22
 *   visitor 10.9.2.1 ───────────┘
 */
import assert from 'node:assert/strict'
import { after, afterEach, before, it } from 'node:test'
import { openReceipt, type Receipt } from '../../src/packet.ts'
import { Daemon, dropByDefault, stanza } from '../support/daemon.ts'
import { type Host, Network, netnsUnavailable } from '../support/netns.ts'
import { packetKeys, sealedPacket } from '../support/sealed.ts'

const skip = netnsUnavailable()
const SERVER = '10.9.0.2'
const VISITOR = '10.9.2.1'
const RULES = ['GATEWAY_ADDRESSES 10.9.0.1, fd09::/64', 'GATEWAY_RECEIPTS Y']

/** Sends packets from one UDP socket, and prints what comes back, until half a second after so many answers. */
const SEND = `
  const [server, wanted, ...packets] = process.argv.slice(1)
  const socket = require('node:dgram').createSocket(server.includes(':') ? 'udp6' : 'udp4')
  const answers = []
  socket.on('message', (text, { address, port }) => answers.push({ text: String(text), from: address + ' ' + port }))
  for (const packet of packets) socket.send(packet, 62201, server)
  const end = () => { console.log(JSON.stringify(answers)); socket.close() }
  const started = performance.now()
  const wait = () => answers.length < Number(wanted) && performance.now() - started < 5000
    ? setTimeout(wait, 10) : setTimeout(end, 500)
  wait()`

interface Answer {
  readonly text: string
  readonly from: string
}

let net: Network
let gateway: Host
let visitor: Host
let server: Host
let daemon: Daemon | undefined

before(async () => {
  if (skip) return
  net = await Network.create()
  gateway = await net.host('gateway')
  visitor = await net.host('visitor')
  server = await net.host('server')
  await net.link(gateway, ['10.9.0.1/24', 'fd09::1/64'], server, [`${SERVER}/24`, 'fd09::2/64'])
  await net.link(visitor, [`${VISITOR}/24`], server, ['10.9.2.2/24'])
  dropByDefault(server)
  await server.listen([{ protocol: 'tcp', port: 22, banner: 'ssh' }])
})
after(async () => await net?.close())
afterEach(async () => {
  await daemon?.stop()
  daemon = undefined
})

async function serve(lines: readonly string[] = RULES, more: readonly string[] = []): Promise<Daemon> {
  daemon = await Daemon.start(net, server, { server: lines, access: stanza(['OPEN_PORTS tcp/22', ...more]) })
  return daemon
}

/** @param wanted how many answers are worth waiting for. */
function send(from: Host, packets: readonly string[], to = SERVER, wanted = 0): readonly Answer[] {
  return JSON.parse(from.must([process.execPath, '-e', SEND, to, `${wanted}`, ...packets]))
}

/** What the one answer to a packet says. */
function receiptFor(packet: string, to = SERVER): Receipt {
  const answers = send(gateway, [packet], to, 1)
  assert.equal(answers.length, 1, JSON.stringify([answers, daemon?.events.slice(-5)]))
  assert.equal(answers[0]?.from, `${to} 62201`)
  const opened = openReceipt(packet, packetKeys, answers[0].text)
  assert.ok(opened.ok, JSON.stringify(opened))
  return opened.value
}

it('an open door has a receipt, once, and nothing listens for it', { skip }, async () => {
  await serve()
  const packet = sealedPacket(0, { source: VISITOR })
  const before = Math.floor(Date.now() / 1000)
  const receipt = receiptFor(packet)
  assert.equal(receipt.verdict, 'open')
  assert.ok(receipt.until >= before + 30 && receipt.until <= before + 32, JSON.stringify({ receipt, before }))
  assert.ok(receipt.serverTime >= before && receipt.serverTime <= before + 2)
  assert.equal(await visitor.tcp('10.9.2.2', 22), 'ssh')
  assert.equal(await gateway.tcp(SERVER, 22), 'timeout')
  assert.deepEqual(send(gateway, [packet, packet]), [])
  assert.equal(server.must(['ss', '-Hlun']), '')
})

it('a refusal has its code, once', { skip }, async () => {
  await serve()
  const cases = [
    ['ACCESS_PORT_DENIED', sealedPacket(0, { source: VISITOR, tcp: 23 })],
    ['ACCESS_GATEWAY_SOURCE', sealedPacket()],
    ['SPA_STALE', sealedPacket(45, { source: VISITOR })],
    ['SPA_FROM_FUTURE', sealedPacket(-45, { source: VISITOR })],
  ] as const
  for (const [code, packet] of cases) {
    const receipt = receiptFor(packet)
    assert.equal(receipt.verdict === 'refused' && receipt.code, code)
    assert.deepEqual(send(gateway, [packet]), [])
  }
})

it('silence for all others: strangers, old packets, copies, and those that are no gateway', { skip }, async () => {
  const running = await serve()
  const used = sealedPacket(0, { source: VISITOR })
  assert.deepEqual(send(visitor, [used], '10.9.2.2'), [])
  const changed = `${sealedPacket(0, { source: VISITOR }).slice(0, -1)}A`
  const silent = [changed, 'x'.repeat(200), `8${'A'.repeat(199)}`, sealedPacket(500, { source: VISITOR }), used]
  assert.deepEqual(send(gateway, silent), [])
  for (const code of ['SPA_HMAC_MISMATCH', 'SPA_STALE', 'SPA_REPLAYED'])
    await running.until((event) => event.code === code)
  // The shorter age is for gateways only.
  assert.equal((await running.verdictAfter(() => send(visitor, [sealedPacket(45)], '10.9.2.2'))).verdict, 'granted')
})

it('without GATEWAY_RECEIPTS, the rules hold and nothing is sent', { skip }, async () => {
  await serve(['GATEWAY_ADDRESSES 10.9.0.1', 'GATEWAY_MAX_SPA_PACKET_AGE 60'])
  const verdict = async (packet: string) => {
    let answers: readonly Answer[] = []
    const told = await daemon?.verdictAfter(() => {
      answers = send(gateway, [packet])
    })
    assert.deepEqual(answers, [])
    return told?.code ?? told?.verdict
  }
  assert.equal(await verdict(sealedPacket(45, { source: VISITOR })), 'granted')
  assert.equal(await verdict(sealedPacket(75, { source: VISITOR })), 'SPA_STALE')
  assert.equal(await verdict(sealedPacket()), 'ACCESS_GATEWAY_SOURCE')
})

it('over IPv6, by a UDP socket, and after a reload that asks for it', { skip }, async () => {
  server.must(['nft', 'insert', 'rule', 'inet', 'filter', 'input', 'udp', 'dport', '62201', 'accept'])
  const running = await serve(['CAPTURE udp'])
  running.configure({ server: ['CAPTURE udp', ...RULES], access: stanza() })
  const from = running.events.length
  running.reload()
  await running.until(({ event }) => event === 'reload', from)
  const six = receiptFor(sealedPacket(0, { source: 'fd09::1' }), 'fd09::2')
  assert.equal(six.verdict, 'open')
  const four = receiptFor(sealedPacket(0, { source: VISITOR }))
  assert.equal(four.verdict, 'open')
})

it('over IPv6, from an address of the server that is not its first', { skip }, async () => {
  await serve()
  server.must(['ip', 'addr', 'add', 'fd09::3/64', 'dev', 'eth0', 'nodad'])
  assert.equal(receiptFor(sealedPacket(0, { source: 'fd09::1' }), 'fd09::3').verdict, 'open')
})

it('one key holder cannot make the server send without end', { skip }, async () => {
  await serve()
  const packets = Array.from({ length: 60 }, () => sealedPacket(0, { source: VISITOR }))
  const { length } = send(gateway, packets, SERVER, 20)
  assert.ok(length >= 20 && length <= 30, `${length} receipts`)
})
