import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Grant, grantId, type Opening } from '../../access/grant.ts'
import type { StanzaId } from '../../access/stanza.ts'
import { DEFAULT_TABLE } from '../../config/server/firewall-settings.ts'
import type { IpAddress } from '../../packet/address.ts'
import type { Username } from '../../packet/message.ts'
import { type Port, seconds } from '../../units.ts'
import { Book, type Change, type Instant } from '../book.ts'
import { renderCommands } from './commands.ts'
import { type Care, commandsFor } from './transaction.ts'

const ssh: Opening = { kind: 'access', protocol: 'tcp', port: 22 as Port }
const ghost: Opening = { kind: 'ghost', protocol: 'tcp', publicPort: 80 as Port, localPort: 22 as Port }
const at = (ms: number): Instant => ms as Instant

function grant(openings: readonly Opening[], lifetime = 30, firstHand = false): Grant {
  const source = '192.0.2.1' as IpAddress
  const id = grantId(source, openings)
  return {
    id,
    stanza: 1 as StanzaId,
    source,
    firstHand,
    openings,
    lifetime: seconds(lifetime),
    username: 'al' as Username,
  }
}

/** The change, or changes, that happen at `now` to a book in which `before` was admitted at 0. */
function changes(
  before: readonly Grant[],
  now: number,
  ...steps: readonly ((book: Book) => Change | undefined)[]
): string[] {
  return lines('quick', before, now, steps)
}

function lines(
  care: Care,
  before: readonly Grant[],
  now: number,
  steps: readonly ((book: Book) => Change | undefined)[],
) {
  const book = new Book(10)
  for (const one of before) assert.ok(book.admit(one, at(0)).ok)
  const made = steps.map((step) => step(book)).filter((change) => change !== undefined)
  const script = renderCommands(DEFAULT_TABLE, commandsFor(made, at(now), care))
  return script
    .replaceAll(' element inet ghostport', '')
    .split('\n')
    .filter((line) => line !== '')
}

const admit =
  (one: Grant, now: number) =>
  (book: Book): Change | undefined => {
    const admitted = book.admit(one, at(now))
    return admitted.ok ? admitted.value : undefined
  }
const revoke =
  (one: Grant, now: number) =>
  (book: Book): Change | undefined =>
    book.revoke(one.id, at(now))

test('a grant is an element for its door and one for its record', () => {
  assert.deepEqual(changes([], 0, admit(grant([ssh]), 0)), [
    'add accept4 { 192.0.2.1 . tcp . 22 timeout 0d0h0m30s0ms }',
    'add ledger { 1 . 0 timeout 0d0h0m30s0ms comment "2|1|30|192.0.2.1|t22|al|30000" }',
  ])
})

test('a ghost is two elements and a record, all in one text', () => {
  assert.deepEqual(changes([], 0, admit(grant([ghost]), 0)), [
    'add accept4 { 192.0.2.1 . tcp . 80 timeout 0d0h0m30s0ms }',
    'add redir4 { 192.0.2.1 . tcp . 80 timeout 0d0h0m30s0ms : 22 }',
    'add ledger { 1 . 0 timeout 0d0h0m30s0ms comment "2|1|30|192.0.2.1|t80>22|al|30000" }',
  ])
})

test('what is there is deleted before it is added, since older kernels keep the time of what is there', () => {
  assert.deepEqual(changes([grant([ghost])], 10_000, admit(grant([ghost]), 10_000)), [
    'delete accept4 { 192.0.2.1 . tcp . 80 }',
    'delete redir4 { 192.0.2.1 . tcp . 80 : 22 }',
    'delete ledger { 1 . 0 }',
    'add accept4 { 192.0.2.1 . tcp . 80 timeout 0d0h0m30s0ms }',
    'add redir4 { 192.0.2.1 . tcp . 80 timeout 0d0h0m30s0ms : 22 }',
    'add ledger { 1 . 0 timeout 0d0h0m30s0ms comment "2|1|30|192.0.2.1|t80>22|al|40000" }',
  ])
})

for (const [when, now] of [
  ['about to end', 29_950],
  ['only just over', 30_050],
] as const) {
  test(`what is ${when}, and may be gone or not, is added so that the delete finds it`, () => {
    const verbs = changes([grant([ssh])], now, admit(grant([ssh]), now)).filter((line) => line.includes('accept4'))
    assert.deepEqual(
      verbs.map((line) => line.split(' ')[0]),
      ['add', 'delete', 'add'],
    )
  })
}

test('with care, that is done for whatever is there', () => {
  const verbs = lines('careful', [grant([ssh])], 10_000, [admit(grant([ssh]), 10_000)])
  assert.deepEqual(
    verbs.map((line) => line.split(' ').slice(0, 2).join(' ')),
    ['add accept4', 'add ledger', 'delete accept4', 'delete ledger', 'add accept4', 'add ledger'],
  )
})

test('a shorter grant of a port that is open longer touches its record alone', () => {
  assert.deepEqual(changes([grant([ssh, ghost])], 10_000, admit(grant([ssh], 5), 10_000)), [
    'add ledger { 2 . 0 timeout 0d0h0m5s0ms comment "2|1|5|192.0.2.1|t22|al|15000" }',
  ])
})

test('a revoked grant leaves a port that another holds open until the other ends', () => {
  assert.deepEqual(changes([grant([ssh, ghost], 60), grant([ssh], 20)], 10_000, revoke(grant([ssh, ghost]), 10_000)), [
    'delete accept4 { 192.0.2.1 . tcp . 22, 192.0.2.1 . tcp . 80 }',
    'delete redir4 { 192.0.2.1 . tcp . 80 : 22 }',
    'delete ledger { 1 . 0 }',
    'add accept4 { 192.0.2.1 . tcp . 22 timeout 0d0h0m10s0ms }',
  ])
})

test('twice in one batch is once', () => {
  assert.deepEqual(
    changes([], 0, admit(grant([ssh]), 0), admit(grant([ssh]), 0)),
    changes([], 0, admit(grant([ssh]), 0)),
  )
})

test('a port that is taken over leads elsewhere in one transaction', () => {
  assert.deepEqual(
    changes([grant([ghost])], 10_000, admit(grant([{ ...ghost, localPort: 25 as Port }], 30, true), 10_000)),
    [
      'delete accept4 { 192.0.2.1 . tcp . 80 }',
      'delete redir4 { 192.0.2.1 . tcp . 80 : 22 }',
      'delete ledger { 1 . 0 }',
      'add accept4 { 192.0.2.1 . tcp . 80 timeout 0d0h0m30s0ms }',
      'add redir4 { 192.0.2.1 . tcp . 80 timeout 0d0h0m30s0ms : 25 }',
      'add ledger { 2 . 0 timeout 0d0h0m30s0ms comment "2|1|30|192.0.2.1!|t80>25|al|40000" }',
    ],
  )
})

test('opened and revoked in one batch is nothing', () => {
  assert.deepEqual(changes([], 0, admit(grant([ssh]), 0), revoke(grant([ssh]), 0)), [])
})
