import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { EtcdAnswer } from './call.ts'
import type { Etcd } from './etcd.ts'
import { encodeMessage, type Fields } from './message-type.ts'
import { METHODS } from './messages.ts'
import { warmUp } from './warm-up.ts'

/** Everything that a request holds, by its field. */
function fieldsIn(value: unknown): readonly string[] {
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([name, content]) => [name, ...fieldsIn(content)])
}

function recorded(answer: (asked: number) => EtcdAnswer | Promise<EtcdAnswer>) {
  const asked: { readonly method: string; readonly body: Fields }[] = []
  const etcd: Pick<Etcd, 'ask'> = {
    ask: async (method, body) => {
      asked.push({ method, body })
      return answer(asked.length)
    },
  }
  return { etcd, asked }
}

describe('the warm-up of a process that asks etcd', () => {
  it('only reads, from one member alone, in the form of a claim', async () => {
    const { etcd, asked } = recorded(() => ({ kind: 'answer', value: {} }))
    await warmUp(etcd, 'web')
    assert.ok(asked.length >= 100 && asked.length <= 500, String(asked.length))
    for (const { method, body } of asked) {
      assert.equal(method, 'KV/Txn')
      assert.ok(encodeMessage(METHODS['KV/Txn'].request, body).length > 0)
      assert.ok(!fieldsIn(body).some((name) => /put|delete/.test(name)))
      const ranges = (body['success'] as readonly Fields[]).map((one) => one['request_range'] as Fields)
      assert.deepEqual(new Set(ranges.map((range) => range['serializable'])), new Set([true]))
      assert.deepEqual(
        new Set(ranges.map((range) => Buffer.from(String(range['key']), 'base64').toString())),
        new Set(['ghostport/web/closed-until']),
      )
    }
  })

  it('ends where etcd is slow', async () => {
    const { etcd, asked } = recorded(async () => {
      await delay(150)
      return { kind: 'answer', value: {} }
    })
    await warmUp(etcd, 'web')
    assert.equal(asked.length, 1)
  })

  for (const failed of [
    { kind: 'silence', why: 'no answer' },
    { kind: 'refused', code: 8, why: 'etcdserver: too many requests' },
  ] as const satisfies readonly EtcdAnswer[])
    it(`ends where etcd does not answer well: ${failed.kind}`, async () => {
      const { etcd, asked } = recorded((n) => (n < 3 ? { kind: 'answer', value: {} } : failed))
      await warmUp(etcd, 'web')
      assert.equal(asked.length, 3)
    })
})
