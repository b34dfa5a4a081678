/** `ghostport invite claim`: from a link to the profile, once. */
import { systemClock } from '../../clock.ts'
import { findUser } from '../../config/access/users.ts'
import { invitationsFolder } from '../../config/server/server-config.ts'
import { parseSecret } from '../../invitations/secret.ts'
import { claimInvitation, findInvitation } from '../../invitations/store.ts'
import type { Outcome } from '../command.ts'
import { recorded } from '../recorded.ts'
import { configFiles } from '../server/config-source.ts'
import { readTyped } from '../terminal/read-typed.ts'
import type { Terminal } from '../terminal/terminal.ts'
import { readAccess } from '../user/access-files.ts'
import type { Given } from './options.ts'

export async function claim(given: Given, terminal: Terminal): Promise<Outcome> {
  const source = configFiles(given)
  const access = source.ok ? readAccess(source.value) : source
  if (!access.ok) return access
  const text = await readTyped(
    'the link ghostport://invite/… or its secret (not shown)',
    terminal,
    'INVITATION_INVALID',
  )
  const secret = text.ok ? parseSecret(text.value) : text
  if (!secret.ok) return secret
  const { server } = access.value
  const [folder, now] = [invitationsFolder(server), systemClock.now()]
  const found = findInvitation(folder, secret.value, now)
  if (!found.ok) return found
  const change = { did: 'invite claim', to: found.value, before: ['open'], after: ['used'] }
  const claimed = await recorded(server.auditLog, change, () => claimInvitation(folder, secret.value, now))
  if (!claimed.ok) return claimed
  const { user, text: profile } = claimed.value
  if (given.json > 0) terminal.printJson({ user, profile })
  else terminal.print(profile)
  const invited = findUser(access.value.users, user)
  if (invited === undefined) terminal.note(`the user ${user} was removed meanwhile: this profile opens nothing`)
  else if (invited.isDisabled)
    terminal.note(`the user ${user} is disabled: this profile opens nothing until “ghostport user enable ${user}”`)
  return 0
}
