/** `ghostport user list` and `show NAME`: without keys. */
import type { Stanza } from '../../access/stanza.ts'
import type { StanzaName } from '../../access/stanza-name.ts'
import { systemClock } from '../../clock.ts'
import { findUser, type User } from '../../config/access/users.ts'
import { formatCapturePort } from '../../config/server/spa-ports.ts'
import type { UsesAnswer } from '../../daemon/warden/warden.ts'
import { formatProtocolPorts } from '../../packet/protocol-port.ts'
import type { UnixSeconds } from '../../units.ts'
import type { Outcome } from '../command.ts'
import { configFiles } from '../server/config-source.ts'
import type { Terminal } from '../terminal/terminal.ts'
import { type AccessFiles, readAccess } from './access-files.ts'
import { type Given, reachOf } from './options.ts'
import { askUses } from './tell-server.ts'
import { unknownUser } from './unknown-user.ts'

export async function listUsers(given: Given, terminal: Terminal): Promise<Outcome> {
  const source = configFiles(given)
  const access = source.ok ? readAccess(source.value, reachOf(given)) : source
  if (!access.ok) return access
  const now = systemClock.now()
  const { users, server } = access.value
  const told = await askUses(server.controlSocket)
  if (given.json > 0) {
    terminal.printJson({ users: users.map((user) => toJson(user, now, told)), usesSince: told?.since ?? null })
    return 0
  }
  if (users.length === 0) {
    terminal.print('no users: “ghostport user add NAME” adds one')
    return 0
  }
  const shared = access.value.clusterFile !== undefined
  const own = users.some(({ stanza }) => stanza?.spaPorts !== undefined)
  const rows = [
    ['NAME', ...(shared ? ['FROM'] : []), 'STATE', 'MAY OPEN', ...(own ? ['SPA PORT'] : []), 'END', 'LAST KNOCK'],
    ...users.map((user) => [
      ...[label(user), ...(shared ? [user.ofCluster ? 'cluster' : 'local'] : [])],
      ...[stateOf(user, now), portsOf(user.stanza)],
      ...(own ? [spaPortsOf(user.stanza)?.join(',') ?? '-'] : []),
      ...[endOf(user), useOf(user, told)],
    ]),
  ]
  terminal.print(inColumns(rows))
  for (const user of users) for (const line of aboutOldKeys(user, now, told)) terminal.note(line)
  terminal.note(
    told === undefined
      ? 'no server runs here, so nothing is known about knocks'
      : `knocks are known since ${told.since.replace(/\..*/, 'Z')}`,
  )
  if (users.some(({ name }) => name === undefined))
    terminal.note('a stanza without NAME cannot be named here: write a NAME into it')
  return 0
}

export async function showUser(name: StanzaName, given: Given, terminal: Terminal): Promise<Outcome> {
  const source = configFiles(given)
  const access = source.ok ? readAccess(source.value, reachOf(given)) : source
  if (!access.ok) return access
  const user = findUser(access.value.users, name)
  if (user === undefined) return unknownUser(access.value.users, name)
  const now = systemClock.now()
  const told = await askUses(access.value.server.controlSocket)
  if (given.json > 0) terminal.printJson({ ...toJson(user, now, told), usesSince: told?.since ?? null })
  else terminal.print(inColumns([...details(user, access.value, now), ['last knock', useOf(user, told)]]))
  return 0
}

function details(user: User, { users }: AccessFiles, now: UnixSeconds): readonly (readonly string[])[] {
  const { stanza, place, name } = user
  const old = users.filter(({ oldKeysOf }) => oldKeysOf !== undefined && oldKeysOf === name)
  return [
    ['name', label(user)],
    ['stanza', `${place.file}:${place.first}-${place.last}`],
    ...(user.ofCluster ? [['from', 'the cluster (CLUSTER_USERS)']] : []),
    ['state', stateOf(user, now)],
    ['may open', portsOf(stanza)],
    ...(stanza?.spaPorts === undefined ? [] : [['knocks at', `udp ${spaPortsOf(stanza)?.join(', ')} (SPA_PORT)`]]),
    ['end', endOf(user)],
    ...(stanza === undefined
      ? []
      : [
          [
            'source',
            stanza.sources === 'any' ? 'ANY' : stanza.sources.map((it) => `${it.prefix}/${it.length}`).join(', '),
          ],
          ['grant', `${stanza.timeout} s, at most ${stanza.maxTimeout} s`],
          ['HMAC', stanza.hmac?.type ?? 'none'],
        ]),
    ...(user.nodeKeys === undefined ? [] : [['keys of node', nodeOf(user.nodeKeys)]]),
    ...old.map((one) => ['old keys', `${label(one)}: ${stateOf(one, now)}, until ${endOf(one)}`]),
  ]
}

