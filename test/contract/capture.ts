/** The promises of every capture. Call it once for each implementation. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { CapturedPacket, EventCapture, OtherCarrier, Via } from '../../src/capture/capture.ts'
import { LOOPBACK_INDEX } from '../../src/capture/disbelief.ts'
import type { Port } from '../../src/units.ts'

export interface CaptureFixture extends AsyncDisposable {
  readonly capture: EventCapture
  /** Both are captured. */
  readonly ports: readonly [Port, Port]
  /** Sends a datagram between these addresses of the captured host. @returns the source port. */
  send(payload: Uint8Array, address: '127.0.0.1' | '::1', port: Port): Promise<number>
}

export interface CaptureTraits {
  /** Why it cannot be tested here. */
  readonly skip?: string | false
  /** What its packets say of how they came. */
  readonly via: Via
  /** And the interface where it arrived, if it is no socket of TCP. */
  readonly knowsDestination: boolean
  readonly carrier?: OtherCarrier
  /** Leaves out other ports and payloads outside {@link CONTRACT_BOUNDS}. */
  readonly filters: boolean
  /** Packets that come before it runs wait for it. */
  readonly opensEarly: boolean
}

/** In bytes. */
export const CONTRACT_BOUNDS = { minimumPayload: 100, maximumPayload: 1400 }

export function captureContract(name: string, traits: CaptureTraits, create: () => Promise<CaptureFixture>): void {
  const { skip = false } = traits
  const options = { skip, timeout: 120_000 }

  describe(`capture: ${name}`, { concurrency: 1 }, () => {
    it('hands on what was sent, with where it came from and went to', options, async () => {
      await using fixture = await create()
      await using running = await start(fixture.capture)
      const expected: unknown[] = []
      for (const address of ['127.0.0.1', '::1'] as const)
        for (const port of fixture.ports) {
          const payload = new Uint8Array(150).map((_, i) => (i * 7 + port) & 0xff)
          const sourcePort = await fixture.send(payload, address, port)
          const arrived =
            traits.carrier === undefined ? { interfaceIndex: LOOPBACK_INDEX } : { carrier: traits.carrier }
          const known = traits.knowsDestination ? { destination: address, ...arrived } : {}
          expected.push({ via: traits.via, payload, source: address, sourcePort, ...known, destinationPort: port })
          await running.received(expected.length)
        }
      assert.deepEqual(running.packets.map(plain), expected)
      assert.equal(running.readyCalls, 1)
    })

    it('hands on each packet of a burst once, in order, and counts them', options, async () => {
      await using fixture = await create()
      await using running = await start(fixture.capture)
      for (let i = 0; i < 1000; i++) await fixture.send(numbered(i), '127.0.0.1', fixture.ports[0])
      await running.received(1000)
      assert.deepEqual(
        running.packets.map(({ payload }) => numberOf(payload)),
        Array.from({ length: 1000 }, (_, i) => i),
      )
      assert.deepEqual(fixture.capture.counters(), { received: 1000, dropped: 0 })
    })

    it('gives payloads away: later packets do not overwrite them', options, async () => {
      await using fixture = await create()
      await using running = await start(fixture.capture)
      for (let i = 0; i < 300; i++) {
        await fixture.send(numbered(i), '127.0.0.1', fixture.ports[0])
        if (i % 10 === 0) await running.received(i + 1)
      }
      await running.received(300)
      for (const [i, { payload }] of running.packets.entries()) assert.deepEqual(new Uint8Array(payload), numbered(i))
    })

    it('resolves when it is told to stop, promptly, and hands on nothing afterwards', options, async () => {
      await using fixture = await create()
      await using running = await start(fixture.capture)
      await fixture.send(numbered(0), '::1', fixture.ports[0])
      await running.received(1)
      const aborted = performance.now()
      await running.stop()
      assert.ok(performance.now() - aborted < 10_000)
      await fixture.send(numbered(1), '127.0.0.1', fixture.ports[0]).catch(() => {})
      await delay(20)
      assert.equal(running.packets.length, 1)
    })

    it('does not begin when it is told to stop before', options, async () => {
      await using fixture = await create()
      await fixture.capture.run(
        () => assert.fail('delivered'),
        AbortSignal.abort(),
        () => assert.fail('ready'),
      )
    })

    if (traits.filters)
      it('leaves alone other ports and unlikely lengths', options, async () => {
        await using fixture = await create()
        await using running = await start(fixture.capture)
        const [port] = fixture.ports
        const { minimumPayload: shortest, maximumPayload: longest } = CONTRACT_BOUNDS
        for (const address of ['127.0.0.1', '::1'] as const) {
          await fixture.send(new Uint8Array(0), address, port)
          await fixture.send(new Uint8Array(shortest - 1), address, port)
          await fixture.send(new Uint8Array(longest + 1), address, port)
          await fixture.send(new Uint8Array(shortest), address, (port + 1) as Port).catch(() => {})
          await fixture.send(new Uint8Array(shortest), address, port)
          await fixture.send(new Uint8Array(longest), address, port)
        }
        await running.received(4)
        assert.deepEqual(
          running.packets.map(({ payload }) => payload.length),
          [shortest, longest, shortest, longest],
        )
        assert.equal(fixture.capture.counters().received, 4)
      })

    if (traits.opensEarly)
      it('keeps what comes before it runs', options, async () => {
        await using fixture = await create()
        for (let i = 0; i < 1000; i++) await fixture.send(numbered(i), '127.0.0.1', fixture.ports[1])
        await using running = await start(fixture.capture)
        await running.received(1000)
        assert.deepEqual(
          running.packets.map(({ payload }) => numberOf(payload)),
          Array.from({ length: 1000 }, (_, i) => i),
        )
      })
  })
}

