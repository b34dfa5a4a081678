import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import { test } from 'node:test'
import fc from 'fast-check'
import { LinkQuestions, parseLink, parseLinkAddress } from './links.ts'
import { encodeAttribute, readMessages } from './netlink.ts'

test('no bytes make the readers throw', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      for (const message of readMessages(bytes)) if (message !== undefined) parseLink(message.body)
      parseLink(bytes)
      parseLinkAddress(bytes)
    }),
  )
})

test('no attributes make them throw, whole or cut', () => {
  const attribute = fc.tuple(fc.nat(30), fc.uint8Array({ maxLength: 200 }))
  fc.assert(
    fc.property(fc.array(attribute, { maxLength: 8 }), fc.nat(1000), (attributes, cut) => {
      const body = Buffer.concat([
        new Uint8Array(16),
        ...attributes.map(([type, value]) => encodeAttribute(type, value)),
      ]).subarray(0, cut)
      const link = parseLink(body)
      if (link !== undefined) assert(Number.isFinite(link.rxBytes) && typeof link.name === 'string')
      const address = parseLinkAddress(body)
      if (address !== undefined) assert([4, 16].includes(address.bytes.length))
    }),
  )
})

/** struct ifaddrmsg, IFA_LOCAL and IFA_FLAGS. */
function address(bytes: readonly number[], flags = 0, scope = 0): Uint8Array {
  const flagBytes = new Uint8Array(Uint32Array.of(flags).buffer)
  const fixed = Uint8Array.of(2, 24, flags & 0xff, scope, 7, 0, 0, 0)
  return Buffer.concat([fixed, encodeAttribute(2, Uint8Array.from(bytes)), encodeAttribute(8, flagBytes)])
}

const SIX = [0xfd, 9, ...new Array<number>(13).fill(0), 1]
const addressCases: readonly (readonly [string, Uint8Array, boolean])[] = [
  ['IPv4', address([192, 0, 2, 1]), true],
  ['a second address over IPv4, whose flag means a temporary one over IPv6', address([192, 0, 2, 1], 1), true],
  ['IPv6', address(SIX), true],
  ['IPv6, deprecated', address(SIX, 0x20), true],
  ['IPv6, temporary', address(SIX, 1), false],
  ['IPv6, not tested yet', address(SIX, 0x40), false],
  ['of one link', address(SIX, 0, 253), false],
  ['of this host', address([127, 0, 0, 1], 0, 254), false],
  ['of no known length', address([1, 2, 3]), false],
]
for (const [what, body, counts] of addressCases)
  test(`an address that others can send to: ${what}`, () => {
    const found = parseLinkAddress(body)
    assert.equal(found !== undefined, counts)
    if (found !== undefined) assert.equal(found.index, 7)
  })

test('the kernel tells of lo, of an absent interface, and of all addresses', () => {
  const questions = new LinkQuestions()
  try {
    const lo = questions.link('lo')
    assert(lo !== undefined && !('errno' in lo))
    assert.equal(lo.name, 'lo')
    assert.equal(lo.index, 1)
    const row = readFileSync('/proc/self/net/dev', 'utf8').match(/^\s*lo:\s*(\d+)/m)
    assert(lo.rxBytes <= Number(row?.[1]))
    assert.equal(questions.link('no-such-one'), undefined)
    const addresses = questions.addresses('all', 1000)
    assert(!('errno' in addresses))
    const own = Object.values(networkInterfaces()).flatMap((each = []) =>
      each.filter(({ family, internal }) => family === 'IPv4' && !internal).map(({ address }) => address),
    )
    const found = addresses.map(({ bytes }) => bytes.join('.'))
    for (const each of own) assert(found.includes(each), each)
    const [first] = addresses
    if (first !== undefined) {
      const ofOne = questions.addresses([first.index], 1000)
      assert.deepEqual(
        ofOne,
        addresses.filter(({ index }) => index === first.index),
      )
    }
    assert.deepEqual(questions.addresses([], 1000), [])
    assert.deepEqual(questions.addresses([0x7fff_fff0], 1000), [])
    // An answer that was given up does not disturb the next one.
    assert.deepEqual(questions.addresses('all', 0), [])
    assert(questions.link('lo') !== undefined)
  } finally {
    questions.close()
  }
  const after = questions.link('lo')
  assert(after !== undefined && 'errno' in after, 'no question to the file that has its number now')
})
