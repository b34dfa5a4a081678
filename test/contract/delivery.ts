/** The promises of every delivery. Call it once for each implementation. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Delivery } from '../../src/delivery/delivery.ts'
import { familyOf, type IpAddress, parseAddress } from '../../src/packet/address.ts'
import type { Port } from '../../src/units.ts'

/** A packet as it arrived. */
export interface Arrival {
  /** The text of the SPA packet, taken out of what carried it. */
  readonly text: string
  readonly from: string
  /** Absent: the protocol has no ports. */
  readonly fromPort?: number
}

export interface DeliveryFixture extends AsyncDisposable {
  /** @param options `sourcePort`: send from it. */
  readonly open: (options?: { readonly sourcePort?: Port }) => Delivery
  /** Where packets are received, over IPv4 and IPv6. */
  readonly port: Port
  /** A port where nothing listens. */
  readonly shutPort: Port
  /** The next arrival, in order. @throws AssertionError after a while. */
  readonly arrival: () => Promise<Arrival>
  /** How many arrived that {@link arrival} has not handed out. */
  readonly waiting: () => number
}

export interface DeliveryTraits {
  /** Why it cannot be tested here. */
  readonly skip?: string | false
  readonly families: readonly (4 | 6)[]
  /** Whether `send` learns that nothing listens, and from which protocol the message says so. */
  readonly refusedOver?: string
  /** Whether packets have a source port that can be chosen. */
  readonly sourcePorts: boolean
}

/** With each character of the alphabet that HTTP spells in another way. */
const TEXT = `8Ab+/09${'x+/Z'.repeat(40)}`

export function addressOf(text: string): IpAddress {
  const address = parseAddress(text)
  assert.ok(address.ok)
  return address.value
}

export function deliveryContract(name: string, traits: DeliveryTraits, create: () => Promise<DeliveryFixture>): void {
  const options = { skip: traits.skip ?? false, timeout: 120_000 }
  const loopback = traits.families.map((family) => addressOf(family === 4 ? '127.0.0.1' : '::1'))

  describe(`delivery: ${name}`, { concurrency: 1 }, () => {
    for (const address of loopback)
      it(
        `brings the text over IPv${familyOf(address)}, once and unchanged, and says where it left from`,
        options,
        async () => {
          await using fixture = await create()
          const before = performance.now()
          const sent = await fixture.open().send({ text: TEXT, address, port: fixture.port })
          const arrived = await fixture.arrival()
          assert.ok(sent.ok, JSON.stringify(sent))
          assert.equal(arrived.text, TEXT)
          assert.equal(sent.value.localAddress, arrived.from)
          assert.ok(sent.value.at >= before && sent.value.at <= performance.now())
          assert.equal(fixture.waiting(), 0)
        },
      )

    it('brings each of many packets that are sent at once', options, async () => {
      await using fixture = await create()
      const delivery = fixture.open()
      const texts = Array.from({ length: 20 }, (_, i) => `${TEXT}${i}`)
      const [address] = loopback
      assert.ok(address !== undefined)
      const sent = await Promise.all(texts.map((text) => delivery.send({ text, address, port: fixture.port })))
      assert.ok(sent.every(({ ok }) => ok))
      const arrived = new Set<string>()
      for (const _ of texts) arrived.add((await fixture.arrival()).text)
      assert.deepEqual(arrived, new Set(texts))
    })

    if (traits.refusedOver !== undefined)
      for (const address of loopback)
        it(`a refusal over IPv${familyOf(address)} names address, port and cause`, options, async () => {
          await using fixture = await create()
          const sent = await fixture.open().send({ text: TEXT, address, port: fixture.shutPort })
          assert.ok(!sent.ok)
          assert.equal(sent.failure.code, 'SEND_FAILED')
          const where = `${address} port ${fixture.shutPort}/${traits.refusedOver}: `
          assert.ok(sent.failure.detail.includes(where), sent.failure.detail)
          assert.match(sent.failure.detail, /nothing accepts connections there \(ECONNREFUSED\)$/)
        })

    if (traits.sourcePorts)
      it('sends from the port that it is given', options, async () => {
        await using fixture = await create()
        const [address] = loopback
        assert.ok(address !== undefined)
        const sourcePort = await freePort()
        const sent = await fixture.open({ sourcePort }).send({ text: TEXT, address, port: fixture.port })
        assert.ok(sent.ok, JSON.stringify(sent))
        assert.equal((await fixture.arrival()).fromPort, sourcePort)
      })
  })
}

/** A port of 127.0.0.1 that nothing uses, for UDP and TCP alike. */
export async function freePort(): Promise<Port> {
  const { createServer } = await import('node:net')
  const server = createServer()
  const port = await new Promise<number>((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host: '::', ipv6Only: false, port: 0 }, () => {
      const address = server.address()
      if (address === null || typeof address === 'string') reject(new Error('no address'))
      else resolve(address.port)
    })
  })
  await new Promise((resolve) => server.close(resolve))
  return port as Port
}
