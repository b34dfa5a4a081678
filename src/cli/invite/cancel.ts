/** `ghostport invite cancel NAME`: first nobody can claim it any more, then the user goes. */
import { type StanzaName, sameNameKey } from '../../access/stanza-name.ts'
import { systemClock } from '../../clock.ts'
import { stanzasOf } from '../../config/access/edit-users.ts'
import { findUser } from '../../config/access/users.ts'
import { invitationsFolder } from '../../config/server/server-config.ts'
import { cancelInvitations, listInvitations } from '../../invitations/store.ts'
import { ok, refuse } from '../../result.ts'
import type { Outcome } from '../command.ts'
import { recordedIfPossible } from '../recorded.ts'
import { configFiles } from '../server/config-source.ts'
import { describeFailure, type Terminal } from '../terminal/terminal.ts'
import { readAccess } from '../user/access-files.ts'
import { changeUser } from '../user/change-user.ts'
import { cancelAt } from './ask-gateway.ts'
import { accessFor } from './at-gateways.ts'
import type { Given } from './options.ts'

export async function cancel(name: StanzaName, given: Given, terminal: Terminal): Promise<Outcome> {
  const source = configFiles(given)
  const access = source.ok ? readAccess(source.value) : source
  if (!access.ok) return access
  const { server, users } = access.value
  const [folder, now] = [invitationsFolder(server), systemClock.now()]
  const waiting = listInvitations(folder, now)
  if (!waiting.ok) return waiting
  const its = waiting.value.filter(({ user, state }) => state !== 'used' && sameNameKey(user) === sameNameKey(name))
  // Also one that was confirmed: the profile may wait there still.
  const atGateways = waiting.value.flatMap(({ user, gateway }) =>
    gateway !== undefined && sameNameKey(user) === sameNameKey(name) ? [gateway] : [],
  )
  const removed =
    its.length === 0
      ? ok(0)
      : await recordedIfPossible(
          server.auditLog,
          { did: 'invite cancel', to: name, before: its.map(({ state }) => state), after: [] },
          terminal.note,
          () => cancelInvitations(folder, name, now),
        )
  if (!removed.ok) return removed
  for (const gateway of atGateways) {
    const told = accessFor(gateway, given, access.value.source.server)
    const gone = told.ok ? await cancelAt(told.value, gateway) : told
    // Nobody can confirm it any more. What the gateway has opens nothing, and ends by itself.
    if (!gone.ok) terminal.note(`the gateway was not told: ${describeFailure(gone.failure)}`)
  }
  const user = findUser(users, name)
  if (removed.value === 0 && user?.isInvited !== true)
    return refuse('INVITATION_ENDED', `there is no open invitation for ${name}: it was used, or there was none`, {
      suggestion: user === undefined ? 'ghostport invite list' : `ghostport user remove ${user.name}`,
    })
  if (user?.name === undefined) {
    if (given.json > 0) terminal.printJson({ user: name, changed: false })
    else terminal.note(`cancelled the invitation of ${name}, who was removed already`)
    return 0
  }
  // The server does not run without a stanza.
  const isOnly = stanzasOf(users, user.name).length === users.length
  return changeUser(isOnly ? 'disable' : 'remove', user.name, given, terminal)
}
