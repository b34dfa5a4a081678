import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Grant, grantId, type Opening } from '../../access/grant.ts'
import type { StanzaId } from '../../access/stanza.ts'
import type { StanzaName } from '../../access/stanza-name.ts'
import type { IpAddress } from '../../packet/address.ts'
import type { Username } from '../../packet/message.ts'
import { port, seconds } from '../../units.ts'
import { Admitted } from './admitted.ts'

function grant(stanza: number, source: string, name?: string, at = 22): Grant {
  const openings: readonly Opening[] = [{ kind: 'access', protocol: 'tcp', port: port(at) }]
  return {
    ...{ id: grantId(source as IpAddress, openings), stanza: stanza as StanzaId, source: source as IpAddress },
    ...(name !== undefined && { stanzaName: name as StanzaName }),
    ...{ firstHand: true, openings, lifetime: seconds(30), username: 'ada' as Username },
  }
}
const noted = (admitted: Admitted) => admitted.all().map(({ grant: { source }, from, until }) => [source, from, until])

test('a grant that opens again keeps its beginning, and its end only moves on', () => {
  const admitted = new Admitted()
  admitted.note(grant(1, '192.0.2.1'), 1000, 5000)
  admitted.note(grant(1, '192.0.2.1'), 3000, 8000)
  admitted.note(grant(1, '192.0.2.1'), 4000, 6000)
  assert.deepEqual(noted(admitted), [['192.0.2.1', 1000, 8000]])
})

test('a grant from before the start has no beginning, also when it opens again', () => {
  const admitted = new Admitted()
  admitted.note(grant(1, '192.0.2.1'), undefined, 5000)
  admitted.note(grant(1, '192.0.2.1'), 3000, 8000)
  assert.deepEqual(noted(admitted), [['192.0.2.1', undefined, 8000]])
})

test('the same address under two stanzas is two admissions; a stanza with a name is the same under another number', () => {
  const admitted = new Admitted()
  admitted.note(grant(1, '192.0.2.1', 'ada'), 1, 10)
  admitted.note(grant(7, '192.0.2.1', 'ada'), 2, 20)
  admitted.note(grant(1, '192.0.2.1', 'bob'), 3, 30)
  admitted.note(grant(1, '192.0.2.1'), 4, 40)
  assert.deepEqual(noted(admitted), [
    ['192.0.2.1', 1, 20],
    ['192.0.2.1', 3, 30],
    ['192.0.2.1', 4, 40],
  ])
})

test('one stanza cannot make that of another be forgotten: the one with most gives up its oldest', () => {
  const admitted = new Admitted(10)
  admitted.note(grant(1, '192.0.2.1', 'quiet'), 1, 10)
  for (let i = 1; i <= 1000; i++) admitted.note(grant(2, `198.51.100.${i}`, 'loud'), i, 10)
  const sources = admitted.all().map(({ grant: { source } }) => source)
  assert.equal(sources.length, 10)
  assert.ok(sources.includes('192.0.2.1' as IpAddress))
  assert.deepEqual(
    sources.slice(1),
    Array.from({ length: 9 }, (_, i) => `198.51.100.${992 + i}`),
  )
})

test('what was ended is forgotten, and makes room', () => {
  const admitted = new Admitted(2)
  admitted.note(grant(1, '192.0.2.1'), 1, 10)
  admitted.note(grant(1, '192.0.2.2'), 1, 10)
  const [first] = admitted.for(new Set(['192.0.2.1' as IpAddress]))
  assert.ok(first)
  admitted.forget([first, first])
  assert.deepEqual(noted(admitted), [['192.0.2.2', 1, 10]])
  admitted.note(grant(1, '192.0.2.3'), 1, 10)
  assert.equal(admitted.all().length, 2)
})
