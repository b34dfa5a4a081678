import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { anyGrant, usernameOf } from '../../../test/support/any-grant.ts'
import { type Grant, grantId, type Opening } from '../../access/grant.ts'
import type { StanzaId } from '../../access/stanza.ts'
import type { IpAddress } from '../../packet/address.ts'
import { type Port, seconds } from '../../units.ts'
import { type LedgerElement, ledgerElements, parseLedger } from './ledger.ts'

/** When all of them end. */
const END = 93_784_005

test('every grant can be read back from what the kernel has, with its end', () => {
  fc.assert(
    fc.property(fc.array(anyGrant, { maxLength: 5 }), fc.nat(2 ** 32 - 10), (grants, first) => {
      const { records, unread } = parseLedger(
        found(grants.flatMap((one, i) => ledgerElements(first + i, one, END + 0.7))),
      )
      assert.equal(unread, 0)
      assert.deepEqual(
        records,
        grants.map((one, i) => ({ number: first + i, grant: one, until: END })),
      )
    }),
  )
})

for (const [what, from, to, until] of [
  ['within what the kernel says', END - 3, END + 3, END],
  ['a tick later than the kernel says', END - 20, END - 10, END],
  ['sooner than the kernel says, as after a suspension', END + 5_000, END + 5_010, END],
  ['far later than the kernel says, so that it is not believed', END - 5_010, END - 5_000, END - 5_010],
] as const) {
  test(`an end on record that is ${what}`, () => {
    const elements = ledgerElements(1, sample(), END).map((element) => ({ ...element, from, to }))
    assert.equal(parseLedger(elements).records[0]?.until, until)
  })
}

test('a comment is what nftables takes: at most 127 printable bytes without quotes', () => {
  fc.assert(
    fc.property(anyGrant, (one) => {
      for (const { comment = '' } of ledgerElements(1, one, END))
        assert.match(comment, /^[\x21\x23-\x5b\x5d-\x7e]{1,127}$/)
    }),
  )
})

test('a record that cannot be read is passed over, and counted', () => {
  const elements = found([
    { set: 'ledger', key: '1 . 0', comment: '3|3|30|192.0.2.7|t22|alice' },
    { set: 'ledger', key: '2 . 0', comment: '1|3|30|192.0.2.7|t22|alice' },
  ])
  const { records, unread } = parseLedger(elements)
  assert.deepEqual([records.length, unread], [1, 1])
})

test('a record from before records had ends is read, and ends no later than the kernel says', () => {
  const { records } = parseLedger(found([{ set: 'ledger', key: '7 . 0', comment: '1|3|30|192.0.2.7|t22|alice' }]))
  assert.deepEqual(records, [{ number: 7, grant: { ...sample(), username: usernameOf('alice') }, until: END - 2 }])
})

test('a grant whose first piece is missing is passed over', () => {
  const long = { ...sample(), openings: Array.from({ length: 60 }, (_, i) => access(i + 1)) }
  const pieces = ledgerElements(1, long, END)
  assert.ok(pieces.length > 2)
  assert.deepEqual(parseLedger(found(pieces.slice(1))), { records: [], unread: 1 })
  assert.deepEqual(parseLedger([]), { records: [], unread: 0 })
})

function access(number: number): Opening {
  return { kind: 'access', protocol: 'tcp', port: number as Port }
}

function sample(): Grant {
  const source = '192.0.2.7' as IpAddress
  const openings = [access(22)]
  const lifetime = seconds(30)
  return {
    id: grantId(source, openings),
    stanza: 3 as StanzaId,
    source,
    firstHand: false,
    openings,
    lifetime,
    username: usernameOf('a'),
  }
}

/** As the kernel has them. */
function found(elements: ReturnType<typeof ledgerElements>): LedgerElement[] {
  return elements.map((element) => ({ ...element, from: END - 2, to: END + 1 }))
}
