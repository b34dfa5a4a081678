import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { DEFAULT_TABLE } from '../../config/server/firewall-settings.ts'
import { NotificationReader } from './notification.ts'

const NFTABLES = 10 << 8
const [NEWTABLE, DELTABLE, NEWCHAIN, DELCHAIN, DELRULE, DELSET, DELSETELEM, NEWGEN] = [0, 2, 3, 5, 8, 11, 14, 15].map(
  (kind) => NFTABLES | kind,
) as [number, number, number, number, number, number, number, number]
const ACCEPT = 5 << 8

function attribute(type: number, value: Uint8Array): Uint8Array {
  const bytes = new Uint8Array((4 + value.length + 3) & ~3)
  const view = new DataView(bytes.buffer)
  view.setUint16(0, 4 + value.length, true)
  view.setUint16(2, type, true)
  bytes.set(value, 4)
  return bytes
}

const text = (value: string): Uint8Array => Buffer.from(`${value}\0`)

function message(type: number, family: number, attributes: readonly Uint8Array[]): Uint8Array {
  const body = Buffer.concat([Uint8Array.of(family, 0, 0, 0), ...attributes])
  const header = new Uint8Array(16)
  const view = new DataView(header.buffer)
  view.setUint32(0, 16 + body.length, true)
  view.setUint16(4, type, true)
  return Buffer.concat([header, body])
}

/** About our table. */
const ours = (type: number): Uint8Array => message(type, 1, [attribute(1, text('ghostport'))])
const generation = (pid: number, program: string): Uint8Array =>
  message(NEWGEN, 0, [
    attribute(1, Uint8Array.of(0, 0, 0, 9)),
    attribute(2, Uint8Array.of(0, 0, pid >> 8, pid & 0xff)),
    attribute(3, text(program)),
  ])
const byNft = generation(1234, 'nft')
const chainRemoved = { what: 'chain', how: 'removed' } as const
const by = { pid: 1234, program: 'nft' }

for (const [what, datagrams, expected] of [
  [
    'our table deleted',
    [message(DELTABLE, 1, [attribute(1, text('ghostport'))]), byNft],
    { what: 'table', how: 'removed', by },
  ],
  [
    'our table deleted, of which the kernel tells after all that was in it',
    [ours(DELRULE), ours(DELCHAIN), ours(DELSETELEM), ours(DELSET), ours(DELTABLE), byNft],
    { what: 'table', how: 'removed', by },
  ],
  ['a chain deleted with its rules', [ours(DELRULE), ours(DELRULE), ours(DELCHAIN), byNft], { ...chainRemoved, by }],
  ['a set before a rule, in either order', [ours(DELSET), ours(DELRULE), byNft], { what: 'set', how: 'removed', by }],
  [
    'what was removed before what was added',
    [ours(NEWCHAIN), ours(DELRULE), byNft],
    { what: 'rule', how: 'removed', by },
  ],
  [
    'who made the larger change, of two',
    [ours(DELRULE), generation(7, 'script'), ours(DELCHAIN), byNft],
    { ...chainRemoved, by },
  ],
  [
    'who made the larger change, of two, whichever came first',
    [ours(DELCHAIN), byNft, ours(DELRULE), generation(7, 'script')],
    { ...chainRemoved, by },
  ],
  [
    'what was heard beside what the kernel had to leave out',
    [ours(DELTABLE).subarray(0, 30), ours(DELCHAIN), byNft],
    { ...chainRemoved, by },
  ],
  [
    'an element of ours removed, after much that is not ours',
    [
      Buffer.concat([
        message(NEWTABLE, 1, [attribute(1, text('filter'))]),
        message(DELSETELEM, 1, [attribute(1, text('ghostport')), attribute(2, text('accept4'))]),
      ]),
      byNft,
    ],
    { what: 'element', how: 'removed', set: 'accept4', by },
  ],
  [
    'a table of the same name in another family',
    [message(DELTABLE, 2, [attribute(1, text('ghostport'))]), byNft],
    undefined,
  ],
  ['a table whose name begins like ours', [message(DELTABLE, 1, [attribute(1, text('ghostport2'))]), byNft], undefined],
  ['another subsystem', [message(ACCEPT, 1, [attribute(1, text('ghostport'))])], undefined],
  [
    'a program with a name that would break a log line',
    [
      message(DELTABLE, 1, [attribute(1, text('ghostport'))]),
      message(NEWGEN, 0, [attribute(2, Uint8Array.of(0, 0, 0, 7)), attribute(3, text('a\nb\u001b'))]),
    ],
    { what: 'table', how: 'removed', by: { pid: 7, program: 'a?b?' } },
  ],
  [
    'a datagram that is cut',
    [message(DELTABLE, 1, [attribute(1, text('ghostport'))]).subarray(0, 30)],
    { what: 'unknown', how: 'lost track' },
  ],
] as const) {
  test(what, () => {
    const reader = new NotificationReader(DEFAULT_TABLE)
    for (const datagram of datagrams) reader.read(datagram)
    assert.deepEqual(reader.take(), expected)
    assert.equal(reader.take(), undefined)
  })
}

test('tells that a transaction is not heard to its end', () => {
  const reader = new NotificationReader(DEFAULT_TABLE)
  reader.read(message(NEWTABLE, 1, [attribute(1, text('filter'))]))
  assert.equal(reader.isMidway, false, 'it is not about us')
  reader.read(ours(DELRULE))
  assert.equal(reader.isMidway, true)
  reader.read(Buffer.concat([ours(DELTABLE), byNft]))
  assert.equal(reader.isMidway, false)
  reader.read(ours(DELRULE))
  reader.lost()
  assert.equal(reader.isMidway, false, 'the end may be what was lost')
})

test('no bytes make the reader throw', () => {
  const whole = Buffer.concat([
    message(DELSETELEM, 1, [attribute(1, text('ghostport')), attribute(2, text('accept4'))]),
    byNft,
  ])
  fc.assert(
    fc.property(fc.nat(whole.length - 1), fc.nat(255), fc.nat(whole.length), (place, value, length) => {
      const bytes = Uint8Array.from(whole)
      bytes[place] = value
      const reader = new NotificationReader(DEFAULT_TABLE)
      reader.read(bytes.subarray(0, length))
      reader.take()
    }),
  )
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      new NotificationReader(DEFAULT_TABLE).read(bytes)
    }),
  )
})
