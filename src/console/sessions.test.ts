import assert from 'node:assert/strict'
import { it } from 'node:test'
import { milliseconds } from '../units.ts'
import type { Account } from './account.ts'
import { LONGEST_PAUSE, LONGEST_SESSION, Sessions } from './sessions.ts'

const NOW = milliseconds(1_000_000)
const account = (name: string): Account => ({ id: name, name, role: 'viewer', revision: 1 }) as unknown as Account
const later = (time: number) => milliseconds(NOW + time)

function begun() {
  const sessions = new Sessions()
  const known = new Map(['ada', 'bob'].map((name) => [name, account(name)]))
  const begin = (name: string) => sessions.begin(known.get(name) ?? account(name), 'factor', NOW)
  const isGood = ({ token }: { readonly token: string }, at = NOW): boolean =>
    sessions.of(token, at, (name) => known.get(name)) !== undefined
  return { sessions, known, begin, isGood }
}

it('who removes a factor ends the other sessions of the account, and no other', () => {
  const { sessions, begin, isGood } = begun()
  const [own, other, bobs] = [begin('ada'), begin('ada'), begin('bob')]
  sessions.endOthers(account('ada'), own.token)
  assert.deepEqual(
    [own, other, bobs].map((one) => isGood(one)),
    [true, false, true],
  )
  assert.deepEqual(
    [own, other, bobs].map(({ session }) => session.signal.aborted),
    [false, true, false],
  )
})

it('ends after a pause, after its time, and with its account', () => {
  const { known, begin, isGood } = begun()
  const [paused, changed, removed] = [begin('ada'), begin('ada'), begin('bob')]
  assert.ok(!isGood(paused, later(LONGEST_PAUSE)))
  let at = 0
  for (; at + LONGEST_PAUSE / 2 < LONGEST_SESSION; at += LONGEST_PAUSE / 2) assert.ok(isGood(changed, later(at)))
  assert.ok(!isGood(changed, later(LONGEST_SESSION)))
  const again = begin('ada')
  known.set('ada', { ...account('ada'), revision: 2 } as Account)
  known.delete('bob')
  assert.deepEqual(
    [again, removed].map((one) => isGood(one)),
    [false, false],
  )
})

it('knows no token that it did not give', () => {
  const { begin, isGood } = begun()
  const { token } = begin('ada')
  for (const other of ['', token.slice(0, -1), `${token}A`, token.toLowerCase()])
    if (other !== token) assert.ok(!isGood({ token: other }))
})
