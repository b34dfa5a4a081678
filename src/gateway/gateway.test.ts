/** The gateway in this process, with real HTTP and UDP over loopback. */
import assert from 'node:assert/strict'
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { get, type IncomingMessage } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import fc from 'fast-check'
import { systemClock } from '../clock.ts'
import { parseGatewayConf } from '../config/gateway/parse-gateway-conf.ts'
import type { IpAddress } from '../packet/address.ts'
import { StateFolder } from '../system/state-folder.ts'
import { milliseconds } from '../units.ts'
import { type Gateway, openGateway } from './gateway.ts'
import { mayBePacket, readKnock } from './knock-request.ts'
import { Tickets } from './tickets.ts'

/** Of the form of a packet. */
const packet = (fill = 'A'): string => `8${fill.repeat(199)}`
const RECEIPT = 'R'.repeat(128)

/** A target that writes down what comes, and answers some packets. */
async function target() {
  const socket: Socket = createSocket('udp4')
  const arrived: string[] = []
  socket.on('message', (bytes, from) => {
    const text = bytes.toString('latin1')
    arrived.push(text)
    if (text.includes('R')) socket.send(RECEIPT, from.port, from.address)
    if (text.includes('X')) socket.send('no receipt', from.port, from.address)
  })
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve))
  return { arrived, port: socket.address().port, close: () => socket.close() }
}

