/** However claims are batched, interleaved and repeated: a packet is first exactly once. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import fc from 'fast-check'
import { memoryReplayStore } from '../../src/replay/memory.ts'
import type { ReplayStore } from '../../src/replay/replay-store.ts'
import { openSqliteReplayStore } from '../../src/replay/sqlite.ts'
import { type Seconds, seconds } from '../../src/units.ts'
import { answers, claimOf, T0 } from '../contract/replay-store.ts'

const directory = mkdtempSync(join(tmpdir(), 'ghostport-replay-'))
after(() => rmSync(directory, { recursive: true }))
let opened = 0
function sqlite(maxAge: Seconds | 'unlimited' = seconds(60), name: string = `${opened++}.db`): ReplayStore {
  const store = openSqliteReplayStore({ path: join(directory, name), maxAge })
  if (!store.ok) throw new Error(store.failure.detail)
  return store.value
}

/** A packet has one timestamp for its life: `packet n` was made at T0 + 7n. The clock moves freely. */
const batch = fc.record({
  packets: fc.array(fc.nat(30), { maxLength: 8 }),
  clock: fc.integer({ min: -300, max: 600 }),
  /** Whether the next batch is claimed before this one is answered. */
  together: fc.boolean(),
})

for (const [name, open] of [
  ['memory', () => memoryReplayStore({ maxAge: seconds(60) })],
  ['sqlite', () => sqlite()],
] as const) {
  test(`${name}: a packet is first at most once, whatever the clock does, and exactly once if nothing was forgotten`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(batch, { maxLength: 20 }), async (batches) => {
        const store = open()
        const firsts = new Map<number, number>()
        /** Packets that had the right age when they first came. The others stay refused. */
        const [timely, misdated] = [new Set<number>(), new Set<number>()]
        let waiting: Promise<void>[] = []
        for (const { packets, clock, together } of batches) {
          const claims = packets.map((packet) => claimOf(`packet ${packet}`, T0 + 7 * packet))
          for (const packet of packets) {
            const isTimely = Math.abs(7 * packet - clock) <= 60
            if (!timely.has(packet) && !misdated.has(packet)) (isTimely ? timely : misdated).add(packet)
          }
          const done = answers(store, claims, T0 + clock).then((given) => {
            assert.equal(given.length, packets.length)
            for (const [i, answer] of given.entries()) {
              const packet = packets[i] ?? -1
              if (answer === 'first') firsts.set(packet, (firsts.get(packet) ?? 0) + 1)
            }
          })
          waiting.push(done)
          if (!together) await Promise.all(waiting.splice(0))
        }
        await Promise.all(waiting)
        waiting = []
        await store.close()
        for (const count of firsts.values()) assert.equal(count, 1)
        const forgotten = Math.max(...batches.map(({ clock }) => clock), -300) > 60
        if (!forgotten) assert.deepEqual(new Set(firsts.keys()), timely)
      }),
      { numRuns: name === 'sqlite' ? 60 : 300 },
    )
  })
}

const restart = fc.constantFrom<Seconds | 'unlimited'>(seconds(10), seconds(60), seconds(400), 'unlimited')

test('sqlite: a packet is first at most once, whatever the clock, the window and aging are after each restart', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.oneof(batch, restart), { maxLength: 30 }), async (steps) => {
      const name = `${opened++}.db`
      let store = sqlite(seconds(60), name)
      const firsts = new Set<number>()
      for (const step of steps) {
        if (typeof step !== 'object') {
          await store.close()
          store = sqlite(step, name)
          continue
        }
        const claims = step.packets.map((packet) => claimOf(`packet ${packet}`, T0 + 7 * packet))
        const given = await answers(store, claims, T0 + step.clock)
        for (const [i, packet] of step.packets.entries()) {
          if (given[i] !== 'first') continue
          assert.ok(!firsts.has(packet), `packet ${packet} was first twice`)
          firsts.add(packet)
        }
      }
      await store.close()
    }),
    { numRuns: 60 },
  )
})
