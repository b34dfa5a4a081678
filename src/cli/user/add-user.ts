/** `ghostport user add NAME`: a stanza with new keys, and the profile for the client. */
import { join } from 'node:path'
import type { StanzaName } from '../../access/stanza-name.ts'
import { systemClock } from '../../clock.ts'
import { buildPolicy } from '../../config/access/build-policy.ts'
import { appendStanza, setting } from '../../config/access/edit-stanza.ts'
import { findUser } from '../../config/access/users.ts'
import type { Profile } from '../../config/client/profile.ts'
import type { Notice } from '../../config/reading/notice.ts'
import type { ServerConfig } from '../../config/server/server-config.ts'
import { formatProtocolPorts } from '../../packet/protocol-port.ts'
import { ok, type Result, refuse } from '../../result.ts'
import type { UnixSeconds } from '../../units.ts'
import type { Outcome } from '../command.ts'
import { usualKeys } from '../keygen.ts'
import type { KeyTexts } from '../knock/keygen-text.ts'
import { configFiles } from '../server/config-source.ts'
import { describeNotice, noticeJson } from '../server/notice-lines.ts'
import type { Terminal } from '../terminal/terminal.ts'
import { type AccessFiles, changeAccess } from './access-files.ts'
import { type Given, reachOf } from './options.ts'
import { makeProfile, prepareShowing, type ServerAddress } from './show-profile.ts'
import { reportServer, tellServer } from './tell-server.ts'
import { parseWish, type WishOption } from './wishes.ts'

export async function addUser(name: StanzaName, given: Given, terminal: Terminal): Promise<Outcome> {
  const now = systemClock.now()
  const wish = parseWish(given, name, now)
  if (!wish.ok) return wish
  const showing = await prepareShowing(given)
  if (!showing.ok) return showing
  const put = await putUser(name, given, showing.value, {
    ...{ now, did: 'user add', keep: showing.value.keep },
  })
  if (!put.ok) return put
  const { file, open, profile, server, notices } = put.value
  // First of all: they are nowhere else.
  const shown = await showing.value.show(profile, terminal, { user: name, file, open })
  const answer = await tellServer(server.controlSocket)
  if (given.json > 0) terminal.printJson({ ...shown, notices: notices.map(noticeJson), server: answer })
  else {
    terminal.note(`added ${name} to ${file}: may open ${open}`)
    for (const notice of notices) terminal.note(describeNotice(notice))
  }
  return reportServer(answer, given.json > 0 ? { ...terminal, note: () => {} } : terminal)
}

/** What a new user has besides. */
export interface Besides {
  readonly now: UnixSeconds
  /** Absent: new ones. */
  readonly keys?: KeyTexts
  /** Keeps the profile elsewhere, before the file is written. `lines`: those of the stanza, without its keys. */
  readonly keep?: (
    profile: Profile,
    server: ServerConfig,
    lines: readonly string[],
  ) => Result<{ readonly takeBack: () => void }>
  /** For the audit log. */
  readonly did: string
  /** Other lines of the stanza. Called after `keep`. */
  readonly edit?: (lines: readonly string[]) => readonly string[]
}

export interface PutUser {
  readonly file: string
  readonly open: string
  readonly profile: Profile
  readonly server: ServerConfig
  /** What the server will say of the new stanza. */
  readonly notices: readonly Notice[]
}

/** Writes the stanza of a new user, with new keys. If that fails, what was kept is taken back. */
export async function putUser(
  name: StanzaName,
  given: Pick<Given, WishOption | 'config-file' | 'access-file'> & Partial<Pick<Given, 'local'>>,
  address: ServerAddress,
  { now, keys = usualKeys(), keep, edit, did }: Besides,
): Promise<Result<PutUser>> {
  const source = configFiles(given)
  if (!source.ok) return source
  const wish = parseWish(given, name, now)
  if (!wish.ok) return wish
  let kept: { readonly takeBack: () => void } | undefined
  const changed = await changeAccess(source.value, reachOf(given), (access) => {
    const there = findUser(access.users, name)
    if (there !== undefined)
      return refuse('USER_EXISTS', `${there.name} is in ${there.place.file}:${there.place.first}`, {
        suggestion: `another name, or “ghostport user rotate ${there.name}” for new keys`,
      })
    const open = wish.value.open === undefined ? usualPorts(access) : ok(wish.value.open)
    if (!open.ok) return open
    const profile = makeProfile(address, access.server, keys, {
      ...{ ports: open.value, client: wish.value.client, made: now },
      ...(wish.value.expires !== undefined && { until: wish.value.expires }),
      ...(wish.value.spaPort !== undefined && {
        spaPorts: [{ first: wish.value.spaPort, last: wish.value.spaPort }],
      }),
    })
    if (!profile.ok) return profile
    const { accessFile, accessFolder } = access.server
    const { clusterFile } = access
    const file = clusterFile ?? (accessFolder === undefined ? accessFile : join(accessFolder, `${name}.conf`))
    const text = access.files.read(file)
    if (
      !text.ok &&
      clusterFile === undefined &&
      (accessFolder === undefined || text.failure.code !== 'CONFIG_UNREADABLE')
    )
      return text
    const [first = '', second = '', ...others] = wish.value.lines
    const keyless = [first, second, setting('OPEN_PORTS', open.value), ...others]
    const taken = keep?.(profile.value, access.server, keyless)
    if (taken?.ok === false) return taken
    kept = taken?.value
    const lines = [...keyless, setting('KEY_BASE64', keys.key), setting('HMAC_KEY_BASE64', keys.hmacKey)]
    const added = appendStanza(text.ok ? text.value : '', edit?.(lines) ?? lines)
    return ok({
      texts: new Map([[file, added]]),
      result: { file, open: open.value, profile: profile.value },
      recorded: { did, to: name },
    })
  })
  if (changed.ok) {
    const { result, server, loaded } = changed.value
    // Of this stanza alone: a notice about several names the first of them.
    const alone = buildPolicy(server, loaded?.policy.stanzas.filter((stanza) => stanza.name === name) ?? [])
    return ok({ ...result, server, notices: alone.ok ? alone.value.notices : [] })
  }
  kept?.takeBack()
  return changed
}

/** What all other stanzas open, if they agree: on most servers, one port. */
export function usualPorts({ users }: AccessFiles): Result<string> {
  const stanzas = users.flatMap(({ stanza }) => (stanza === undefined ? [] : [stanza]))
  const all = new Set(stanzas.map(({ openPorts }) => (openPorts === undefined ? '' : formatProtocolPorts(openPorts))))
  const [first = 'tcp/22', ...others] = all
  if (first !== '' && others.length === 0) return ok(first)
  return refuse('CLI_USAGE', 'the other stanzas do not all open the same ports, so --open is needed', {
    suggestion: '--open tcp/22',
  })
}
