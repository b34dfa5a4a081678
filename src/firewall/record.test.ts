import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { anyGrant } from '../../test/support/any-grant.ts'
import { encodeRecord, parseRecord } from './record.ts'

test('every grant can be read back from its record, with its end in whole milliseconds', () => {
  fc.assert(
    fc.property(anyGrant, fc.nat(10 ** 12), (grant, end) => {
      assert.deepEqual(parseRecord(encodeRecord(grant, end + 0.7)), { grant, end })
    }),
  )
})

test('a record is printable, and nothing in it has to be quoted', () => {
  fc.assert(
    fc.property(anyGrant, (grant) => {
      assert.match(encodeRecord(grant, 1), /^[\x21\x23-\x26\x28-\x5b\x5d-\x7e]+$/)
    }),
  )
})

test('a record from before records had ends is read', () => {
  const record = parseRecord('1|3|30|192.0.2.7|t22|alice')
  assert.deepEqual([record?.grant.source, record?.grant.username, record?.end], ['192.0.2.7', 'alice', undefined])
})

for (const [what, record] of [
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
  test(`a record ${what} is not read`, () => {
    assert.equal(parseRecord(record), undefined)
  })
}
