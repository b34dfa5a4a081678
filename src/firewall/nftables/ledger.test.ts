import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Grant, grantId, type Opening } from '../../access/grant.ts'
import type { StanzaId } from '../../access/stanza.ts'
import { parseStanzaName, type StanzaName } from '../../access/stanza-name.ts'
import { addressFromBytes, type IpAddress } from '../../packet/address.ts'
import { parseUsername } from '../../packet/username.ts'
import { type Port, seconds } from '../../units.ts'
import { ledgerElements, parseLedger } from './ledger.ts'

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

test('every grant can be read back from what nftables lists', () => {
  fc.assert(
    fc.property(fc.array(grant, { maxLength: 5 }), fc.nat(2 ** 32 - 10), (grants, first) => {
      const listing = listingOf(grants.flatMap((one, i) => ledgerElements(first + i, one)))
      const { records, unread } = parseLedger(listing)
      assert.equal(unread, 0)
      assert.deepEqual(
        records,
        grants.map((one) => ({ grant: one, remaining: 93_784_005 })),
      )
    }),
  )
})

test('a comment is what nftables takes: at most 127 printable bytes without quotes', () => {
  fc.assert(
    fc.property(grant, (one) => {
      for (const { comment = '' } of ledgerElements(1, one)) assert.match(comment, /^[\x21\x23-\x5b\x5d-\x7e]{1,127}$/)
    }),
  )
})

for (const [what, comment] of [
  ['of another version', '2|3|30|192.0.2.7|t22|alice'],
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
    const listing = listingOf([
      { set: 'ledger', key: '1 . 0', comment },
      { set: 'ledger', key: '2 . 0', comment: '1|3|30|192.0.2.7|t22|alice' },
    ])
    const { records, unread } = parseLedger(listing)
    assert.deepEqual([records.length, unread], [1, 1])
  })
}

test('a record from before stanzas had names is read', () => {
  const { records } = parseLedger(listingOf([{ set: 'ledger', key: '1 . 0', comment: '1|3|30|192.0.2.7|t22|alice' }]))
  assert.deepEqual(records, [{ grant: { ...sample(), username: usernameOf('alice') }, remaining: 93_784_005 }])
})

test('a grant whose first piece is missing is passed over', () => {
  const long = { ...sample(), openings: Array.from({ length: 60 }, (_, i) => access(i + 1)) }
  const pieces = ledgerElements(1, long)
  assert.ok(pieces.length > 2)
  assert.deepEqual(parseLedger(listingOf(pieces.slice(1))), { records: [], unread: 1 })
  assert.deepEqual(parseLedger(''), { records: [], unread: 0 })
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

/** As nft 1.0.6 prints it. */
function listingOf(elements: ReturnType<typeof ledgerElements>): string {
  const lines = elements.map(({ key, comment }) => {
    const [number, part] = key.split(' . ').map((text) => `0x${Number(text).toString(16).padStart(8, '0')}`)
    return `${number} . ${part} timeout 2d expires 1d2h3m4s5ms comment "${comment}"`
  })
  const body = lines.length === 0 ? '' : `\t\telements = { ${lines.join(',\n\t\t\t     ')} }\n`
  return `table inet ghostport {\n\tset ledger {\n\t\ttype mark . mark\n\t\tsize 1048560\n\t\tflags timeout\n${body}\t}\n}\n`
}
