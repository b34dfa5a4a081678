import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { must } from '../../test/support/results.ts'
import { ManualClock } from '../clock.ts'
import type { Delivery } from '../delivery/delivery.ts'
import { memoryDelivery } from '../delivery/memory.ts'
import { udpDelivery } from '../delivery/udp.ts'
import { parseAddress } from '../packet/address.ts'
import { parseEnvelope } from '../packet/envelope.ts'
import { EncryptionKey, HmacKey } from '../packet/key.ts'
import { parseKeyText } from '../packet/key-text.ts'
import { openPacket } from '../packet/open.ts'
import { parseProtocolPorts } from '../packet/protocol-port.ts'
import { parseUsername } from '../packet/username.ts'
import { ok, refuse } from '../result.ts'
import { port, unixSeconds } from '../units.ts'
import { type KnockPlan, sealKnock, sendKnock } from './knock.ts'
import { buildRequest } from './request.ts'

const addresses = ['203.0.113.7', '2001:db8::7'].map((text) => must(parseAddress(text)))
const request = must(
  buildRequest(
    { access: must(parseProtocolPorts('tcp/22')), allow: 'packet-source' },
    { username: parseUsername('ada'), random: 0 },
  ),
)
const keys = {
  encryption: { kind: 'symmetric', key: must(parseKeyText(EncryptionKey, 'one')), mode: 'CBC' },
  hmac: { key: must(parseKeyText(HmacKey, 'two')), type: 'sha256' },
} as const
const plan: KnockPlan = { request, keys, server: 'host.example', settings: {} }
/** Not random, and never the same twice. */
function world() {
  let calls = 0
  return {
    resolve: async () => ok(addresses),
    clock: new ManualClock(unixSeconds(1_700_000_000)),
    randomBytes: (length: number) => new Uint8Array(length).fill(++calls),
  }
}

describe('a knock', () => {
  it('is one packet for each address, each openable and none like another', async () => {
    const packets = must(await sealKnock(plan, world()))
    assert.deepEqual(
      packets.map(({ address, port }) => [address, port]),
      addresses.map((address) => [address, 62201]),
    )
    const opened = packets.map(({ text }) => {
      const envelope = must(parseEnvelope(new TextEncoder().encode(text), { http: 'off' }))
      return must(openPacket(envelope, keys))
    })
    for (const { message } of opened) assert.ok(message.kind === 'access' && message.timestamp === 1_700_000_000)
    assert.equal(new Set(opened.map(({ message }) => message.random)).size, 2)
    assert.equal(new Set(opened.map(({ digest }) => digest)).size, 2)
  })
  it('an address that swallows connections does not hold up the others for long', async () => {
    const swallowing: Delivery = {
      send: ({ address }, signal) =>
        address === addresses[0]
          ? memoryDelivery().send({ text: '', address, port: port(1) })
          : new Promise((resolve) =>
              signal?.addEventListener('abort', () => resolve(refuse('SEND_FAILED', String(signal.reason)))),
            ),
    }
    const began = performance.now()
    const sent = must(await sendKnock(must(await sealKnock(plan, world())), swallowing))
    assert.ok(performance.now() - began < 3_000)
    assert.deepEqual(
      sent.map(({ departure }) => departure.ok || departure.failure.detail),
      [true, 'no connection within 1 s of another'],
    )
  })
  it('goes to the port that is set, or to a random one', async () => {
    const [set] = must(await sealKnock({ ...plan, settings: { serverPort: port(53) } }, world()))
    assert.equal(set?.port, 53)
    const [random, other] = must(
      await sealKnock({ ...plan, settings: { serverPort: port(53), randomPort: true } }, world()),
    )
    assert.ok(random && other && random.port >= 10_000 && random.port !== other.port)
  })
  it('is refused where the name is', async () => {
    const result = await sealKnock(plan, { ...world(), resolve: async () => refuse('NAME_UNRESOLVED', 'no') })
    assert.ok(!result.ok && result.failure.code === 'NAME_UNRESOLVED')
  })
  it('is refused where both keys are one', async () => {
    const same = { ...keys, hmac: { key: must(parseKeyText(HmacKey, 'one')), type: 'sha256' } } as const
    const result = await sealKnock({ ...plan, keys: same }, world())
    assert.ok(!result.ok && result.failure.code === 'KEY_INVALID')
  })

  it('is sent if one of its packets is', async () => {
    const packets = must(await sealKnock(plan, world()))
    const delivery = memoryDelivery()
    const half = {
      send: (packet: (typeof packets)[number]) =>
        packet.address === addresses[0]
          ? delivery.send(packet)
          : Promise.resolve(refuse('SEND_FAILED', 'no IPv6 here')),
    }
    const sent = must(await sendKnock(packets, half))
    assert.deepEqual(
      sent.map(({ departure }) => departure.ok),
      [true, false],
    )
    assert.deepEqual(
      delivery.packets.map(({ text }) => text),
      [packets[0]?.text],
    )
  })
  it('is not sent if none is', async () => {
    const packets = must(await sealKnock(plan, world()))
    const result = await sendKnock(packets, { send: async () => refuse('SEND_FAILED', 'no') })
    assert.ok(!result.ok)
    assert.deepEqual([result.failure.code, result.failure.detail], ['SEND_FAILED', 'no; no'])
  })
})

describe('delivery by UDP', () => {
  const loopbacks = ['127.0.0.1', '::1'] as const
  for (const loopback of loopbacks)
    it(`hands the text on as it is, from where it says: ${loopback}`, async () => {
      const { createSocket } = await import('node:dgram')
      const receiver = createSocket(loopback === '::1' ? 'udp6' : 'udp4')
      await new Promise<void>((resolve) => receiver.bind(0, loopback, resolve))
      try {
        const arrived = new Promise<{ text: string; from: string }>((resolve) =>
          receiver.once('message', (bytes, { address }) => resolve({ text: bytes.toString('latin1'), from: address })),
        )
        const address = must(parseAddress(loopback))
        const departure = must(
          await udpDelivery().send({ text: 'abc+/', address, port: port(receiver.address().port) }),
        )
        assert.deepEqual(await arrived, { text: 'abc+/', from: loopback })
        assert.equal(departure.localAddress, loopback)
      } finally {
        receiver.close()
      }
    })

  it('says which source port is taken', async () => {
    const { createSocket } = await import('node:dgram')
    const holder = createSocket('udp4')
    await new Promise<void>((resolve) => holder.bind(0, resolve))
    try {
      const taken = port(holder.address().port)
      const address = must(parseAddress('127.0.0.1'))
      const result = await udpDelivery({ sourcePort: taken }).send({ text: 'x', address, port: port(9) })
      assert.ok(!result.ok)
      assert.equal(result.failure.detail, `127.0.0.1 port 9/udp: source port ${taken} is in use (EADDRINUSE)`)
    } finally {
      holder.close()
    }
  })
  it('says that an address cannot be sent to', async () => {
    // A broadcast address, for which a socket needs permission: the kernel refuses it with any routes.
    const address = must(parseAddress('255.255.255.255'))
    const result = await udpDelivery().send({ text: 'x', address, port: port(9) })
    assert.ok(!result.ok && result.failure.code === 'SEND_FAILED')
  })
})