/** Key names: `web-1, and others for web-2, db-1`. */
function nodeOf({ keyName, all }: NonNullable<User['nodeKeys']>): string {
  const others = all.filter((one) => one !== keyName)
  return others.length === 0 ? keyName : `${keyName}, and others for ${others.join(', ')}`
}

/** The NAME, or the number of a stanza that has none. */
function label({ name, id }: User): string {
  return name ?? `(stanza ${id})`
}

type State = 'active' | 'disabled' | 'invited' | 'expired' | 'old keys' | 'no usable key' | 'left out'

export function stateOf({ stanza, isDisabled, isInvited, oldKeysOf, ofCluster }: User, now: UnixSeconds): State {
  if (ofCluster && stanza === undefined) return 'left out'
  if (isDisabled) return 'disabled'
  if (stanza === undefined) return 'no usable key'
  if (stanza.expires !== undefined && stanza.expires <= now) return 'expired'
  if (isInvited) return 'invited'
  return oldKeysOf === undefined ? 'active' : 'old keys'
}

/** Whether the stanza grants what it says, once its invitation is accepted. */
export function getsIn(user: User, now: UnixSeconds): boolean {
  const state = stateOf(user, now)
  return state === 'active' || state === 'invited'
}

function portsOf(stanza: Stanza | undefined): string {
  if (stanza === undefined) return '?'
  return stanza.openPorts === undefined ? 'any port' : formatProtocolPorts(stanza.openPorts)
}

function sourcesOf({ sources }: Stanza): string {
  return sources === 'any' ? 'ANY' : sources.map((it) => `${it.prefix}/${it.length}`).join(', ')
}

/** The SPA ports of its own. */
function spaPortsOf(stanza: Stanza | undefined): readonly string[] | undefined {
  return stanza?.spaPorts?.map(formatCapturePort)
}

function endOf({ stanza, isDisabled }: User): string {
  return stanza?.expires === undefined || isDisabled ? '-' : showDay(stanza.expires)
}

/** In UTC. */
function showDay(time: UnixSeconds): string {
  return new Date(time * 1000).toISOString().replace(/:..\.000Z$/, 'Z')
}

function useOf({ name }: User, told: UsesAnswer | undefined): string {
  const use = name === undefined ? undefined : told?.uses[name]
  if (use === undefined) return told === undefined ? '?' : 'none'
  return `${use.time.replace(/\..*/, 'Z')} from ${use.source}${use.code === undefined ? '' : ` (${use.code})`}`
}

/** A device that still knocks with keys that were changed. */
function aboutOldKeys({ name, oldKeysOf, stanza }: User, now: UnixSeconds, told: UsesAnswer | undefined): string[] {
  const use = name === undefined ? undefined : told?.uses[name]
  if (oldKeysOf === undefined || use === undefined) return []
  const end = stanza?.expires
  const isOver = end !== undefined && end <= now
  // Its last knock was in time: it may have new keys since.
  if (isOver && Date.parse(use.time) < end * 1000) return []
  const last = ` (last: ${use.time.replace(/\..*/, 'Z')})`
  return isOver
    ? [
        `a device of ${oldKeysOf} knocks with keys that ended: give it the new profile, or “ghostport user rotate ${oldKeysOf}”${last}`,
      ]
    : [`a device of ${oldKeysOf} still uses the old keys: it needs the new profile before they end${last}`]
}

function toJson(user: User, now: UnixSeconds, told: UsesAnswer | undefined) {
  const { id, name, place, stanza, oldKeysOf } = user
  return {
    name: name ?? null,
    from: user.ofCluster ? 'cluster' : 'local',
    stanza: id,
    file: place.file,
    line: place.first,
    state: stateOf(user, now),
    source: stanza === undefined ? null : sourcesOf(stanza),
    open: stanza?.openPorts?.map((one) => formatProtocolPorts([one])) ?? null,
    spaPorts: spaPortsOf(stanza) ?? null,
    expires: user.isDisabled ? null : (stanza?.expires ?? null),
    oldKeysOf: oldKeysOf ?? null,
    keysOfNode: user.nodeKeys?.keyName ?? null,
    lastKnock: (name === undefined ? undefined : told?.uses[name]) ?? null,
  }
}

export function inColumns(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((row) => (row[i] ?? '').length)))
  return rows.map((row) => row.map((cell, i) => (i === row.length - 1 ? cell : cell.padEnd(widths[i] ?? 0))).join('  '))
}
