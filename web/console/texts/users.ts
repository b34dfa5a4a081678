/** Users in words and in order. Pure. */
import type { Invitation, User } from '../api.ts'
import { type Sorting, sortedBy } from '../parts/rows.ts'
import { isFound, wordsOf } from './search-text.ts'

/** In the address, in place of a name. No user can have this name. */
export const NEW_USER = '+'

export function shownUsers(users: readonly User[], filter: string, { by, isDown }: Sorting): readonly User[] {
  const words = wordsOf(filter)
  const found = users.filter((user) => words.length === 0 || isFound(words, textOf(user)))
  return sortedBy(found, KEYS[by] ?? nameKey, ({ name }) => name, isDown)
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
export function isClaimed({ state }: Invitation): boolean {
  return state === 'claimed'
}

function textOf({ name, opens, source = '', state, lastKnock, invitation }: User): string {
  return [name, opens.join(' '), source, state, lastKnock?.from ?? '', invitation?.state ?? ''].join('\n').toLowerCase()
}
