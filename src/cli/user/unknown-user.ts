/** A name that no stanza has. */
import type { StanzaName } from '../../access/stanza-name.ts'
import type { User } from '../../config/access/users.ts'
import { nearest } from '../../config/reading/nearest.ts'
import { refuse } from '../../result.ts'

export function unknownUser(users: readonly User[], name: StanzaName) {
  const names = users.flatMap((user) => (user.name === undefined ? [] : [user.name]))
  const meant = nearest(name, names)
  return refuse('USER_UNKNOWN', `no stanza of access.conf has the NAME ${name}`, {
    suggestion: meant ?? 'ghostport user list',
  })
}
