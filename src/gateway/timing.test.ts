/**
 * No time tells whether a packet went out. A short form of the measure `gateway-timing` (`npm run bench`), which takes
 * a hundred times as many samples.
 */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { answerTimes, KINDS } from '../../test/support/gateway-timing.ts'
import { sameDistribution } from '../../test/support/kolmogorov-smirnov.ts'

const ROUNDS = 200
/** A chance of one in ten thousand, and then it is tried again. */
const UNLIKELY = 1e-4

it('answers of packets that go out, and of packets that do not, take the same time', async () => {
  for (const isLast of [false, true]) {
    const times = await answerTimes(ROUNDS)
    // What this many samples can see: more time by as much as the middle half of them is spread.
    const sorted = times.office.toSorted((a, b) => a - b)
    const spread = (sorted[(ROUNDS * 3) / 4] ?? 0) - (sorted[ROUNDS / 4] ?? 0)
    const slower = times.office.map((time) => time + spread)
    assert.ok(sameDistribution(times.office, slower) < UNLIKELY, 'the statistic sees nothing')
    const least = Math.min(...KINDS.map((kind) => sameDistribution(times.office, times[kind])))
    if (least >= UNLIKELY) return
    assert.ok(!isLast, `they differ: a chance of ${least}`)
  }
})

it('the statistic knows samples of one distribution from samples of two', () => {
  const sample = (shift: number): number[] => Array.from({ length: 500 }, () => Math.random() + shift)
  assert.ok(sameDistribution(sample(0), sample(0)) > 1e-6)
  assert.ok(sameDistribution(sample(0), sample(0.3)) < 1e-6)
})
