/** Knocks that are repeated: by a clock of the test, into memory, at a port of loopback that is shut or opens. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { describe, it, type TestContext } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { must } from '../../test/support/results.ts'
import { ManualClock } from '../clock.ts'
import { memoryDelivery } from '../delivery/memory.ts'
import { parseAddress } from '../packet/address.ts'
import { parseEnvelope } from '../packet/envelope.ts'
import { EncryptionKey, HmacKey } from '../packet/key.ts'
import { parseKeyText } from '../packet/key-text.ts'
import { openPacket } from '../packet/open.ts'
import { ok, refuse } from '../result.ts'
import { milliseconds, unixSeconds } from '../units.ts'
import { knockLater, type LaterKnocks, laterKnockTimes } from './knock-again.ts'
import { type KnockOptions, knock } from './one-call.ts'

describe('the knocks after the first', () => {
  for (const [knocks, limit, times] of [
    [0, 5_000, []],
    [1, 5_000, [1_000]],
    [2, 5_000, [1_000, 2_000]],
    [3, 5_000, [1_000, 2_000, 4_000]],
    [5, 60_000, [1_000, 2_000, 4_000, 8_000, 12_000]],
    [20, 5_000, [1_000, 2_000, 4_000]],
    [3, 1_000, []],
    [3, 1_001, [1_000]],
  ] as const)
    it(`of ${knocks} in ${limit} ms leave after ${times.join(', ') || 'no time: there are none'}`, () =>
      assert.deepEqual(laterKnockTimes(knocks, milliseconds(limit)), times))

  const soon = [1, 2].map(milliseconds)
  let later: LaterKnocks | undefined
  it('end with those that are under way, and what they sent is told', async () => {
    const begun: number[] = []
    let release: ((sent: []) => void) | undefined
    const first = new Promise<void>((began) => {
      later = knockLater(soon.slice(0, 1), (number) => {
        begun.push(number)
        began()
        return new Promise((resolve) => {
          release = resolve
        })
      })
    })
    await first
    let ended = false
    const ending = later?.end().then(() => {
      ended = true
    })
    await turn()
    assert.ok(!ended)
    release?.([])
    await ending
    assert.deepEqual([ended, begun], [true, [2]])
  })
  it('that have not begun at their end never do', async () => {
    let begun = 0
    later = knockLater(soon, async () => {
      begun++
      return []
    })
    assert.deepEqual(await later.end(), [])
    await new Promise((resolve) => setTimeout(resolve, 10))
    assert.equal(begun, 0)
  })
  it('throw at their end, and not before', async () => {
    await new Promise<void>((thrown) => {
      later = knockLater(soon, async () => {
        thrown()
        throw new Error('no such world')
      })
    })
    await turn()
    await assert.rejects(async () => later?.end(), /no such world/)
  })
})

describe('a knock whose port stays shut', () => {
  const addresses = ['127.0.0.1', '127.0.0.2'].map((text) => must(parseAddress(text)))
  const base: KnockOptions = {
    destination: 'host.example',
    access: 'tcp/1',
    'source-ip': true,
    'no-rc-file': true,
    'key-rijndael': 'sesame',
    'key-hmac': 'latch',
  }
  const keys = {
    encryption: { key: must(parseKeyText(EncryptionKey, 'sesame')), mode: 'CBC' },
    hmac: { key: must(parseKeyText(HmacKey, 'latch')), type: 'sha256' },
  } as const

  /** Begins to knock into memory. `pass` lets time pass, and waits until its consequences are here. */
  async function begin(t: TestContext, options: KnockOptions) {
    t.mock.timers.enable({ apis: ['setTimeout'] })
    const delivery = memoryDelivery()
    const clock = new ManualClock(unixSeconds(1_700_000_000))
    let lookups = 0
    const resolve = async () => {
      lookups++
      return ok(addresses)
    }
    const knocked = knock({ ...base, ...options }, { delivery, clock, resolve })
    const settle = async (): Promise<void> => {
      for (let i = 0; i < 20; i++) await turn()
    }
    for (let i = 0; delivery.packets.length === 0 && i < 10_000; i++) await turn()
    await settle()
    return {
      knocked,
      delivery,
      lookups: () => lookups,
      pass: async (seconds: number): Promise<number> => {
        clock.advance(Math.floor(seconds))
        t.mock.timers.tick(seconds * 1000)
        await settle()
        return delivery.packets.length
      },
    }
  }

  it('is repeated after 1, 2 and 4 s, to each address, with new packets for the same port', async (t) => {
    const { knocked, delivery, pass, lookups } = await begin(t, {
      wait: true,
      knocks: 3,
      'nat-local': true,
      'nat-rand-port': true,
    })
    const counts = [delivery.packets.length]
    for (let i = 0; i < 4; i++) counts.push(await pass(1))
    assert.deepEqual(counts, [2, 4, 6, 6, 8])
    await pass(1)
    const result = await knocked
    assert.ok(!result.ok && result.failure.code === 'PORT_NOT_OPEN')
    assert.match(result.failure.detail, /\(5 s, 4 knocks, \d+ attempts\)/)
    assert.ok(result.failure.causes.some((cause) => /no packet arrives/.test(cause)))
    assert.deepEqual(
      result.failure.packets.map(({ address, timestamp }) => [address, timestamp - 1_700_000_000]),
      [0, 1, 2, 4].flatMap((at) => addresses.map((address) => [address, at])),
    )
    assert.equal(lookups(), 1, 'the name is resolved once')

    const opened = delivery.packets.map(({ text }) =>
      must(openPacket(must(parseEnvelope(Buffer.from(text), { http: 'off' })), keys)),
    )
    for (const what of [new Set(opened.map(({ digest }) => digest)), new Set(opened.map((it) => it.message.random))])
      assert.equal(what.size, 8)
    const ports = opened.map(({ message }) => (message.kind === 'localNatAccess' ? message.ports[0]?.port : undefined))
    assert.ok((ports[0] ?? 0) >= 10_000)
    assert.deepEqual(new Set(ports).size, 1)
  })

  const once_: [string, KnockOptions][] = [
    ['with knocks: 0', { wait: true, knocks: 0 }],
    ['where the wait ends before the second knock', { wait: true, 'wait-limit': 1, knocks: 3 }],
  ]
  for (const [name, options] of once_)
    it(`is sent once ${name}`, async (t) => {
      const { knocked, pass } = await begin(t, options)
      assert.equal(await pass(1), 2)
      for (let i = 0; i < 4; i++) await pass(1)
      const result = await knocked
      assert.ok(!result.ok && result.failure.packets.length === 2)
      assert.match(result.failure.detail, /\([15] s, \d+ attempts\)/)
      assert.ok(result.failure.causes.some((cause) => /it was lost/.test(cause)))
    })

  it('is sent four times by default', async (t) => {
    const { knocked, pass } = await begin(t, { wait: true })
    for (let i = 0; i < 5; i++) await pass(1)
    const result = await knocked
    assert.ok(!result.ok && result.failure.packets.length === 8)
  })

  it('is not repeated after it was ended', async (t) => {
    const end = new AbortController()
    const { knocked, pass, delivery } = await begin(t, { wait: true, signal: end.signal })
    assert.equal(await pass(1), 4)
    end.abort()
    const result = await knocked
    assert.ok(!result.ok && result.failure.code === 'ABORTED')
    assert.equal(result.failure.packets.length, 4)
    await pass(1)
    assert.equal(delivery.packets.length, 4)
  })

  it('is not repeated once the port is open, and the time runs from the first knock', async (t) => {
    const service = createServer((socket) => void socket.on('error', () => {}).resume())
    service.listen(0, '127.0.0.1')
    await once(service, 'listening')
    const address = service.address()
    assert.ok(address !== null && typeof address === 'object')
    service.close()
    await once(service, 'close')
    t.after(() => service.close())
    const { knocked, pass, delivery } = await begin(t, { wait: true, access: `tcp/${address.port}` })
    assert.equal(await pass(1), 4)
    service.listen(address.port, '127.0.0.1')
    await once(service, 'listening')
    await pass(0.25)
    const result = must(await knocked)
    service.close()
    assert.equal(result.open?.already, false)
    assert.equal(result.packets.length, 4)
    for (let i = 0; i < 4; i++) await pass(1)
    assert.equal(delivery.packets.length, 4)
  })

  it('says what became of a later packet that does not leave, and waits on', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] })
    const memory = memoryDelivery()
    let sends = 0
    const delivery = {
      send: (packet: Parameters<typeof memory.send>[0]) =>
        ++sends === 2 ? Promise.resolve(refuse('SEND_FAILED', 'the line is down')) : memory.send(packet),
    }
    const knocked = knock({ ...base, destination: '127.0.0.1', wait: true }, { delivery })
    for (let i = 0; sends === 0 && i < 10_000; i++) await turn()
    for (let i = 0; i < 5; i++) {
      for (let j = 0; j < 20; j++) await turn()
      t.mock.timers.tick(1000)
    }
    const result = await knocked
    assert.ok(!result.ok && result.failure.code === 'PORT_NOT_OPEN')
    assert.deepEqual(
      result.failure.packets.map(({ sent, error }) => [sent, error]),
      [
        [true, undefined],
        [false, 'the line is down'],
        [true, undefined],
        [true, undefined],
      ],
    )
    assert.match(result.failure.detail, /3 knocks/)
  })
})
