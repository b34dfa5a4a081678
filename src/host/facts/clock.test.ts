import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { hostOf } from '../../../test/support/host-of-values.ts'
import { known } from '../known.ts'
import { systemLooker } from '../system-looker.ts'
import { lookAtClock, lookAtHardwareClock, parseTimex, TIMEX_LENGTH } from './clock.ts'

/** @param status STA_UNSYNC is 0x40. @param error in µs. */
function timex(status: number, error: bigint): Uint8Array {
  const view = new DataView(new ArrayBuffer(TIMEX_LENGTH))
  view.setInt32(40, status, true)
  view.setBigInt64(24, error, true)
  return new Uint8Array(view.buffer)
}

describe('the clock', () => {
  for (const [what, status, state, wanted] of [
    ['kept right', 0x2001, 0, { synchronised: true, largestError: 0.25 }],
    ['not kept right', 0x40, 5, { synchronised: false, largestError: 0.25 }],
    ['not kept right, before the kernel calls that an error', 0x40, 0, { synchronised: false, largestError: 0.25 }],
  ] as const)
    it(what, () => {
      assert.deepEqual(parseTimex(timex(status, 250_000n), state), { known: true, value: wanted })
    })

  it('is not known from too few bytes, or without adjtimex', () => {
    assert.equal(parseTimex(new Uint8Array(8), 0).known, false)
    assert.deepEqual(lookAtClock(hostOf({})), { known: false, because: 'no clock' })
  })

  it('of this host answers', () => {
    const found = lookAtClock(systemLooker())
    assert.ok(found.known, JSON.stringify(found))
    assert.ok(found.value.largestError >= 0 && found.value.largestError < 100)
  })

  it('that runs while the host is off may be absent', () => {
    const sys = { '/sys/class/net/lo': '' }
    assert.deepEqual(lookAtHardwareClock(hostOf({ files: sys })), known({ clocks: [] }))
    const rtc = { ...sys, '/sys/class/rtc/rtc0/name': 'rtc_cmos\n' }
    assert.deepEqual(lookAtHardwareClock(hostOf({ files: rtc })), known({ clocks: ['rtc0'] }))
    assert.equal(lookAtHardwareClock(hostOf({})).known, false)
  })
})
