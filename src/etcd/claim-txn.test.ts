import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { NodeName } from '../config/server/cluster-settings.ts'
import type { ReplayDigest } from '../packet/replay-digest.ts'
import { claimTxn, type EtcdClaim, type LeaseId, readClaimAnswer } from './claim-txn.ts'

const claim = (n: number): EtcdClaim => ({
  digest: Buffer.alloc(32, n).toString('base64').replace('=', '') as ReplayDigest,
  nonce: `nonce-${n}`.padEnd(16, '0'),
})
const base64 = (text: string): string => Buffer.from(text).toString('base64')
const closed = { response_range: { header: {} } }
const put = { response_txn: { header: {}, succeeded: true, responses: [{ response_put: { header: {} } }] } }
const held = (value: string) => ({
  response_txn: {
    header: {},
    responses: [{ response_range: { header: {}, count: '1', kvs: [{ key: 'a', value: base64(value) }] } }],
  },
})
const answer = (...responses: readonly unknown[]) => ({
  header: {},
  succeeded: true,
  responses: [closed, ...responses],
})

describe('a transaction of claims', () => {
  it('makes each key once, under the lease, with the name of the node and the nonce', () => {
    const space = { cluster: 'front', node: 'web-1' as NodeName }
    const { success } = claimTxn(space, [claim(1)], '77' as LeaseId) as { success: readonly unknown[] }
    const key = base64(`ghostport/front/used/${claim(1).digest}`)
    assert.deepEqual(success, [
      { request_range: { key: base64('ghostport/front/closed-until') } },
      {
        request_txn: {
          compare: [{ key, target: 'CREATE', result: 'EQUAL', create_revision: '0' }],
          success: [{ request_put: { key, value: base64(`web-1 ${claim(1).nonce}`), lease: '77' } }],
          failure: [{ request_range: { key } }],
        },
      },
    ])
  })

  it('says who was first: this claim, an earlier try of it, or another node', () => {
    const claims = [claim(1), claim(2), claim(3), claim(4)]
    const value = answer(put, held(`web-1 ${claim(2).nonce}`), held('web-2 another-nonce-00'), held('\u0007?'))
    assert.deepEqual(readClaimAnswer(value, claims)?.outcomes, [
      'first',
      'first',
      { usedAt: 'web-2' },
      { usedAt: 'unknown' },
    ])
  })

  for (const [text, until] of [
    ['1800000000', 1_800_000_000],
    ['tomorrow', 999_999_999_999],
    ['', 999_999_999_999],
  ] as const)
    it(`is closed by “${text}”`, () => {
      const shut = { response_range: { header: {}, count: '1', kvs: [{ key: 'a', value: base64(text) }] } }
      const read = readClaimAnswer({ header: {}, succeeded: true, responses: [shut, put] }, [claim(1)])
      assert.deepEqual(read, { outcomes: ['first'], closedUntil: until })
    })

  const nonsense: readonly (readonly [string, unknown])[] = [
    ['nothing', undefined],
    ['an answer to fewer claims', answer()],
    ['an answer to more claims', answer(put, put)],
    ['the answer of another request', { header: {}, kvs: [] }],
    ['answers in another order', { header: {}, succeeded: true, responses: [put, closed] }],
    ['a transaction that did not happen', { ...answer(put), succeeded: false }],
  ]
  for (const [what, value] of nonsense)
    it(`is not answered by ${what}`, () => assert.equal(readClaimAnswer(value, [claim(1)]), undefined))

  it('no part of an answer without sense is “first”', () => {
    const empty = { response_txn: { header: {}, succeeded: true, responses: [] } }
    assert.equal(readClaimAnswer(answer(empty), [claim(1)]), undefined)
    const noValue = { response_txn: { header: {}, responses: [{ response_range: { header: {} } }] } }
    assert.deepEqual(readClaimAnswer(answer(noValue), [claim(1)])?.outcomes, [undefined])
  })

  it('never throws, whatever etcd sends', () => {
    const part = fc.oneof(fc.jsonValue(), fc.constant(put), fc.constant(closed), fc.constant(held('web-1 x')))
    fc.assert(
      fc.property(
        fc.oneof(
          fc.jsonValue(),
          fc.array(part).map((parts) => ({ ...answer(), responses: parts })),
        ),
        (value) => {
          readClaimAnswer(value, [claim(1), claim(2)])
        },
      ),
    )
  })
})
