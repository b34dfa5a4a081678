import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Grant, grantId, type Opening } from '../../access/grant.ts'
import type { StanzaId } from '../../access/stanza.ts'
import type { StanzaName } from '../../access/stanza-name.ts'
import type { IpAddress } from '../../packet/address.ts'
import type { Username } from '../../packet/message.ts'
import { port, seconds } from '../../units.ts'
import { grantTag, matcher, parseTarget, stanzaWords, type Target, whyUnknown } from './revoke-target.ts'

const openings: readonly Opening[] = [{ kind: 'access', protocol: 'tcp', port: port(22) }]
function grant(stanza: number, name?: string, source = '192.0.2.1'): Grant {
  return {
    ...{ id: grantId(source as IpAddress, openings), stanza: stanza as StanzaId, source: source as IpAddress },
    ...(name !== undefined && { stanzaName: name as StanzaName }),
    ...{ firstHand: true, openings, lifetime: seconds(30), username: 'ada' as Username },
  }
}
function target(word: string): Target {
  const parsed = parseTarget(word)
  assert.ok(parsed.ok, word)
  return parsed.value
}

const words: [word: string, target: Target | 'CLI_USAGE'][] = [
  ['g:0011aabb', { kind: 'grant', tag: 'g:0011aabb' }],
  ['G:0011AABB', { kind: 'grant', tag: 'g:0011aabb' }],
  ['g:0011aab', 'CLI_USAGE'],
  ['g:0011aabbc', 'CLI_USAGE'],
  ['3', { kind: 'user', number: 3 }],
  ['0', 'CLI_USAGE'],
  ['192.0.2.1', { kind: 'address', address: '192.0.2.1' as IpAddress }],
  ['2001:DB8:0::1', { kind: 'address', address: '2001:db8::1' as IpAddress }],
  ['192.0.2.0/24', 'CLI_USAGE'],
  ['ada-phone', { kind: 'user', name: 'ada-phone' }],
  ['', 'CLI_USAGE'],
  ['a b', 'CLI_USAGE'],
  ['-1', 'CLI_USAGE'],
]
for (const [word, expected] of words)
  test(`“${word}” is ${typeof expected === 'string' ? 'nothing' : expected.kind}`, () => {
    const parsed = parseTarget(word)
    assert.deepEqual(parsed.ok ? parsed.value : parsed.failure.code, expected)
  })

test('no word makes it throw', () => {
  fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (word) => void parseTarget(word)))
})

test('the number of a stanza means its name now, and only grants without a name of that number', () => {
  const isMeant = matcher(target('2'), [
    { id: 1, name: 'bob' },
    { id: 2, name: 'Ada' },
  ])
  assert.equal(isMeant(grant(7, 'ada')), true)
  assert.equal(isMeant(grant(2)), true)
  // It was stanza 2 once, and is bob’s.
  assert.equal(isMeant(grant(2, 'bob')), false)
  assert.equal(isMeant(grant(1)), false)
})

test('a name means no other name, and a tag one grant', () => {
  const isMeant = matcher(target('ada'), [])
  assert.deepEqual([isMeant(grant(1, 'ADA')), isMeant(grant(1, 'ada2')), isMeant(grant(1))], [true, false, false])
  const [one, two] = [grant(1, 'ada'), grant(1, 'ada', '192.0.2.2')]
  const isOne = matcher(target(grantTag(one.id)), [])
  assert.deepEqual([isOne(one), isOne(two)], [true, false])
})

test('cycles are found by the name, or by name and number', () => {
  const stanzas = [{ id: 4, name: 'ada' }, { id: 5 }]
  assert.deepEqual(stanzaWords(target('4'), stanzas), ['4', 'ada'])
  assert.deepEqual(stanzaWords(target('5'), stanzas), ['5'])
  assert.deepEqual(stanzaWords(target('Ada'), stanzas), ['Ada'])
  assert.deepEqual(stanzaWords(target('192.0.2.1'), stanzas), [])
})

test('unknown is what no stanza has, what nothing was granted to, and what no cycle owes', () => {
  const stanzas = [{ id: 1, name: 'ada' }]
  const code = (word: string, known: readonly Grant[] = [], cycles: readonly string[] = []) =>
    whyUnknown(target(word), known, stanzas, cycles)?.code
  assert.equal(code('ada'), undefined)
  assert.equal(code('1'), undefined)
  assert.equal(code('192.0.2.9'), undefined)
  assert.equal(code('bob'), 'REVOKE_UNKNOWN')
  assert.equal(code('bob', [grant(2, 'bob')]), undefined)
  assert.equal(code('bob', [], ['Bob']), undefined)
  assert.equal(code('2'), 'REVOKE_UNKNOWN')
  assert.equal(code('2', [], ['2']), undefined)
  assert.equal(code('g:00000000'), 'REVOKE_UNKNOWN')
  assert.equal(whyUnknown(target('aad'), [], stanzas)?.suggestion, 'ghostport revoke ada')
})
