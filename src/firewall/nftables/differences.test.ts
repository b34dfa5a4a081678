import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Grant, grantId } from '../../access/grant.ts'
import type { StanzaId } from '../../access/stanza.ts'
import type { IpAddress } from '../../packet/address.ts'
import type { Username } from '../../packet/message.ts'
import { port, seconds } from '../../units.ts'
import { Book, type Instant } from '../book.ts'
import { differences } from './differences.ts'
import type { FoundElement } from './dump.ts'

const source = '192.0.2.1' as IpAddress
const openings = [{ kind: 'ghost', protocol: 'tcp', publicPort: port(80), localPort: port(22) }] as const
const ghost: Grant = {
  id: grantId(source, openings),
  stanza: 1 as StanzaId,
  source,
  firstHand: true,
  openings,
  lifetime: seconds(30),
  username: 'al' as Username,
}
const ends = { from: 30_000, to: 30_000 }
const key = '192.0.2.1 . tcp . 80'
const accept: FoundElement = { set: 'accept4', key, ...ends }
const redirect: FoundElement = { set: 'redir4', key, value: '22', ...ends }
const record: FoundElement = { set: 'ledger', key: '1 . 0', comment: '2|1|30|192.0.2.1!|t80>22|al|30000', ...ends }
const right = [accept, redirect, record]
const stranger: FoundElement = { set: 'accept4', key: '203.0.113.9 . tcp . 80', ...ends }

/** What has to be done, as `SET KEY: END → END`. */
function moves(found: readonly FoundElement[]): readonly string[] {
  const book = new Book(10)
  assert.ok(book.admit(ghost, 0 as Instant).ok)
  return differences(book, found, 0 as Instant, 20).map(
    ({ element: { set, key, value }, from, to }) =>
      `${set} ${key}${value === undefined ? '' : ` : ${value}`}: ${from ?? 'absent'} → ${to ?? 'absent'}`,
  )
}

for (const [what, found, wanted] of [
  ['nothing, if all is as the book says', right, []],
  ['an element that is missing', [redirect, record], [`accept4 ${key}: absent → 30000`]],
  ['an element that is too many', [...right, stranger], ['accept4 203.0.113.9 . tcp . 80: 30000 → absent']],
  [
    'an element that leads elsewhere',
    [accept, { ...redirect, value: '25' }, record],
    [`redir4 ${key} : 25: 30000 → absent`, `redir4 ${key} : 22: absent → 30000`],
  ],
  [
    'an element that ends at another time',
    [{ ...accept, from: 60_000, to: 60_000 }, redirect, record],
    [`accept4 ${key}: 60000 → 30000`],
  ],
] as const) {
  test(`finds ${what}`, () => assert.deepEqual(moves(found), wanted))
  test(`finds ${what}, although the kernel tells of each element twice`, () => {
    assert.deepEqual(moves([...found, ...found]), wanted)
    assert.deepEqual(moves(found.flatMap((one) => [one, one])), wanted)
  })
}
