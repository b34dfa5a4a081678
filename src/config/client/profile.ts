/**
 * The profile of a client: all that a device needs to knock, as one line of text. “ghostport user add” makes it, and
 * “ghostport client add” writes it into the rc file. It holds the keys.
 *
 *   ghostport://profile/1?name=office&server=host.example&open=tcp/22&key=…&hmac=…&made=1764150000
 *
 * 1 is the version. The fields are in any order, each at most once. Values are written as in a URL (%20). A field that
 * is not known is refused: an older ghostport would else knock for less, or for more, than was meant.
 */
import { ok, type Result } from '../../result.ts'
import type { RcChange } from './edit-fwknoprc.ts'
import { type ClientSettingName, readClientSetting } from './fwknoprc-settings.ts'
import {
  formatFields,
  fromBase64Url,
  isHost,
  isStanzaName,
  type ProfileFailure,
  readFields,
  readHead,
  readTimes,
  type Times,
  timeFields,
  toBase64Url,
  wrong,
} from './profile-url.ts'

/** `made`: when its keys were made. `until`: when the server stops to accept it. */
export interface Profile extends Times {
  /** The name of the stanza in the rc file. */
  readonly name: string
  /** Texts as the rc file has them. Each is valid for its setting. */
  readonly settings: readonly RcChange[]
}

const HEAD = 'ghostport://profile/1?'
/** A profile has some 300 characters. */
const LONGEST = 2000

/** Field → setting of the rc file. In the order in which they are written. */
export const PROFILE_FIELDS = {
  server: 'SPA_SERVER',
  port: 'SPA_SERVER_PORT',
  allow: 'ALLOW_IP',
  open: 'ACCESS',
  nat: 'NAT_ACCESS',
  natlocal: 'NAT_LOCAL',
  time: 'FW_TIMEOUT',
  gateway: 'GATEWAY',
  target: 'GATEWAY_TARGET',
  mode: 'ENCRYPTION_MODE',
  key: 'KEY_BASE64',
  hmac: 'HMAC_KEY_BASE64',
  digest: 'HMAC_DIGEST_TYPE',
} as const satisfies Record<string, ClientSettingName>

export type ProfileField = keyof typeof PROFILE_FIELDS

/** The settings that a profile has fields for. */
export const PROFILE_SETTINGS: ReadonlySet<string> = new Set(Object.values(PROFILE_FIELDS))

const REQUIRED = ['server', 'open', 'key'] as const
const KNOWN: readonly string[] = ['name', ...Object.keys(PROFILE_FIELDS), 'made', 'until']
const SECRET: ReadonlySet<string> = new Set(['key', 'hmac'])

/** The text of a profile. It is a secret. */
export function formatProfile(profile: Profile): string {
  return formatFields(HEAD, [['name', profile.name], ...settingFields(profile.settings), ...timeFields(profile)])
}

/** Settings as fields. */
export function settingFields(settings: readonly RcChange[]): readonly (readonly [string, string])[] {
  return Object.entries(PROFILE_FIELDS).flatMap(([field, setting]): [string, string][] => {
    const value = settings.find((it) => it.name === setting)?.value
    return value === undefined ? [] : [[field, SECRET.has(field) ? toBase64Url(value) : value]]
  })
}

/**
 * @param text with blanks and line ends around it, as it may be pasted.
 * @returns the profile; PROFILE_INVALID, which never quotes the text of a key.
 */
export function parseProfile(text: string): Result<Profile, ProfileFailure> {
  const query = readHead(text, 'profile', LONGEST)
  const fields = query.ok ? readFields(query.value, KNOWN) : query
  if (!fields.ok) return fields
  const { once } = fields.value
  const missing = REQUIRED.find((field) => !once.has(field))
  if (missing !== undefined) return wrong(`the field “${missing}” is missing: was the whole line copied?`)
  return assemble(once)
}

function assemble(fields: ReadonlyMap<string, string>): Result<Profile, ProfileFailure> {
  const settings = readSettingFields(fields)
  if (!settings.ok) return settings
  if (fields.get('key') === fields.get('hmac')) return wrong('both keys are the same')
  if (fields.has('digest') && !fields.has('hmac')) return wrong('the field “digest” has no effect without “hmac”')
  const server = fields.get('server') ?? ''
  if (!isHost(server)) return wrong('the field “server” is not the name or address of a host')
  const name = fields.get('name') ?? server
  if (!isStanzaName(name)) return wrong('the field “name” cannot be the name of a stanza')
  const times = readTimes(fields)
  return times.ok ? ok({ name, settings: settings.value, ...times.value }) : times
}

/** Fields as settings. Each is valid for its setting. */
export function readSettingFields(fields: ReadonlyMap<string, string>): Result<readonly RcChange[], ProfileFailure> {
  const settings: RcChange[] = []
  for (const [field, name] of Object.entries(PROFILE_FIELDS)) {
    const written = fields.get(field)
    const value = written !== undefined && SECRET.has(field) ? fromBase64Url(written) : written
    if (value === undefined) continue
    // The rc file would cut the value there.
    if (/[\s;#]/.test(value)) return wrong(`the field “${field}” has a blank, “;” or “#”`)
    const read = readClientSetting(name, value)
    if (!read.ok)
      return wrong(`the field “${field}”: ${SECRET.has(field) ? 'the key cannot be used' : read.failure.detail}`)
    settings.push({ name, value })
  }
  return ok(settings)
}

/** A stanza of the rc file: its name in brackets, and its settings. Without a line end. */
export function profileStanza({ name, settings }: Pick<Profile, 'name' | 'settings'>): string {
  // FLEET may have no value.
  return [`[${name}]`, ...settings.map((it) => `${it.name.padEnd(20)}${it.value}`.trimEnd())].join('\n')
}