describe('the gateway', { concurrency: 1 }, () => {
  let folder: string
  let gateway: Gateway
  let office: Awaited<ReturnType<typeof target>>
  let base: string

  async function start(lines: readonly string[] = []): Promise<Gateway> {
    const text = [
      'LISTEN http://127.0.0.1:1',
      'HOST localhost',
      `TARGET office 127.0.0.1:${office.port}`,
      'TARGET gone no-such-host.invalid:62201',
      'RECEIPT_WAIT 1000',
      'PROXY 127.0.0.1',
      ...lines,
    ].join('\n')
    const parsed = parseGatewayConf('gateway.conf', text)
    assert.ok(parsed.ok, JSON.stringify(parsed))
    const state = StateFolder.open(folder, undefined)
    assert.ok(state.ok, JSON.stringify(state))
    const { config } = parsed.value
    const listen = config.listen.map((at) => (at.kind === 'unix' ? at : { ...at, port: 0 as never }))
    const opened = await openGateway({ ...config, listen }, state.value, [], {
      clock: systemClock,
      lookUp: async () => undefined,
      ownAddresses: new Set(['127.0.0.1' as IpAddress]),
      onFault: (error) => assert.fail(String(error)),
    })
    assert.ok(opened.ok, JSON.stringify(opened))
    const [at] = opened.value.http.listening
    assert.ok(at?.kind === 'tcp')
    base = `http://localhost:${at.port}`
    return opened.value
  }

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'ghostport-gateway-'))
    office = await target()
    gateway = await start()
  })
  after(async () => {
    await gateway.close()
    office.close()
    rmSync(folder, { recursive: true })
  })

  let visitors = 0
  const post = (path: string, body: unknown, headers: Record<string, string> = {}) =>
    fetch(`${base}${path}`, {
      method: 'POST',
      body: JSON.stringify(body),
      // Each request is another visitor's, as the named proxy says.
      headers: { 'content-type': 'application/json', 'x-forwarded-for': `10.0.0.${visitors++ % 250}`, ...headers },
    })
  const knock = async (target: string, text: string, source = '192.0.2.1') => {
    const answer = await post('/v1/knock', { target, packet: text }, { 'x-forwarded-for': source })
    assert.equal(answer.status, 202)
    return ((await answer.json()) as { ticket: string }).ticket
  }
  const receiptOf = async (ticket: string) => {
    const answer = await post('/v1/receipt', { ticket })
    assert.equal(answer.status, 200)
    return ((await answer.json()) as { receipt: string }).receipt
  }

  it('passes a packet on, unchanged, by UDP', async () => {
    const text = packet('B')
    await knock('office', text)
    await delay(50)
    assert.deepEqual(office.arrived.filter((it) => it === text).length, 1)
  })

  it('says which labels the asked name has, and no others', async () => {
    await gateway.close()
    gateway = await start(['HOST gate.example, v4.gate.example', 'ECHO_LABELS v4'])
    const said = async (host: string): Promise<string[]> => {
      const sent = get(`${base}/v1/time`, { headers: { host } })
      const [answer] = (await once(sent, 'response')) as [IncomingMessage]
      return Object.keys(JSON.parse(Buffer.concat(await answer.toArray()).toString()))
    }
    assert.deepEqual(await said('gate.example'), ['time', 'labels'])
    assert.deepEqual(await said('GATE.example:8443'), ['time', 'labels'])
    assert.deepEqual(await said('v4.gate.example'), ['time'])
    assert.deepEqual(await said('localhost'), ['time'])
    await gateway.close()
    gateway = await start()
  })

  it('answers alike: a target, none, one without an address, one over its limit', async () => {
    const heads = []
    for (const id of ['office', 'nobody', 'gone']) {
      const answer = await post('/v1/knock', { target: id, packet: packet() })
      const body = await answer.text()
      heads.push([answer.status, [...answer.headers].map(([name, value]) => `${name}: ${value}`).sort(), body.length])
      assert.match(body, /^\{"ticket":"[A-Za-z0-9_-]{22}"\}$/)
    }
    assert.deepEqual(heads[1], heads[0])
    assert.deepEqual(heads[2], heads[0])
    await delay(50)
    assert.ok((gateway.counts.get('unknown target') ?? 0) >= 1)
    assert.ok((gateway.counts.get('no address') ?? 0) >= 1)
  })

  it('brings the receipt of the target, once, at its time; and else filler of the same form at the same time', async () => {
    const began = performance.now()
    const tickets = await Promise.all([
      knock('office', packet('R')),
      knock('office', packet('S')),
      knock('nobody', packet('R')),
    ])
    const asked = await Promise.all([...tickets, 'A'.repeat(22)].map(receiptOf))
    const took = performance.now() - began
    assert.ok(took >= 1_000, `${took}`)
    assert.equal(asked[0], RECEIPT)
    for (const filler of asked.slice(1)) {
      assert.match(filler, /^[A-Za-z0-9+/]{128}$/)
      assert.notEqual(filler, RECEIPT)
    }
    assert.notEqual(await receiptOf(tickets[0] ?? ''), RECEIPT)
  })

  it('takes nothing from a target that has not the form of a receipt', async () => {
    assert.match(await receiptOf(await knock('office', packet('X'))), /^[A-Za-z0-9+/]{128}$/)
  })

  it('gives each of many packets its own receipt', async () => {
    const tickets = await Promise.all(
      Array.from({ length: 20 }, (_, i) => knock('office', packet(i % 2 === 0 ? 'R' : 'T'), `192.0.2.${i}`)),
    )
    const receipts = await Promise.all(tickets.map(receiptOf))
    assert.deepEqual(
      receipts.map((it) => it === RECEIPT),
      tickets.map((_, i) => i % 2 === 0),
    )
  })

  it('refuses what it can see is no packet', async () => {
    const before = office.arrived.length
    for (const [body, status] of [
      [{ target: 'office', packet: 'short' }, 400],
      [{ target: 'office', packet: 'A'.repeat(200) }, 400],
      [{ target: 'office', packet: `8${'A'.repeat(1_600)}` }, 400],
      [{ target: 'office', packet: `8${'A'.repeat(3_000)}` }, 413],
      [{ target: 'office', packet: `8${'é'.repeat(199)}` }, 400],
      [{ target: '192.0.2.1', packet: packet() }, 400],
      [{ target: 'office', packet: packet(), port: 53 }, 400],
      [{ packet: packet() }, 400],
    ] as const)
      assert.equal((await post('/v1/knock', body)).status, status, JSON.stringify(body).slice(0, 60))
    await delay(50)
    assert.equal(office.arrived.length, before)
  })

  it('tells a visitor its address, to any page', async () => {
    const answer = await fetch(`${base}/v1/address`, { headers: { 'x-forwarded-for': '203.0.113.9' } })
    assert.deepEqual(await answer.json(), { address: '203.0.113.9' })
  })

  it('lists no target, and serves no file', async () => {
    for (const path of ['/', '/v1', '/v1/targets', '/gateway.conf'])
      assert.equal((await fetch(`${base}${path}`, { headers: { 'x-forwarded-for': '10.9.9.9' } })).status, 404)
  })

  it('limits a source: 429; and a target: as if it were accepted, and nothing is sent', async () => {
    await gateway.close()
    gateway = await start(['KNOCKS_PER_SOURCE 5', 'KNOCKS_PER_TARGET 3'])
    const from = (source: string) =>
      post('/v1/knock', { target: 'office', packet: packet('L') }, { 'x-forwarded-for': source })
    const one = await Promise.all(Array.from({ length: 8 }, () => from('192.0.2.77')))
    assert.deepEqual(one.map(({ status }) => status).sort(), [202, 202, 202, 202, 202, 429, 429, 429])
    const many = await Promise.all(Array.from({ length: 30 }, (_, i) => from(`198.51.100.${i}`)))
    for (const { status } of many) assert.equal(status, 202)
    await delay(300)
    const sent = office.arrived.filter((it) => it === packet('L')).length
    assert.ok(sent >= 3 && sent < 30, `${sent}`)
    assert.ok((gateway.counts.get('over target limit') ?? 0) >= 5)
    assert.equal(gateway.counts.get('over source limit'), 3)
  })
})

it('no text makes a reader throw, and only texts of the form of a packet pass', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 300 }), (text) => {
      readKnock({ target: 'a', packet: text })
      if (mayBePacket(text)) assert.match(text, /^[A-Za-z0-9+/=]{140,}$/)
    }),
  )
})

it('tickets are forgotten after their time, and above their number', () => {
  const tickets = new Tickets(milliseconds(1_000), 3)
  const random = (byte: number) => new Uint8Array(16).fill(byte)
  const first = tickets.issue(random(1), milliseconds(0))
  for (let i = 2; i < 6; i++) tickets.issue(random(i), milliseconds(i))
  assert.equal(tickets.size, 3)
  tickets.arrived(first, 'x')
  assert.equal(tickets.redeem(first, milliseconds(10)).receipt(), undefined)
  tickets.issue(random(9), milliseconds(20_000))
  assert.equal(tickets.size, 1)
})
