import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { milliseconds } from '../units.ts'
import { FairShare } from './fair-share.ts'

const BATCH = 64
const four = (n: number): Uint8Array => Uint8Array.of(10, (n >> 16) & 255, (n >> 8) & 255, n & 255)

/**
 * Lets batches come for a time, the packets of the sources in turn.
 * @param perSecond how many packets are taken. @returns how many of each source were let through.
 */
function run(
  share: FairShare,
  { from, until, perSecond, moreWait }: { from: number; until: number; perSecond: number; moreWait: boolean },
  sourceOf: (n: number) => number,
): Map<number, number> {
  const passed = new Map<number, number>()
  let n = 0
  for (let now = from; now < until; now += (1000 * BATCH) / perSecond) {
    share.begin(BATCH, moreWait, milliseconds(now))
    for (let i = 0; i < BATCH; i++, n++) {
      const source = sourceOf(n)
      if (share.hasRoomFor4(four(source), 0)) passed.set(source, (passed.get(source) ?? 0) + 1)
    }
  }
  return passed
}

const total = (passed: Map<number, number>): number => [...passed.values()].reduce((sum, count) => sum + count, 0)

describe('the share of a source', () => {
  it('is all that it sends, while everything can be opened', () => {
    const share = new FairShare(Math.random)
    const passed = run(share, { from: 0, until: 1000, perSecond: 100_000, moreWait: false }, () => 1)
    assert.ok(total(passed) >= 100_000)
  })

  it('is all of a burst of a thousand', () => {
    const share = new FairShare(Math.random)
    const passed = run(share, { from: 0, until: 10, perSecond: 100_000, moreWait: true }, () => 1)
    assert.ok(total(passed) >= 1000)
  })

  it('falls while packets wait, for those that send most, and for nobody else', () => {
    const share = new FairShare(Math.random)
    // 100 sources flood; another one sends one packet in a thousand.
    const source = (n: number): number => (n % 1000 === 7 ? 999_999 : n % 100)
    run(share, { from: 0, until: 300, perSecond: 300_000, moreWait: true }, source)
    const passed = run(share, { from: 300, until: 400, perSecond: 300_000, moreWait: true }, source)
    assert.ok((passed.get(999_999) ?? 0) >= 29, `${passed.get(999_999)} of 30`)
    assert.ok((passed.get(1) ?? 0) < 60, `${passed.get(1)} of 300`)
  })

  it('is not less for random sources: none of them sends much', () => {
    const share = new FairShare(Math.random)
    const options = { from: 0, until: 500, perSecond: 300_000, moreWait: true }
    const passed = run(share, options, () => Math.floor(Math.random() * 2 ** 24))
    assert.ok(total(passed) > 0.999 * 0.5 * 300_000)
  })

  it('grows again when nothing waits any more', () => {
    const share = new FairShare(Math.random)
    run(share, { from: 0, until: 500, perSecond: 300_000, moreWait: true }, () => 1)
    run(share, { from: 500, until: 1200, perSecond: 50_000, moreWait: false }, () => 1)
    const passed = run(share, { from: 1200, until: 1300, perSecond: 50_000, moreWait: false }, () => 1)
    assert.ok(total(passed) >= 5000)
  })

  it('is one for an IPv6 network of 64 bits, and one for each IPv4 address in IPv6 form', () => {
    const six = (network: number, host: number): Uint8Array =>
      Uint8Array.of(0x20, 1, 0xd, 0xb8, 0, 0, 0, network, 0, 0, 0, 0, 0, 0, host >> 8, host & 255)
    const mapped = (host: number): Uint8Array =>
      Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, host >> 8, host & 255)
    const share = new FairShare(Math.random)
    run(share, { from: 0, until: 500, perSecond: 300_000, moreWait: true }, () => 1)
    share.begin(0, false, milliseconds(501))
    const passed = (address: (i: number) => Uint8Array): number =>
      Array.from({ length: 100 }, (_, i) => share.hasRoomFor6(address(i), 0)).filter(Boolean).length
    assert.ok(passed((i) => six(1, i)) < 50)
    assert.ok(passed((i) => six(i, 1)) > 90)
    assert.ok(passed(mapped) > 90)
  })
})
