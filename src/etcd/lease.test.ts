/** Each who waits for a lease waits for its own time. Another may have asked for it with less. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { type Milliseconds, milliseconds, seconds } from '../units.ts'
import type { EtcdAnswer } from './call.ts'
import { Leases } from './lease.ts'

const clocks = { monotonic: () => milliseconds(performance.now()), wall: () => milliseconds(Date.now()) }
const lease = (id: number): EtcdAnswer => ({ kind: 'answer', value: { ID: `${id}` } })

/** @param answers to one request after the other. Absent: none comes in the time of the request. */
function leases(...answers: ({ readonly after: number; readonly answer: EtcdAnswer } | undefined)[]) {
  const limits: Milliseconds[] = []
  const ask = async (_: unknown, __: unknown, limit: Milliseconds): Promise<EtcdAnswer> => {
    const next = answers[limits.length]
    limits.push(limit)
    await delay(Math.min(limit, next?.after ?? limit))
    return next === undefined || next.after > limit ? { kind: 'silence', why: 'no answer in time' } : next.answer
  }
  return { made: new Leases({ ask }, seconds(840), clocks), limits }
}

describe('a lease', () => {
  it('that one asked for with 5 ms left comes to those who joined it and have time, by one more request', async () => {
    const { made, limits } = leases(undefined, { after: 30, answer: lease(7) })
    const all = await Promise.all([5, 3000, 3000, 2000].map((limit) => made.current(milliseconds(limit))))
    assert.deepEqual(
      all.map((one) => one.ok && one.value.id),
      [false, '7', '7', '7'],
    )
    assert.equal(limits.length, 2)
    assert.ok((limits[1] ?? 0) > 1000, `${limits}`)
  })

  it('is not waited for longer than one has time', async () => {
    const { made, limits } = leases({ after: 300, answer: lease(7) })
    const long = made.current(milliseconds(3000))
    const began = performance.now()
    const short = await made.current(milliseconds(20))
    assert.ok(!short.ok && performance.now() - began < 200)
    assert.ok((await long).ok)
    assert.equal(limits.length, 1)
  })

  it('that etcd refuses is not asked for again by each who waits', async () => {
    const refused: EtcdAnswer = { kind: 'refused', code: 7, why: 'permission denied' }
    const { made, limits } = leases({ after: 5, answer: refused }, { after: 5, answer: lease(7) })
    const all = await Promise.all(Array.from({ length: 20 }, () => made.current(milliseconds(3000))))
    assert.ok(all.every((one) => !one.ok && one.failure.detail === 'permission denied'))
    assert.equal(limits.length, 1)
  })

  it('that does not come is given up by each in its time', async () => {
    const { made, limits } = leases()
    const began = performance.now()
    const all = await Promise.all([5, 40, 80, 80].map((limit) => made.current(milliseconds(limit))))
    assert.ok(all.every((one) => !one.ok))
    assert.ok(performance.now() - began < 1000)
    assert.ok(limits.length <= 4, `${limits}`)
  })
})
