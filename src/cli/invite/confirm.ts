/** `ghostport invite confirm NAME`: the keys of a file, which ended with the invitation, go on. */
import { type StanzaName, sameNameKey } from '../../access/stanza-name.ts'
import { systemClock } from '../../clock.ts'
import { confirmed } from '../../config/access/edit-stanza.ts'
import { editUsers } from '../../config/access/edit-users.ts'
import { findUser } from '../../config/access/users.ts'
import { invitationsFolder } from '../../config/server/server-config.ts'
import { listInvitations } from '../../invitations/store.ts'
import { ok, refuse } from '../../result.ts'
import type { Outcome } from '../command.ts'
import { configFiles } from '../server/config-source.ts'
import type { Terminal } from '../terminal/terminal.ts'
import { changeAccess, readAccess } from '../user/access-files.ts'
import { askUses, reportServer, tellServer } from '../user/tell-server.ts'
import { unknownUser } from '../user/unknown-user.ts'
import type { Given } from './options.ts'

export async function confirm(name: StanzaName, given: Given, terminal: Terminal): Promise<Outcome> {
  const source = configFiles(given)
  if (!source.ok) return source
  const access = readAccess(source.value)
  if (!access.ok) return access
  const found = findUser(access.value.users, name)
  if (found?.name === undefined) return unknownUser(access.value.users, name)
  const waiting = listInvitations(invitationsFolder(access.value.server), systemClock.now())
  if (!waiting.ok) return waiting
  const its = waiting.value.filter(({ user, state }) => state !== 'used' && sameNameKey(user) === sameNameKey(name))
  const gateway = its.at(-1)?.gateway
  if (gateway !== undefined)
    return (await import('./confirm-claim.ts')).confirmClaim(found.name, gateway, given, terminal)
  for (const option of ['fingerprint', 'gateway-token'] as const)
    if (given[option] !== undefined)
      return refuse('CLI_USAGE', `--${option} has no effect: no link of ${found.name} waits at a gateway`)
  if (!found.isInvited) return notInvited(found.name)
  const use = (await askUses(access.value.server.controlSocket))?.uses[found.name]
  if (use === undefined && given.anyway === 0)
    return refuse('INVITATION_ENDED', `no knock of ${found.name} is known, so nobody can say who has the file`, {
      suggestion: `wait for a knock (“ghostport invite list”), or --anyway`,
    })
  const changed = await changeAccess(source.value, 'all', ({ users, files }) => {
    const user = findUser(users, name)
    if (user?.name === undefined) return unknownUser(users, name)
    if (!user.isInvited) return notInvited(user.name)
    const texts = editUsers(files, [{ user, edit: confirmed }])
    if (!texts.ok) return texts
    const result = { user: user.name, file: user.place.file }
    return ok({ texts: texts.value, result, recorded: { did: 'invite confirm', to: user.name } })
  })
  if (!changed.ok) return changed
  const { result, server } = changed.value
  const answer = await tellServer(server.controlSocket)
  if (given.json > 0) {
    terminal.printJson({ ...result, lastKnock: use ?? null, server: answer })
    return reportServer(answer, { ...terminal, note: () => {} })
  }
  const knock =
    use === undefined ? 'no knock is known' : `last knock: ${use.time.replace(/\..*/, 'Z')} from ${use.source}`
  terminal.note(`confirmed ${result.user} in ${result.file} (${knock})`)
  return reportServer(answer, terminal)
}

function notInvited(name: StanzaName) {
  return refuse(
    'INVITATION_ENDED',
    `${name} needs no confirmation: the stanza has no mark of “ghostport invite --file”`,
    {
      suggestion: 'ghostport invite list',
    },
  )
}
