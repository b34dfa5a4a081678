/** The promises of every replay store. `replay-store.test.ts` runs it for each. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, test } from 'node:test'
import type { KeyringName } from '../../src/access/keyring.ts'
import type { FwknopDigest, ReplayDigest } from '../../src/packet/replay-digest.ts'
import type { GateOptions } from '../../src/replay/claim-gate.ts'
import type { Claim, ReplayStore } from '../../src/replay/replay-store.ts'
import { MOST_TURNED_AWAY } from '../../src/replay/turned-away.ts'
import { seconds, unixSeconds } from '../../src/units.ts'

export const T0 = 1_800_000_000
export const at = unixSeconds

/** A claim for the packet called `name`, made at `timestamp`. */
export function claimOf(name: string, timestamp: number = T0, keyring = 'one key'): Claim {
  const hash = (text: string): string => createHash('sha256').update(text).digest('base64').replace('=', '')
  return {
    digest: hash(name) as ReplayDigest,
    fwknopDigest: hash(`wire text of ${name}`) as FwknopDigest,
    timestamp: at(timestamp),
    keyring: keyring as KeyringName,
  }
}

/** The answers, and the codes of failures; the message has the failure if there are no answers. */
export async function answers(store: ReplayStore, claims: readonly Claim[], now: number): Promise<readonly string[]> {
  const result = await store.claim(claims, at(now))
  if (!result.ok) assert.fail(`${result.failure.code}: ${result.failure.detail}`)
  return result.value.map((answer) => (typeof answer === 'string' ? answer : answer.code))
}

