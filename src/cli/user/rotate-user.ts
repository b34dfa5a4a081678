/** `ghostport user rotate NAME`: new keys. The old ones stay for a while, in a stanza of their own, with an end. */
import { parseStanzaName, type StanzaName, sameNameKey } from '../../access/stanza-name.ts'
import { systemClock } from '../../clock.ts'
import { type NodeMark, replacedKeys, setting, withKeys, withNodeMark } from '../../config/access/edit-stanza.ts'
import { editUsers, outlived } from '../../config/access/edit-users.ts'
import { findUser, type User } from '../../config/access/users.ts'
import type { RcChange } from '../../config/client/edit-fwknoprc.ts'
import type { Profile } from '../../config/client/profile.ts'
import { invitationsFolder, type ServerConfig } from '../../config/server/server-config.ts'
import { cancelInvitations } from '../../invitations/store.ts'
import { DEFAULT_ENCRYPTION_MODE } from '../../packet/encryption-mode.ts'
import { formatProtocolPorts } from '../../packet/protocol-port.ts'
import { ok, type Result, refuse } from '../../result.ts'
import { type UnixSeconds, unixSeconds } from '../../units.ts'
import type { Outcome } from '../command.ts'
import { usualKeys } from '../keygen.ts'
import type { KeyTexts } from '../knock/keygen-text.ts'
import { configFiles } from '../server/config-source.ts'
import type { Terminal } from '../terminal/terminal.ts'
import { type AccessFiles, changeAccess, type NewTexts } from './access-files.ts'
import { type Given, reachOf } from './options.ts'
import { makeProfile, prepareShowing, type ServerAddress } from './show-profile.ts'
import { reportServer, tellServer } from './tell-server.ts'
import { unknownUser } from './unknown-user.ts'
import { parseRotation } from './wishes.ts'

export async function rotateUser(name: StanzaName, given: Given, terminal: Terminal): Promise<Outcome> {
  const source = configFiles(given)
  if (!source.ok) return source
  const now = systemClock.now()
  const asked = parseRotation(given, now)
  if (!asked.ok) return asked
  const { end, client } = asked.value
  const showing = await prepareShowing(given)
  if (!showing.ok) return showing
  const keys = usualKeys()
  let kept: { readonly takeBack: () => void } | undefined
  const changed = await changeAccess(source.value, reachOf(given), (access) => {
    const { users, server } = access
    const user = findUser(users, name)
    if (user?.name === undefined) return unknownUser(users, name)
    if (user.nodeKeys !== undefined)
      return refuse('CONFIG_CONFLICT', `the keys of ${user.name} are those of a fleet`, {
        suggestion: `ghostport user rotate ${user.name} --nodes NODES`,
      })
    const rotated = rotateStanza(access, user, keys, { end: end, now })
    if (!rotated.ok) return rotated
    const { texts, old, until } = rotated.value
    const { ports, profile } = profileAfter(user, showing.value, server, keys, { more: client, now })
    if (!profile.ok) return profile
    const taken = showing.value.keep(profile.value)
    if (!taken.ok) return taken
    kept = taken.value
    const result = { user: user.name, file: user.place.file, open: ports, old, until, profile: profile.value }
    return ok({ texts, result, recorded: { did: 'user rotate', to: user.name } })
  })
  if (!changed.ok) {
    kept?.takeBack()
    return changed
  }
  const { profile, user, file, open, old, until } = changed.value.result
  // It has the old keys.
  const cancelled = cancelInvitations(invitationsFolder(changed.value.server), user, now)
  // First of all: they are nowhere else.
  const shown = await showing.value.show(profile, terminal, { user, file, open })
  const answer = await tellServer(changed.value.server.controlSocket)
  if (given.json > 0) {
    terminal.printJson({ ...shown, oldKeys: old, oldKeysUntil: until, server: answer })
    return reportServer(answer, { ...terminal, note: () => {} })
  }
  terminal.note(
    until <= now
      ? `${user} has new keys. The old ones, called ${old}, open nothing any more`
      : `${user} has new keys. The old ones, called ${old}, open until ${new Date(until * 1000).toISOString().replace('.000Z', 'Z')}`,
  )
  if (cancelled.ok && cancelled.value > 0)
    terminal.note(`the invitation of ${user}, which had the old keys, is cancelled`)
  if (until > now) terminal.note('“ghostport user list” says who still uses old keys')
  return reportServer(answer, terminal)
}

/** What the old keys become, and when they end. */
export interface Rotated {
  readonly texts: NewTexts
  readonly old: StanzaName
  readonly until: UnixSeconds
}

/**
 * The stanza gets new keys, and the old ones another name and an end.
 * @param mark of the new keys, if they are those of a node.
 */
