/** `ghostport user disable`, `enable` and `remove`. Keys that the user had before rotate share their fate. */
import { type StanzaName, sameNameKey } from '../../access/stanza-name.ts'
import { systemClock } from '../../clock.ts'
import { disabled, enabled } from '../../config/access/edit-stanza.ts'
import { editUsers, outlived, stanzasOf, type UserEdit } from '../../config/access/edit-users.ts'
import { findUser } from '../../config/access/users.ts'
import { invitationsFolder } from '../../config/server/server-config.ts'
import { cancelInvitations } from '../../invitations/store.ts'
import { ok, refuse } from '../../result.ts'
import type { Outcome } from '../command.ts'
import { configFiles } from '../server/config-source.ts'
import { isAllEnded, revokeRunning, whatIsLeft, whatWasShared } from '../server/revoke-running.ts'
import type { Terminal } from '../terminal/terminal.ts'
import { changeAccess } from './access-files.ts'
import { type Given, reachOf } from './options.ts'
import { reportServer, tellServer } from './tell-server.ts'
import { unknownUser } from './unknown-user.ts'

export type Change = 'disable' | 'enable' | 'remove'

const DONE: Readonly<Record<Change, string>> = { disable: 'disabled', enable: 'enabled', remove: 'removed' }

export async function changeUser(
  change: Change,
  name: StanzaName,
  given: Pick<Given, 'config-file' | 'access-file' | 'json'> & Partial<Pick<Given, 'local'>>,
  terminal: Terminal,
): Promise<Outcome> {
  const source = configFiles(given)
  if (!source.ok) return source
  const now = systemClock.now()
  const changed = await changeAccess(source.value, reachOf(given), ({ users, files, server, inBoth }) => {
    const user = findUser(users, name)
    if (user?.name === undefined) return unknownUser(users, name)
    const its = stanzasOf(users, user.name)
    const old = outlived(users, now).filter((one) => !its.includes(one))
    const edits = its.flatMap((one): readonly UserEdit[] => {
      if (change === 'remove') return [{ user: one, edit: 'remove' }]
      if (one.isDisabled === (change === 'disable')) return []
      return [{ user: one, edit: change === 'disable' ? disabled : enabled }]
    })
    if (change === 'remove' && its.length === users.length && server.cluster?.users === undefined)
      return refuse(
        'CONFIG_MISSING_KEY',
        `${user.name} is the only user, and the server does not run without a stanza`,
        {
          suggestion: `ghostport user disable ${user.name}`,
        },
      )
    const tidied = edits.length === 0 ? [] : old
    const texts = editUsers(files, [...edits, ...tidied.map((one) => ({ user: one, edit: 'remove' }) as const)])
    if (!texts.ok) return texts
    const end = change === 'enable' && edits.length > 0
    return ok({
      texts: texts.value,
      recorded: { did: `user ${change}`, to: user.name, onlyTakesAway: change !== 'enable' },
      result: {
        name: user.name,
        file: user.place.file,
        line: user.place.first,
        changed: edits.length > 0,
        /** With those of the keys before. */
        stanzas: its.flatMap((one) => (one.name === undefined ? [] : [one.name])),
        alsoOldKeys: edits.flatMap((one) => (one.user !== user && one.user.name !== undefined ? [one.user.name] : [])),
        tidied: tidied.flatMap((one) => (one.name === undefined ? [] : [one.name])),
        enabled: end,
        alsoOfCluster: user.ofCluster !== true && inBoth.has(sameNameKey(user.name)),
      },
    })
  })
  if (!changed.ok) return changed
  // Who claims it later would get keys that open nothing.
  if (change === 'remove') cancelInvitations(invitationsFolder(changed.value.server), name, now)
  const { result, server, loaded, unrecorded } = changed.value
  const stanza = loaded?.policy.stanzas.find((one) => one.name === result.name)
  const expired = result.enabled && stanza?.expires !== undefined && stanza.expires <= now
  // Also where the file had it already: the server may not have been told.
  const answer = await tellServer(server.controlSocket)
  // After the server has taken the change: a knock in between opens nothing that stays.
  const ended = { grants: 0, connections: 0, closes: 0, shared: 0 }
  const sharedWith = new Set<string>()
  let open: string | undefined
  const cuts = change !== 'enable' && answer.state === 'taken'
  for (const one of cuts ? result.stanzas : []) {
    const cut = await revokeRunning(server.controlSocket, one)
    if (cut.ok) {
      ended.grants += cut.value.revoked.length
      ended.connections += cut.value.connections
      ended.closes += cut.value.closes.good
      ended.shared += cut.value.shared
      for (const other of cut.value.sharedWith) sharedWith.add(other)
      if (!isAllEnded(cut.value)) open = whatIsLeft(cut.value).join('; ')
    } else if (cut.failure.code !== 'REVOKE_UNKNOWN') open = cut.failure.detail
  }
  if (given.json > 0) {
    const { name: user, file, line, changed: isChanged, alsoOldKeys, tidied, alsoOfCluster } = result
    terminal.printJson({
      user,
      file,
      line,
      changed: isChanged,
      alsoOldKeys,
      alsoOfCluster,
      tidied,
      expired,
      server: answer,
      ended: cuts ? { ...ended, sharedWith: [...sharedWith] } : null,
      stillOpen: open ?? null,
      recorded: unrecorded === undefined,
    })
    return Math.max(reportServer(answer, { ...terminal, note: () => {} }), open === undefined ? 0 : 1)
  }
  terminal.note(describe(change, result))
  if (unrecorded !== undefined) terminal.note(`the audit log has no line about it: ${unrecorded.detail}`)
  for (const old of result.tidied) terminal.note(`removed ${old}: these old keys ended more than 30 days ago`)
  if (result.alsoOfCluster) terminal.note(aboutTheOther(change, result.name))
  if (expired)
    terminal.note(`${result.name} has an end that has passed (ACCESS_EXPIRE): the stanza grants nothing still`)
  const status = reportServer(answer, terminal)
  if (cuts) {
    const closes = ended.closes === 0 ? '' : `, closes of command cycles ${ended.closes}`
    terminal.note(`ended now: grants ${ended.grants}, connections ${ended.connections}${closes}`)
    const shared = whatWasShared({ shared: ended.shared, sharedWith: [...sharedWith] })
    if (shared !== undefined) terminal.note(shared)
  }
  if (open === undefined) return status
  terminal.note(`what is open for ${result.name} was not ended (${open}): ghostport revoke ${result.name}`)
  return 1
}

/** The cluster has a user of the same name. */
function aboutTheOther(change: Change, name: StanzaName): string {
  const its = `the cluster has a user ${name} too, who is as before`
  if (change === 'remove')
    return `${its} and counts at this node now. For all nodes: ghostport user remove ${name}, once more`
  if (change === 'enable') return `${its}: other nodes do not have this one`
  return `${its}, and counts at other nodes. For all nodes: ghostport user remove ${name} --local, then ghostport user disable ${name}`
}

function describe(
  change: Change,
  {
    name,
    file,
    line,
    changed,
    alsoOldKeys,
  }: { name: string; file: string; line: number; changed: boolean; alsoOldKeys: readonly string[] },
): string {
  if (!changed) return `${name} is ${DONE[change]} already, in ${file}:${line}`
  const also = alsoOldKeys.length === 0 ? '' : `, with the old keys ${alsoOldKeys.join(', ')}`
  return `${DONE[change]} ${name} in ${file}${also}`
}
