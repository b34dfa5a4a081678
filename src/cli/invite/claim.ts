/** `ghostport invite claim`: from a link to the profile, once. */
import { systemClock } from '../../clock.ts'
import { findUser } from '../../config/access/users.ts'
import { invitationsFolder } from '../../config/server/server-config.ts'
import { parseSecret } from '../../invitations/secret.ts'
import { claimInvitation } from '../../invitations/store.ts'
import type { Outcome } from '../command.ts'
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
  const claimed = claimInvitation(invitationsFolder(access.value.server), secret.value, systemClock.now())
  if (!claimed.ok) return claimed
  const { user, text: profile } = claimed.value
  if (given.json > 0) terminal.printJson({ user, profile })
  else terminal.print(profile)
  const found = findUser(access.value.users, user)
  if (found === undefined) terminal.note(`the user ${user} was removed meanwhile: this profile opens nothing`)
  else if (found.isDisabled)
    terminal.note(`the user ${user} is disabled: this profile opens nothing until “ghostport user enable ${user}”`)
  return 0
}