export interface Running extends AsyncDisposable {
  /** All that was delivered so far. */
  readonly packets: readonly CapturedPacket[]
  readonly readyCalls: number
  /** Waits until this many were delivered. @throws AssertionError after 5 s. */
  received(count: number): Promise<void>
  stop(): Promise<void>
}

/** Runs a capture in the background; resolves when it is ready. */
export async function start(capture: EventCapture): Promise<Running> {
  const packets: CapturedPacket[] = []
  const stopped = new AbortController()
  let readyCalls = 0
  const { ready, ended } = await new Promise<{ ready: boolean; ended: Promise<void> }>((resolve) => {
    const ended = capture.run(
      (batch) => packets.push(...batch),
      stopped.signal,
      () => {
        readyCalls++
        setImmediate(() => resolve({ ready: true, ended }))
      },
    )
    ended.catch(() => resolve({ ready: false, ended }))
  })
  if (!ready) await ended
  return {
    packets,
    get readyCalls() {
      return readyCalls
    },
    async received(count) {
      const deadline = performance.now() + 20_000
      while (packets.length < count) {
        assert.ok(performance.now() < deadline, `${packets.length} of ${count} packets were delivered`)
        await delay(1)
      }
      // Packets that this host sends are believed, with checksums filled in by the host or the device.
      assert.deepEqual(
        packets.flatMap(({ doubt }) => doubt ?? []),
        [],
      )
    },
    async stop() {
      stopped.abort()
      await ended
    },
    async [Symbol.asyncDispose]() {
      stopped.abort()
      await ended.catch(() => {})
    },
  }
}

/** In a common shape: a Buffer is a Uint8Array too, but not to deepEqual. */
function plain(packet: CapturedPacket): unknown {
  return { ...packet, payload: new Uint8Array(packet.payload) }
}

export function numbered(n: number): Uint8Array {
  const payload = new Uint8Array(200).fill(n & 0xff)
  new DataView(payload.buffer).setUint32(0, n)
  return payload
}

export function numberOf(payload: Uint8Array): number {
  return new DataView(payload.buffer, payload.byteOffset).getUint32(0)
}
