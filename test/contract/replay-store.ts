/** What every replay store promises. `replay-store.test.ts` runs it against each. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, test } from 'node:test'
import type { FwknopDigest, ReplayDigest } from '../../src/packet/replay-digest.ts'
import type { Claim, ReplayStore } from '../../src/replay/replay-store.ts'
import { type Seconds, seconds, unixSeconds } from '../../src/units.ts'

export const T0 = 1_800_000_000
export const at = unixSeconds

/** A claim for the packet called `name`, made at `timestamp`. */
export function claimOf(name: string, timestamp: number = T0): Claim {
  const hash = (text: string): string => createHash('sha256').update(text).digest('base64').replace('=', '')
  return {
    digest: hash(name) as ReplayDigest,
    fwknopDigest: hash(`wire text of ${name}`) as FwknopDigest,
    timestamp: at(timestamp),
  }
}

/** The answers, with the failure in the message where there are none. */
export async function answers(store: ReplayStore, claims: readonly Claim[], now: number): Promise<readonly string[]> {
  const result = await store.claim(claims, at(now))
  if (!result.ok) assert.fail(`${result.failure.code}: ${result.failure.detail}`)
  return result.value
}

/** @param open an empty store; what it needs beyond memory goes away when the test ends. */
export function replayStoreContract(
  name: string,
  open: (options: { maxAge: Seconds | 'unlimited' }) => Promise<ReplayStore> | ReplayStore,
): void {
  describe(`replay store contract: ${name}`, () => {
    test('a packet is first once', async () => {
      const store = await open({ maxAge: seconds(120) })
      assert.deepEqual(await answers(store, [claimOf('a')], T0), ['first'])
      assert.deepEqual(await answers(store, [claimOf('a')], T0), ['replayed'])
      assert.deepEqual(await answers(store, [claimOf('b')], T0), ['first'])
      assert.equal(store.size(), 2)
      await store.close()
    })

    test('two copies within one call are first and replayed, in order', async () => {
      const store = await open({ maxAge: seconds(120) })
      const claims = [claimOf('a'), claimOf('b'), claimOf('a'), claimOf('c'), claimOf('b')]
      assert.deepEqual(await answers(store, claims, T0), ['first', 'first', 'replayed', 'first', 'replayed'])
      await store.close()
    })

    test('of many copies claimed at once exactly one is first', async () => {
      const store = await open({ maxAge: seconds(120) })
      const all = await Promise.all(Array.from({ length: 50 }, () => answers(store, [claimOf('a')], T0)))
      assert.equal(all.flat().filter((answer) => answer === 'first').length, 1)
      await store.close()
    })

    test('no claims, no answers', async () => {
      const store = await open({ maxAge: seconds(120) })
      assert.deepEqual(await answers(store, [], T0), [])
      await store.close()
    })

    test('a copy that claims another time is still the same packet', async () => {
      const store = await open({ maxAge: seconds(120) })
      await answers(store, [claimOf('a', T0)], T0)
      assert.deepEqual(await answers(store, [claimOf('a', T0 + 60)], T0), ['replayed'])
      await store.close()
    })

    test('a packet is remembered to the last second in which its age would pass', async () => {
      const store = await open({ maxAge: seconds(120) })
      await answers(store, [claimOf('a', T0)], T0)
      await answers(store, [claimOf('b', T0 + 120)], T0 + 120)
      assert.equal(store.size(), 2)
      await answers(store, [claimOf('c', T0 + 121)], T0 + 121)
      assert.equal(store.size(), 2)
      await store.close()
    })

    test('a packet dated in the future is remembered until its own time has passed', async () => {
      const store = await open({ maxAge: seconds(120) })
      await answers(store, [claimOf('a', T0 + 3600)], T0)
      await answers(store, [claimOf('b', T0 + 3720)], T0 + 3720)
      assert.deepEqual(await answers(store, [claimOf('a', T0 + 3600)], T0 + 3720), ['replayed'])
      await store.close()
    })

    test('a clock set back does not make a forgotten packet new', async () => {
      const store = await open({ maxAge: seconds(120) })
      await answers(store, [claimOf('a', T0)], T0)
      await answers(store, [claimOf('b', T0 + 500)], T0 + 500)
      assert.equal(store.size(), 1)
      assert.deepEqual(await answers(store, [claimOf('a', T0)], T0), ['replayed'])
      await store.close()
    })

    test('a clock that was a year fast locks nobody out once it is right', async () => {
      const store = await open({ maxAge: seconds(120) })
      const year = 31_536_000
      await answers(store, [claimOf('a', T0)], T0)
      await answers(store, [claimOf('b', T0 + 10)], T0 + year)
      assert.deepEqual(await answers(store, [claimOf('c', T0 + 20)], T0 + 20), ['first'])
      assert.deepEqual(await answers(store, [claimOf('a', T0), claimOf('b', T0 + 10)], T0 + 20), [
        'replayed',
        'replayed',
      ])
      await store.close()
    })

    test('a packet dated a year ahead locks nobody out, also if the clock jumps past it and back', async () => {
      const store = await open({ maxAge: seconds(120) })
      const year = 31_536_000
      await answers(store, [claimOf('ahead', T0 + year), claimOf('a', T0)], T0)
      await answers(store, [claimOf('b', T0 + 10)], T0 + year + 500)
      assert.equal(store.size(), 0)
      assert.deepEqual(await answers(store, [claimOf('c', T0 + 20)], T0 + 20), ['first'])
      // The past is used all the same, and so is the packet dated ahead when its time has come.
      const used = [claimOf('a', T0), claimOf('b', T0 + 10), claimOf('c', T0 + 20), claimOf('ahead', T0 + year)]
      assert.deepEqual(await answers(store, used, T0 + 20), ['replayed', 'replayed', 'replayed', 'replayed'])
      assert.deepEqual(await answers(store, [claimOf('ahead', T0 + year)], T0 + year), ['replayed'])
      await store.close()
    })

    test('what was used while the clock was a year ahead stays used, and locks nobody out before', async () => {
      const store = await open({ maxAge: seconds(120) })
      const then = T0 + 31_536_000
      await answers(store, [claimOf('a', T0)], T0)
      for (let second = 0; second < 600; second += 100)
        assert.deepEqual(await answers(store, [claimOf(`x${second}`, then + second)], then + second), ['first'])
      // The clock is put right. What was forgotten meanwhile and what was not are both used.
      assert.deepEqual(await answers(store, [claimOf('b', T0 + 20)], T0 + 20), ['first'])
      assert.deepEqual(await answers(store, [claimOf('a', T0), claimOf('b', T0 + 20)], T0 + 20), [
        'replayed',
        'replayed',
      ])
      for (let second = 0; second < 600; second += 100)
        assert.deepEqual(await answers(store, [claimOf(`x${second}`, then + second)], then + second), ['replayed'])
      await store.close()
    })

    test('a clock that was ahead does not keep the store from forgetting once it is right', async () => {
      const store = await open({ maxAge: seconds(10) })
      await answers(store, [claimOf('a', T0)], T0 + 31_536_000)
      for (let second = 0; second < 100; second++)
        await answers(store, [claimOf(`x${second}`, T0 + 100 + second)], T0 + 100 + second)
      assert.equal(store.size(), 11)
      await store.close()
    })

    test('without aging nothing is forgotten', async () => {
      const store = await open({ maxAge: 'unlimited' })
      await answers(store, [claimOf('a', 0), claimOf('b', T0)], T0)
      assert.deepEqual(await answers(store, [claimOf('a', 0)], T0 * 2), ['replayed'])
      assert.equal(store.size(), 2)
      await store.close()
    })

    test('a steady stream keeps the store at the size of its window', async () => {
      const store = await open({ maxAge: seconds(10) })
      for (let second = 0; second < 100; second++) {
        await answers(store, [claimOf(`x${second}`, T0 + second), claimOf(`y${second}`, T0 + second)], T0 + second)
      }
      assert.equal(store.size(), 22)
      await store.close()
    })
  })
}
