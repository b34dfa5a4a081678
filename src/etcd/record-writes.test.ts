import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { monotonic } from '../clock.ts'
import { milliseconds, seconds } from '../units.ts'
import type { EtcdAnswer } from './call.ts'
import type { Fields } from './message-type.ts'
import type { EtcdMethod } from './messages.ts'
import { RecordWrites } from './record-writes.ts'

const LIMIT = milliseconds(5000)

interface Asked {
  readonly method: EtcdMethod
  readonly keys: readonly string[]
  readonly answer: (answer: EtcdAnswer) => void
}

/** An etcd that answers when the test says so. Leases are given at once. */
function writing() {
  const asked: Asked[] = []
  let leases = 0
  const nameOf = (put: unknown): string => Buffer.from((put as { key: string }).key, 'base64').toString()
  const ask = (method: EtcdMethod, body: Fields): Promise<EtcdAnswer> => {
    if (method === 'Lease/LeaseGrant') return Promise.resolve({ kind: 'answer', value: { ID: `${++leases}` } })
    const puts =
      method === 'KV/Put' ? [body] : (body['success'] as { request_put: unknown }[]).map((op) => op.request_put)
    return new Promise((answer) => asked.push({ method, keys: puts.map(nameOf), answer }))
  }
  const writes = new RecordWrites({ ask }, { monotonic, wall: () => milliseconds(Date.now()) })
  const put = (key: string, value = 'AAAA') => writes.put({ key, value, life: seconds(60) }, LIMIT)
  return { asked, put, leases: () => leases }
}

const settled = () => new Promise((resolve) => setImmediate(resolve))
const WRITTEN: EtcdAnswer = { kind: 'answer', value: {} }

describe('records that are written at once', () => {
  it('go together, a hundred in a transaction, and four transactions at a time', async () => {
    const { asked, put } = writing()
    const all = Promise.all(Array.from({ length: 1000 }, (_, i) => put(`k${i}`)))
    await settled()
    assert.deepEqual(
      asked.map(({ method, keys }) => [method, keys.length]),
      Array.from({ length: 4 }, () => ['KV/Txn', 100]),
    )
    for (let done = 0; done < 10; done++) {
      asked[done]?.answer(WRITTEN)
      await settled()
    }
    assert.deepEqual(
      await all,
      Array.from({ length: 1000 }, () => undefined),
    )
    assert.deepEqual(new Set(asked.flatMap(({ keys }) => keys)).size, 1000)
  })

  it('are one request of its own where there is one', async () => {
    const { asked, put } = writing()
    void put('k')
    await settled()
    assert.deepEqual(
      asked.map(({ method }) => method),
      ['KV/Put'],
    )
  })

  it('go in their order where they have one name', async () => {
    const { asked, put } = writing()
    const [first, , second] = [put('a', 'AAAA'), put('b'), put('a', 'BBBB')]
    await settled()
    assert.deepEqual(
      asked.map(({ keys }) => keys),
      [['a', 'b']],
    )
    asked[0]?.answer(WRITTEN)
    assert.equal(await first, undefined)
    await settled()
    assert.deepEqual(
      asked.map(({ keys }) => keys),
      [['a', 'b'], ['a']],
    )
    asked[1]?.answer({ kind: 'silence', why: 'no answer' })
    assert.equal(await second, 'no answer')
  })

  it('go apart where they are large', async () => {
    const { asked, put } = writing()
    const large = 'A'.repeat(400 * 1024)
    for (const key of ['a', 'b', 'c']) void put(key, large)
    await settled()
    assert.deepEqual(
      asked.map(({ keys }) => keys),
      [['a'], ['b'], ['c']],
    )
  })

  it('have one new lease together if theirs has ended', async () => {
    const { asked, put, leases } = writing()
    const all = Promise.all([put('a'), put('b')])
    await settled()
    asked[0]?.answer({ kind: 'refused', code: 5, why: 'lease not found' })
    await settled()
    asked[1]?.answer(WRITTEN)
    assert.deepEqual(await all, [undefined, undefined])
    assert.equal(leases(), 2)
  })
})