export function rotateStanza(
  { users, files }: Pick<AccessFiles, 'users' | 'files'>,
  user: User,
  keys: Pick<KeyTexts, 'key' | 'hmacKey'>,
  { end, now, mark }: { readonly end: UnixSeconds; readonly now: UnixSeconds; readonly mark?: NodeMark },
): Result<Rotated> {
  const { name, stanza } = user
  if (name === undefined) throw new Error('who is rotated has a name')
  const judged = judge(user, now)
  if (!judged.ok) return judged
  const named = oldName(name, users, now)
  if (!named.ok) return named
  // Keys never live longer than they would have.
  const until = unixSeconds(Math.min(end, stanza?.expires ?? end))
  const lines = [setting('KEY_BASE64', keys.key), setting('HMAC_KEY_BASE64', keys.hmacKey)]
  const renewed = (old: readonly string[]): readonly string[] =>
    mark === undefined ? withKeys(old, lines) : withNodeMark(withKeys(old, lines), mark)
  const edited = editUsers(files, [
    ...outlived(users, now).map((one) => ({ user: one, edit: 'remove' }) as const),
    { user, edit: (old) => [...renewed(old), '', ...replacedKeys(old, name, named.value, until)] },
  ])
  return edited.ok ? ok({ texts: edited.value, old: named.value, until }) : edited
}

/** The profile of a user whose stanza stays as it is, but for the keys. */
export function profileAfter(
  user: User,
  address: ServerAddress,
  server: ServerConfig,
  keys: KeyTexts,
  { more, now }: { readonly more: readonly RcChange[]; readonly now: UnixSeconds },
): { readonly ports: string; readonly profile: Result<Profile> } {
  const { stanza } = user
  const ports = stanza?.openPorts === undefined ? 'tcp/22' : formatProtocolPorts(stanza.openPorts)
  const profile = makeProfile(address, server, keys, {
    ...{ ports, client: [...clientSettings(user), ...more], made: now },
    ...(stanza?.expires !== undefined && { until: stanza.expires }),
    ...(stanza?.spaPorts !== undefined && { spaPorts: stanza.spaPorts }),
  })
  return { ports, profile }
}

function judge({ name, stanza, isDisabled, isInvited, oldKeysOf }: User, now: UnixSeconds): Result<void> {
  const wrong = (detail: string, suggestion?: string) =>
    refuse('CONFIG_CONFLICT', detail, suggestion === undefined ? {} : { suggestion })
  if (isDisabled) return wrong(`${name} is disabled`, `ghostport user enable ${name}`)
  if (isInvited) return wrong(`${name} is not confirmed yet`, `ghostport invite confirm ${name}`)
  if (oldKeysOf !== undefined)
    return wrong(`${name} is the old keys of ${oldKeysOf}`, `ghostport user rotate ${oldKeysOf}`)
  if (stanza === undefined) return wrong(`${name} has no usable key: “ghostport check” says why`)
  if (stanza.encryption.kind !== 'symmetric')
    return wrong(`the keys of ${name} are in a GnuPG keyring: change them there`)
  if (stanza.expires !== undefined && stanza.expires <= now)
    return wrong(`${name} has expired: give the stanza another ACCESS_EXPIRE first`)
  return ok(undefined)
}

/** `ada.old-20261126`, which no other stanza has. */
function oldName(name: StanzaName, users: readonly User[], now: UnixSeconds): Result<StanzaName> {
  const day = new Date(now * 1000).toISOString().slice(0, 10).replaceAll('-', '')
  const taken = new Set(users.flatMap((user) => (user.name === undefined ? [] : [sameNameKey(user.name)])))
  for (let i = 1; i <= users.length + 1; i++) {
    const end = `.old-${day}${i === 1 ? '' : `-${i}`}`
    // A name has at most 63 characters.
    const parsed = parseStanzaName(`${name.slice(0, 63 - end.length)}${end}`)
    if (!parsed.ok) return parsed
    if (!taken.has(sameNameKey(parsed.value))) return parsed
  }
  throw new Error('all names are taken')
}

/** What the client has to say besides, for this stanza to accept it. */
function clientSettings({ stanza }: User): readonly RcChange[] {
  const encryption = stanza?.encryption
  const mode = encryption?.kind === 'symmetric' ? encryption.mode : DEFAULT_ENCRYPTION_MODE
  return [
    ...(stanza?.requireSourceAddress === true ? [{ name: 'ALLOW_IP', value: 'resolve' } as const] : []),
    ...(mode === DEFAULT_ENCRYPTION_MODE ? [] : [{ name: 'ENCRYPTION_MODE', value: mode } as const]),
  ]
}
