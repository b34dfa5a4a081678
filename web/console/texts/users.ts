/** Users in words and in order. Pure. */
import type { Invitation, User } from '../api.ts'
import type { Sorting } from '../parts/rows.ts'
import { isFound, wordsOf } from './search-text.ts'

/** In the address, in place of a name. No user can have this name. */
export const NEW_USER = '+'

export function shownUsers(users: readonly User[], filter: string, { by, isDown }: Sorting): readonly User[] {
  const words = wordsOf(filter)
  const key = KEYS[by] ?? nameKey
  const keyed = users
    .filter((user) => words.length === 0 || isFound(words, textOf(user)))
    .map((user) => ({ user, key: key(user) }))
  keyed.sort((one, other) => compare(one.key, other.key) || compare(one.user.name, other.user.name))
  const sorted = keyed.map(({ user }) => user)
  return isDown ? sorted.reverse() : sorted
}

const nameKey = ({ name }: User): string | number => name.toLowerCase()
const KEYS: Readonly<Record<string, (user: User) => string | number>> = {
  name: nameKey,
  opens: ({ opens }) => opens.join(' '),
  // The newest first, and those that never knocked last.
  last: ({ lastKnock }) => (lastKnock === null ? 0 : -Date.parse(lastKnock.at)),
  grants: ({ openGrants }) => -openGrants,
}

/** `on`, `on until 3 Dec 2026`, `off`, `ended`. */
export function stateWord({ state, expires }: Pick<User, 'state' | 'expires'>, now: number): string {
  if (state === 'off') return 'disabled'
  if (expires === null) return state === 'ended' ? 'ended' : 'on'
  const day = new Date(expires).toLocaleDateString(undefined, { day: 'numeric', month: 'short', year: 'numeric' })
  return state === 'ended' || Date.parse(expires) <= now ? `ended ${day}` : `on until ${day}`
}

const INVITED: Readonly<Record<string, string>> = {
  open: 'invited',
  claimed: 'claimed: confirm it',
  'not confirmed': 'not confirmed',
  used: 'invitation used',
  ended: 'invitation ended',
  forged: 'a claim was forged',
}

export function invitationWord({ state }: Invitation): string {
  return Object.hasOwn(INVITED, state) ? (INVITED[state] ?? state) : `invitation: ${state}`
}

/** Whether the administrator has to say yes or no. */
export function isClaimed(invitation: Invitation | null): boolean {
  return invitation !== null && invitation.state === 'claimed'
}

function textOf({ name, opens, source = '', state, lastKnock, invitation }: User): string {
  return [name, opens.join(' '), source, state, lastKnock?.from ?? '', invitation?.state ?? ''].join('\n').toLowerCase()
}

function compare(one: string | number, other: string | number): number {
  return one < other ? -1 : one > other ? 1 : 0
}
