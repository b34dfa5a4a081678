/** What is on its way to etcd: the latest of each name comes last, and what failed is tried again. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type RecordName, recordId } from '../../../cluster-record/record-name.ts'
import { milliseconds, unixSeconds } from '../../../units.ts'
import { Outbox } from './outbox.ts'

const name = (text: string): RecordName => {
  const id = recordId(text)
  assert.ok(id)
  return { kind: 'opened', id }
}
const use = { end: unixSeconds(2000), spare: 60 }

/** Writes that are answered by hand. */
function start() {
  let now = 1000
  const writes: { readonly value: unknown; readonly answer: (why?: string) => void }[] = []
  const outbox = new Outbox(
    { put: (_name, value) => new Promise((resolve) => writes.push({ value, answer: resolve })) },
    { now: () => unixSeconds(now) },
    milliseconds(1),
  )
  const later = (time: number): void => {
    now = time
  }
  const until = async (length: number): Promise<void> => {
    for (let i = 0; writes.length < length; i++) {
      assert.ok(i < 10_000, `${writes.length} writes`)
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
  }
  return { outbox, writes, until, later }
}

describe('records on their way to etcd', () => {
  it('one of a name is written at a time, and the latest comes last', async () => {
    const { outbox, writes } = start()
    const all = ['open', 'closing', 'closed'].map((value) => outbox.put(name('a'), value, use))
    assert.deepEqual(
      writes.map(({ value }) => value),
      ['open'],
    )
    writes[0]?.answer()
    await Promise.resolve()
    await Promise.resolve()
    writes[1]?.answer()
    assert.deepEqual(await Promise.all(all), [undefined, undefined, undefined])
    assert.deepEqual(
      writes.map(({ value }) => value),
      ['open', 'closed'],
    )
    // And what comes right after.
    const next = outbox.put(name('a'), 'again', use)
    writes[2]?.answer()
    assert.equal(await next, undefined)
    assert.equal(writes.length, 3)
    outbox.close()
  })

  it('what failed is tried again, although nothing else happens', async () => {
    const { outbox, writes, until } = start()
    const first = outbox.put(name('a'), 'closed', use)
    assert.equal(outbox.problem(name('a')), 'it is being written')
    writes[0]?.answer('database space exceeded')
    assert.equal(await first, 'database space exceeded')
    assert.equal(outbox.problem(name('a')), 'database space exceeded')
    await until(2)
    writes[1]?.answer('database space exceeded')
    await until(3)
    writes[2]?.answer()
    for (let i = 0; outbox.problem(name('a')) !== undefined; i++) {
      assert.ok(i < 1000)
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
    outbox.close()
  })

  it('what was dropped, or has ended, is not', async () => {
    const { outbox, writes, later } = start()
    const both = [outbox.put(name('a'), 'a', use), outbox.put(name('b'), 'b', use)]
    outbox.drop(name('a'))
    later(2000)
    for (const write of writes) write.answer('no')
    await Promise.all(both)
    await outbox.again()
    assert.equal(writes.length, 2)
    assert.equal(outbox.problem(name('a')) ?? outbox.problem(name('b')), undefined)
    outbox.close()
  })
})
