import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Grant, grantId, type Opening } from '../../access/grant.ts'
import type { StanzaId } from '../../access/stanza.ts'
import { parseStanzaName, type StanzaName } from '../../access/stanza-name.ts'
import { addressFromBytes, type IpAddress } from '../../packet/address.ts'
import { parseUsername } from '../../packet/username.ts'
import { type Port, seconds } from '../../units.ts'
import { type LedgerElement, ledgerElements, parseLedger } from './ledger.ts'

/** When all of them end. */
const END = 93_784_005

/** Objects as ours are. */
const plain = { noNullPrototype: true } as const
const port = fc.integer({ min: 1, max: 65_535 }).map((n) => n as Port)
const address = fc
  .oneof(fc.uint8Array({ minLength: 4, maxLength: 4 }), fc.uint8Array({ minLength: 16, maxLength: 16 }))
  .map((bytes): IpAddress => addressFromBytes(bytes))
const protocol = fc.constantFrom('tcp' as const, 'udp' as const)
const opening = fc.oneof(
  fc.record({ kind: fc.constant('access' as const), protocol, port }, plain),
  fc.record({ kind: fc.constant('ghost' as const), protocol, publicPort: port, localPort: port }, plain),
  fc.record(
    {
      kind: fc.constant('forward' as const),
      protocol,
      publicPort: port,
      target: fc.record({ address, port }, plain),
      translation: fc.oneof(
        fc.constant('none' as const),
        fc.constant('masquerade' as const),
        fc.record({ snat: address }, plain),
      ),
    },
    plain,
  ),
) satisfies fc.Arbitrary<Opening>
const username = fc.string({ minLength: 1, maxLength: 48, unit: 'grapheme-ascii' }).chain((text) => {
  const name = parseUsername(text)
  return name.ok ? fc.constant(name.value) : fc.constant(usernameOf("o'al ice%"))
})
const stanzaName: fc.Arbitrary<StanzaName> = fc.stringMatching(/^[a-z][A-Za-z0-9._@-]{0,30}$/).map((text) => {
  const name = parseStanzaName(text)
  assert.ok(name.ok, text)
  return name.value
})
const grant: fc.Arbitrary<Grant> = fc
  .record({
    stanza: fc.integer({ min: 1, max: 10_000 }).map((n) => n as StanzaId),
    source: address,
    firstHand: fc.boolean(),
    openings: fc.array(opening, { minLength: 1, maxLength: 40 }),
    lifetime: fc.integer({ min: 1, max: 2 ** 31 - 1 }).map(seconds),
    username,
  })
  .chain((fields) => {
    const one = { id: grantId(fields.source, fields.openings), ...fields }
    return fc.option(stanzaName).map((name) => (name === null ? one : { ...one, stanzaName: name }))
  })

test('every grant can be read back from what the kernel has, with its end', () => {
  fc.assert(
    fc.property(fc.array(grant, { maxLength: 5 }), fc.nat(2 ** 32 - 10), (grants, first) => {
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
    fc.property(grant, (one) => {
      for (const { comment = '' } of ledgerElements(1, one, END))
        assert.match(comment, /^[\x21\x23-\x5b\x5d-\x7e]{1,127}$/)
    }),
  )
})

for (const [what, comment] of [
  ['of another version', '3|3|30|192.0.2.7|t22|alice'],
  ['without an end', '2|3|30|192.0.2.7|t22|alice'],
  ['with an end that is none', '2|3|30|192.0.2.7|t22|alice|1e3'],
  ['without a piece', 't22|alice'],
  ['with a piece too many', '1|3|30|192.0.2.7|t22|alice|'],
  ['with a port that is none', '1|3|30|192.0.2.7|t65536|alice'],
  ['with a port of 0', '1|3|30|192.0.2.7|t0|alice'],
  ['with a protocol that is none', '1|3|30|192.0.2.7|x22|alice'],
  ['without openings', '1|3|30|192.0.2.7||alice'],
  ['with an address that is none', '1|3|30|192.0.2.256|t22|alice'],
  ['with a target that is none', '1|3|30|192.0.2.7|t22>[1.2.3]:22|alice'],
  ['with a command in it', '1|3|30|192.0.2.7|t22 }; flush ruleset; {|alice'],
  ['with a stanza that has no number', '1|:alice|30|192.0.2.7|t22|alice'],
  ['with an empty name', '1|3:|30|192.0.2.7|t22|alice'],
  ['with a name that is none', '1|3:-|30|192.0.2.7|t22|alice'],
  ['with a name that has a colon', '1|3:a:b|30|192.0.2.7|t22|alice'],
  ['without a lifetime', '1|3|0|192.0.2.7|t22|alice'],
  ['with a user name that is none', '1|3|30|192.0.2.7|t22|%22%0a'],
  ['with a broken escape', '1|3|30|192.0.2.7|t22|%zz'],
] as const) {
  test(`a record ${what} is passed over, and counted`, () => {
    const elements = found([
      { set: 'ledger', key: '1 . 0', comment },
      { set: 'ledger', key: '2 . 0', comment: '1|3|30|192.0.2.7|t22|alice' },
    ])
    const { records, unread } = parseLedger(elements)
    assert.deepEqual([records.length, unread], [1, 1])
  })
}

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

function usernameOf(text: string): Grant['username'] {
  const name = parseUsername(text)
  assert.ok(name.ok)
  return name.value
}

/** As the kernel has them. */
function found(elements: ReturnType<typeof ledgerElements>): LedgerElement[] {
  return elements.map((element) => ({ ...element, from: END - 2, to: END + 1 }))
}
