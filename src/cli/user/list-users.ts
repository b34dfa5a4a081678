/** `ghostport user list` and `show NAME`: without keys. */
import type { Stanza } from '../../access/stanza.ts'
import type { StanzaName } from '../../access/stanza-name.ts'
import { systemClock } from '../../clock.ts'
import { findUser, type User } from '../../config/access/users.ts'
import { formatProtocolPorts } from '../../packet/protocol-port.ts'
import type { UnixSeconds } from '../../units.ts'
import type { Outcome } from '../command.ts'
import { configFiles } from '../server/config-source.ts'
import type { Terminal } from '../terminal/terminal.ts'
import { type AccessFiles, readAccess } from './access-files.ts'
import type { Given } from './options.ts'
import { unknownUser } from './unknown-user.ts'

export async function listUsers(given: Given, terminal: Terminal): Promise<Outcome> {
  const source = configFiles(given)
  const access = source.ok ? readAccess(source.value) : source
  if (!access.ok) return access
  const now = systemClock.now()
  const { users } = access.value
  if (given.json > 0) {
    terminal.printJson({ users: users.map((user) => toJson(user, now)) })
    return 0
  }
  if (users.length === 0) {
    terminal.print('no users: “ghostport user add NAME” adds one')
    return 0
  }
  const rows = [
    ['NAME', 'STATE', 'MAY OPEN', 'END'],
    ...users.map((user) => [label(user), stateOf(user, now), portsOf(user.stanza), endOf(user)]),
  ]
  terminal.print(inColumns(rows))
  if (users.some(({ name }) => name === undefined))
    terminal.note('a stanza without NAME cannot be named here: write a NAME into it')
  return 0
}

export async function showUser(name: StanzaName, given: Given, terminal: Terminal): Promise<Outcome> {
  const source = configFiles(given)
  const access = source.ok ? readAccess(source.value) : source
  if (!access.ok) return access
  const user = findUser(access.value.users, name)
  if (user === undefined) return unknownUser(access.value.users, name)
  const now = systemClock.now()
  if (given.json > 0) terminal.printJson(toJson(user, now))
  else terminal.print(inColumns(details(user, access.value, now)))
  return 0
}

function details(user: User, { users }: AccessFiles, now: UnixSeconds): readonly (readonly string[])[] {
  const { stanza, place, name } = user
  const old = users.filter(({ oldKeysOf }) => oldKeysOf !== undefined && oldKeysOf === name)
  return [
    ['name', label(user)],
    ['stanza', `${place.file}:${place.first}-${place.last}`],
    ['state', stateOf(user, now)],
    ['may open', portsOf(stanza)],
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
    ...old.map((one) => ['old keys', `${label(one)}: ${stateOf(one, now)}, until ${endOf(one)}`]),
  ]
}

/** The NAME, or the number of a stanza that has none. */
function label({ name, id }: User): string {
  return name ?? `(stanza ${id})`
}

type State = 'active' | 'disabled' | 'expired' | 'old keys' | 'no usable key'

export function stateOf({ stanza, isDisabled, oldKeysOf }: User, now: UnixSeconds): State {
  if (isDisabled) return 'disabled'
  if (stanza === undefined) return 'no usable key'
  if (stanza.expires !== undefined && stanza.expires <= now) return 'expired'
  return oldKeysOf === undefined ? 'active' : 'old keys'
}

function portsOf(stanza: Stanza | undefined): string {
  if (stanza === undefined) return '?'
  return stanza.openPorts === undefined ? 'any port' : formatProtocolPorts(stanza.openPorts)
}

function endOf({ stanza, isDisabled }: User): string {
  return stanza?.expires === undefined || isDisabled ? '-' : showDay(stanza.expires)
}

/** In UTC. */
function showDay(time: UnixSeconds): string {
  return new Date(time * 1000).toISOString().replace(/:..\.000Z$/, 'Z')
}

function toJson(user: User, now: UnixSeconds) {
  const { id, name, place, stanza, oldKeysOf } = user
  return {
    name: name ?? null,
    stanza: id,
    file: place.file,
    line: place.first,
    state: stateOf(user, now),
    open: stanza?.openPorts?.map((one) => formatProtocolPorts([one])) ?? null,
    expires: user.isDisabled ? null : (stanza?.expires ?? null),
    oldKeysOf: oldKeysOf ?? null,
  }
}

function inColumns(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((row) => (row[i] ?? '').length)))
  return rows.map((row) => row.map((cell, i) => (i === row.length - 1 ? cell : cell.padEnd(widths[i] ?? 0))).join('  '))
}