/** @param open an empty store; its files are removed when the test ends. */
export function replayStoreContract(
  name: string,
  open: (options: GateOptions) => Promise<ReplayStore> | ReplayStore,
): void {
  describe(`replay store contract: ${name}`, () => {
    test('a packet is first once', async () => {
      const store = await open({ maxAge: seconds(120) })
      assert.deepEqual(await answers(store, [claimOf('a')], T0), ['first'])
      assert.deepEqual(await answers(store, [claimOf('a')], T0), ['replayed'])
      assert.deepEqual(await answers(store, [claimOf('b')], T0), ['first'])
      assert.equal(await store.size(), 2)
      await store.close()
    })

    test('two copies within one call are first and replayed, in order', async () => {
      const store = await open({ maxAge: seconds(120) })
      const claims = [claimOf('a'), claimOf('b'), claimOf('a'), claimOf('c'), claimOf('b')]
      assert.deepEqual(await answers(store, claims, T0), ['first', 'first', 'replayed', 'first', 'replayed'])
      await store.close()
    })

    test('what a call will answer is told to it before, once', async () => {
      const store = await open({ maxAge: seconds(120) })
      const decided: (readonly unknown[])[] = []
      const told = (claims: readonly Claim[]) => store.claim(claims, at(T0), (answers) => decided.push(answers))
      const [one, other] = [told([claimOf('a'), claimOf('a')]), told([claimOf('b')])]
      assert.deepEqual(await one, { ok: true, value: ['first', 'replayed'] })
      assert.deepEqual(await other, { ok: true, value: ['first'] })
      assert.deepEqual(decided, [['first', 'replayed'], ['first']])
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

    test('a packet is remembered to the last second in which its age would pass', async () => {
      const store = await open({ maxAge: seconds(120) })
      await answers(store, [claimOf('a', T0)], T0)
      await answers(store, [claimOf('b', T0 + 120)], T0 + 120)
      assert.equal(await store.size(), 2)
      await answers(store, [claimOf('c', T0 + 121)], T0 + 121)
      assert.equal(await store.size(), 2)
      await store.close()
    })

    test('what is dated outside of the window, by a second or by 28 000 years, leaves no entry', async () => {
      const store = await open({ maxAge: seconds(120) })
      const times = [T0 - 121, T0 + 121, T0 + 3600, 0, 999_999_999_999]
      const misdated = times.map((time) => claimOf(`at ${time}`, time))
      const timely = [claimOf('oldest', T0 - 120), claimOf('newest', T0 + 120)]
      assert.deepEqual(await answers(store, [...misdated, ...timely], T0), [
        ...times.map(() => 'misdated'),
        ...['first', 'first'],
      ])
      assert.equal(await store.size(), 2)
      for (let batch = 0; batch < 10; batch++) {
        const flood = Array.from({ length: 1000 }, (_, i) =>
          claimOf(`flood ${batch}.${i}`, T0 + 10 ** 9 + 1000 * batch + i),
        )
        assert.ok((await answers(store, flood, T0)).every((answer) => answer === 'misdated'))
      }
      assert.equal(await store.size(), 2)
      await store.close()
    })

    test('a packet that was refused for its date is not taken later from somebody who saw it, nor can another key make that so', async () => {
      const store = await open({ maxAge: seconds(120) })
      const [early, late] = [claimOf('early', T0 + 3600), claimOf('late', T0 - 3600)]
      assert.deepEqual(await answers(store, [early, late], T0), ['misdated', 'misdated'])
      const flood = Array.from({ length: 1000 }, (_, i) => claimOf(`flood ${i}`, T0 + 3600 + i, 'another key'))
      await answers(store, flood, T0)
      assert.deepEqual(await answers(store, [late], T0 - 3600), ['replayed'])
      assert.deepEqual(await answers(store, [early], T0 + 3600), ['replayed'])
      await store.close()
    })

    test('of what was refused for its date, the newest of each key are remembered', async () => {
      const store = await open({ maxAge: seconds(120) })
      const claims = Array.from({ length: MOST_TURNED_AWAY + 10 }, (_, i) => claimOf(`early ${i}`, T0 + 3600))
      await answers(store, claims, T0)
      const later = await answers(store, claims, T0 + 3600)
      assert.deepEqual(
        later,
        claims.map((_, i) => (i < 10 ? 'first' : 'replayed')),
      )
      await store.close()
    })

    test('a key has a share of the entries: its next packets are refused, those of others are not', async () => {
      const store = await open({ maxAge: seconds(120), share: 10 })
      const many = Array.from({ length: 12 }, (_, i) => claimOf(`k1 ${i}`, T0 + 10 * i, 'k1'))
      const both = [...many.slice(0, 11), claimOf('k2', T0, 'k2'), ...many.slice(11)]
      assert.deepEqual(await answers(store, both, T0), [
        ...new Array(10).fill('first'),
        ...['REPLAY_STORE_FULL', 'first', 'REPLAY_STORE_FULL'],
      ])
      assert.equal(await store.size(), 11)
      // A refused packet was not recorded: it is still unused. Sending a used packet again uses up nothing.
      assert.deepEqual(await answers(store, many.slice(10), T0 + 120), ['REPLAY_STORE_FULL', 'REPLAY_STORE_FULL'])
      assert.deepEqual(await answers(store, many.slice(9), T0 + 131), ['replayed', 'first', 'first'])
      assert.equal(await store.size(), 10)
      await store.close()
    })

    test('copies of one packet count once towards the share of its key', async () => {
      const store = await open({ maxAge: seconds(120), share: 2 })
      for (let i = 0; i < 5; i++) await answers(store, [claimOf('a')], T0)
      assert.deepEqual(await answers(store, [claimOf('b')], T0), ['first'])
      await store.close()
    })

    test('a share that was used up while the clock was wrong is not used up once it is right', async () => {
      const store = await open({ maxAge: seconds(120), share: 2 })
      const then = T0 + 31_536_000
      await answers(store, [claimOf('x', then), claimOf('y', then)], then)
      assert.deepEqual(await answers(store, [claimOf('z', then)], then), ['REPLAY_STORE_FULL'])
      assert.deepEqual(await answers(store, [claimOf('a', T0)], T0), ['first'])
      await store.close()
    })

    test('without aging, a share is one of a day', async () => {
      const store = await open({ maxAge: 'unlimited', share: 2 })
      const claims = [claimOf('a', 0), claimOf('b', T0 * 2), claimOf('c', T0)]
      assert.deepEqual(await answers(store, claims, T0), ['first', 'first', 'REPLAY_STORE_FULL'])
      assert.deepEqual(await answers(store, [claimOf('c', T0)], T0 + 86_401), ['first'])
      assert.equal(await store.size(), 3)
      await store.close()
    })

    test('60 packets dated ahead, and then a clock that is 90 minutes ahead for a while, lock nobody out afterwards', async () => {
      const store = await open({ maxAge: seconds(120) })
      const ahead = Array.from({ length: 60 }, (_, i) => claimOf(`ahead ${i}`, T0 + 60 * (i + 1), 'k1'))
      await answers(store, ahead, T0)
      await answers(store, [claimOf('meanwhile', T0 + 5400, 'k1'), ...ahead], T0 + 5400)
      const refused: number[] = []
      for (let after = 0; after < 3600; after += 7) {
        const [answer] = await answers(store, [claimOf(`honest ${after}`, T0 + after)], T0 + after)
        if (answer !== 'first') refused.push(after)
      }
      // Two of the sixty were within the window, and were used: their times are the only forgotten times.
      assert.ok(
        refused.every((after) => after >= 60 && after <= 120),
        `refused at ${refused}`,
      )
      assert.deepEqual(await answers(store, ahead, T0 + 60), [
        ...['replayed', 'replayed'],
        ...['replayed', ...new Array(57).fill('misdated')],
      ])
      await store.close()
    })

    test('a clock set back does not make a forgotten packet new', async () => {
      const store = await open({ maxAge: seconds(120) })
      await answers(store, [claimOf('a', T0)], T0)
      await answers(store, [claimOf('b', T0 + 500)], T0 + 500)
      assert.equal(await store.size(), 1)
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
      assert.deepEqual(await answers(store, [claimOf('ahead', T0 + year), claimOf('a', T0)], T0), ['misdated', 'first'])
      await answers(store, [claimOf('b', T0 + year + 500)], T0 + year + 500)
      assert.equal(await store.size(), 1)
      assert.deepEqual(await answers(store, [claimOf('c', T0 + 20)], T0 + 20), ['first'])
      // Packets of the past stay used. So does the packet dated ahead, once its time has come.
      assert.deepEqual(await answers(store, [claimOf('a', T0), claimOf('c', T0 + 20)], T0 + 20), [
        'replayed',
        'replayed',
      ])
      const later = [claimOf('ahead', T0 + year), claimOf('b', T0 + year + 500)]
      assert.deepEqual(await answers(store, later, T0 + year + 500), ['misdated', 'replayed'])
      assert.deepEqual(await answers(store, later, T0 + year), ['replayed', 'misdated'])
      await store.close()
    })

    test('what was used while the clock was a year ahead stays used, and locks nobody out before', async () => {
      const store = await open({ maxAge: seconds(120) })
      const then = T0 + 31_536_000
      await answers(store, [claimOf('a', T0)], T0)
      for (let second = 0; second < 600; second += 100)
        assert.deepEqual(await answers(store, [claimOf(`x${second}`, then + second)], then + second), ['first'])
      // The clock is corrected. Both the forgotten packets and the others are used.
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
      assert.equal(await store.size(), 11)
      await store.close()
    })

    test('without aging nothing is forgotten', async () => {
      const store = await open({ maxAge: 'unlimited' })
      await answers(store, [claimOf('a', 0), claimOf('b', T0)], T0)
      assert.deepEqual(await answers(store, [claimOf('a', 0)], T0 * 2), ['replayed'])
      assert.equal(await store.size(), 2)
      await store.close()
    })

    test('a steady stream keeps the store at the size of its window', async () => {
      const store = await open({ maxAge: seconds(10) })
      for (let second = 0; second < 100; second++) {
        await answers(store, [claimOf(`x${second}`, T0 + second), claimOf(`y${second}`, T0 + second)], T0 + second)
      }
      assert.equal(await store.size(), 22)
      await store.close()
    })
  })
}
