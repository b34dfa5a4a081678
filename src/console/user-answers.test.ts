/** What commands of the server print, as the page shows it. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { grantsNow } from './grants.ts'
import {
  auditAnswer,
  changedUserAnswer,
  doctorAnswer,
  invitationAnswer,
  newKeysAnswer,
  policyAnswer,
  usersAnswer,
} from './user-answers.ts'

const NOW = new Date('2026-01-02T03:04:05.000Z')
const noGrants = new Map()

describe('users', () => {
  const user = (fields: object) => ({
    users: [{ name: 'ada', stanza: 1, state: 'active', open: ['tcp/22'], source: 'ANY', expires: null, ...fields }],
  })
  const first = (listed: unknown, invited?: unknown, grants = noGrants) =>
    (usersAnswer(listed, invited, grants) as { users: Record<string, unknown>[] }).users[0]

  for (const [state, shown] of [
    ['active', 'on'],
    ['old keys', 'on'],
    ['invited', 'on'],
    ['disabled', 'off'],
    ['no usable key', 'off'],
    ['expired', 'ended'],
    ['something new', 'off'],
  ] as const)
    it(`${state}: ${shown}`, () => assert.equal(first(user({ state }))?.['state'], shown))

  it('have their end, their last knock, and how much is open for them', () => {
    const status = {
      id: 'g:00000001',
      for: '192.0.2.1',
      open: ['tcp/22'],
      secondsLeft: 9,
      stanza: 1,
      name: 'ada',
      user: 'x',
    }
    const lastKnock = { time: '2026-01-01T00:00:00Z', source: '192.0.2.1', code: 'SPA_STALE' }
    const one = first(user({ expires: 1, lastKnock }), undefined, new Map(grantsNow([status], new Map(), 0)))
    assert.equal(one?.['expires'], '1970-01-01T00:00:01.000Z')
    assert.deepEqual(one?.['lastKnock'], { at: lastKnock.time, from: '192.0.2.1', code: 'SPA_STALE' })
    assert.deepEqual([one?.['openGrants'], one?.['invitation']], [1, null])
  })

  it('have their invitation, without the digits that confirm it', () => {
    const claim = { fingerprint: '1234-5678-9012-3456', at: 1, from: '192.0.2.9' }
    const invited = { invitations: [{ user: 'ada', form: 'gateway', state: 'claimed', until: 2, claim }] }
    const one = first(user({}), invited)
    assert.deepEqual(one?.['invitation'], {
      ...{ form: 'gateway', state: 'claimed', until: '1970-01-01T00:00:02.000Z' },
      claim: { at: '1970-01-01T00:00:01.000Z', from: '192.0.2.9' },
    })
  })
})

describe('grants', () => {
  const grant = (secondsLeft: number, open = ['tcp/22']) => ({
    ...{ id: 'g:00000001', for: '192.0.2.1', open, secondsLeft, stanza: 1, user: 'x' },
  })
  it('stay the same object while only time passes, and change when they are extended', () => {
    const first = grantsNow([grant(60)], new Map(), 0)
    const later = grantsNow([grant(55)], first, 5_400)
    assert.equal(later.get('g:00000001'), first.get('g:00000001'))
    const longer = grantsNow([grant(60)], later, 6_000)
    assert.notEqual(longer.get('g:00000001'), first.get('g:00000001'))
    assert.equal(longer.get('g:00000001')?.since, first.get('g:00000001')?.since)
  })
  for (const [open, kind] of [
    [['tcp/22', 'udp/53'], 'local'],
    [['tcp/443→22'], 'ghost'],
    [['tcp/443→10.0.0.5:22'], 'forward'],
    [['through→10.0.0.0/24'], 'forward'],
    [['all→10.0.0.5'], 'forward'],
  ] as const)
    it(`${open}: ${kind}`, () => {
      const [one] = grantsNow([grant(9, [...open])], new Map(), 0).values()
      assert.deepEqual([one?.kind, one?.extendable], [kind, kind === 'local'])
    })
})

it('nothing that a command prints makes them throw', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.jsonValue(), (one, other) => {
      usersAnswer(one, other, noGrants)
      newKeysAnswer('x', one)
      invitationAnswer('x', one)
      changedUserAnswer(one)
      policyAnswer(one)
      doctorAnswer(one, NOW)
      auditAnswer(one, 1, 1)
    }),
  )
})
