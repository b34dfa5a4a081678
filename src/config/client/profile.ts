/**
 * The profile of a client: all that a device needs to knock, as one line of text. “ghostport user add” makes it, and
 * “ghostport client add” writes it into the rc file. It holds the keys.
 *
 *   ghostport://profile/1?name=office&server=host.example&open=tcp/22&key=…&hmac=…&made=1764150000
 *
 * 1 is the version. The fields are in any order, each at most once. Values are written as in a URL (%20). A field that
 * is not known is refused: an older ghostport would else knock for less, or for more, than was meant.
 */
import { encodeText } from '../../bytes/text.ts'
import { type Failure, ok, type Refused, type Result, refuse } from '../../result.ts'
import { type UnixSeconds, unixSeconds } from '../../units.ts'
import { nearest } from '../reading/nearest.ts'
import type { RcChange } from './edit-fwknoprc.ts'
import { type ClientSettingName, readClientSetting } from './fwknoprc-settings.ts'

export interface Profile {
  /** The name of the stanza in the rc file. */
  readonly name: string
  /** Texts as the rc file has them. Each is valid for its setting. */
  readonly settings: readonly RcChange[]
  /** When its keys were made. */
  readonly made: UnixSeconds
  /** When the server stops to accept it. */
  readonly until?: UnixSeconds
}

type ProfileFailure = Failure<'PROFILE_INVALID'>

const BEGINNING = 'ghostport://'
const HEAD = 'ghostport://profile/1?'
const CLAIM = 'on the server: ghostport invite claim'
/** A profile has some 300 characters. */
const LONGEST = 2000

/** Field → setting of the rc file. In the order in which they are written. */
const FIELDS = {
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

/** The settings that a profile has fields for. */
export const PROFILE_SETTINGS: ReadonlySet<string> = new Set(Object.values(FIELDS))

const REQUIRED = ['server', 'open', 'key'] as const
const KNOWN: readonly string[] = ['name', ...Object.keys(FIELDS), 'made', 'until']
const SECRET: ReadonlySet<string> = new Set(['key', 'hmac'])

/** The text of a profile. It is a secret. */
export function formatProfile({ name, settings, made, until }: Profile): string {
  const fields = Object.entries(FIELDS).flatMap(([field, setting]): [string, string][] => {
    const value = settings.find((it) => it.name === setting)?.value
    return value === undefined ? [] : [[field, SECRET.has(field) ? toBase64Url(value) : value]]
  })
  const all = [['name', name], ...fields, ['made', `${made}`], ...(until === undefined ? [] : [['until', `${until}`]])]
  return `${HEAD}${all.map(([field = '', value = '']) => `${field}=${toUrl(value)}`).join('&')}`
}

/**
 * @param text with blanks and line ends around it, as it may be pasted.
 * @returns the profile; PROFILE_INVALID, which never quotes the text of a key.
 */
export function parseProfile(text: string): Result<Profile, ProfileFailure> {
  const line = text.trim()
  if (line.length > LONGEST) return wrong(`it has ${line.length} characters, and a profile has at most ${LONGEST}`)
  if (!line.startsWith(BEGINNING)) return wrong(`it does not begin with ${BEGINNING}`)
  if (line.startsWith('ghostport://invite/'))
    return wrong('this is the link of an invitation, which the server changes for the profile', CLAIM)
  if (!line.startsWith(HEAD))
    return /^ghostport:\/\/profile\/[0-9]+\?/.test(line)
      ? wrong('it is of another version: this ghostport knows version 1. Update ghostport on this device')
      : wrong(`it does not begin with ${HEAD}`)
  if (/[\s"'<>\\]/.test(line)) return wrong('it has a blank, a line end or a quote inside: was it copied as one line?')
  const fields = fieldsOf(line.slice(HEAD.length))
  if (!fields.ok) return fields
  const missing = REQUIRED.find((field) => !fields.value.has(field))
  if (missing !== undefined) return wrong(`the field “${missing}” is missing: was the whole line copied?`)
  return assemble(fields.value)
}

function fieldsOf(query: string): Result<ReadonlyMap<string, string>, ProfileFailure> {
  const fields = new Map<string, string>()
  for (const part of query.split('&')) {
    const [, name, written] = /^([a-z]{1,20})=(.*)$/.exec(part) ?? []
    if (name === undefined || written === undefined)
      return wrong('a field is not NAME=VALUE: was it copied as a whole?')
    if (!KNOWN.includes(name)) {
      const meant = nearest(name, KNOWN)
      return wrong(`the field “${name}” is not known: it may come from a later version of ghostport`, meant)
    }
    if (fields.has(name)) return wrong(`the field “${name}” is there twice`)
    const value = fromUrl(written)
    if (value === undefined || value === '') return wrong(`the field “${name}” has no readable value`)
    fields.set(name, value)
  }
  return ok(fields)
}

function assemble(fields: ReadonlyMap<string, string>): Result<Profile, ProfileFailure> {
  const settings: RcChange[] = []
  for (const [field, name] of Object.entries(FIELDS)) {
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
  if (fields.get('key') === fields.get('hmac')) return wrong('both keys are the same')
  if (fields.has('digest') && !fields.has('hmac')) return wrong('the field “digest” has no effect without “hmac”')
  const server = fields.get('server') ?? ''
  if (!/^[A-Za-z0-9.:_%-]{1,255}$/.test(server)) return wrong('the field “server” is not the name or address of a host')
  const name = fields.get('name') ?? server
  if (!isStanzaName(name)) return wrong('the field “name” cannot be the name of a stanza')
  const made = time(fields.get('made') ?? '0')
  if (made === undefined) return wrong('the field “made” is not a time in seconds since 1970')
  const untilText = fields.get('until')
  const until = untilText === undefined ? undefined : time(untilText)
  if (untilText !== undefined && until === undefined)
    return wrong('the field “until” is not a time in seconds since 1970')
  return ok({ name, settings, made, ...(until !== undefined && { until }) })
}

/** Whether it can stand between the brackets of a stanza, and be typed as one word. */
export function isStanzaName(name: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9._:@-]{0,62}$/.test(name) && name.toLowerCase() !== 'default'
}

/** A stanza of the rc file: its name in brackets, and its settings. Without a line end. */
export function profileStanza({ name, settings }: Profile): string {
  return [`[${name}]`, ...settings.map((it) => `${it.name.padEnd(20)}${it.value}`)].join('\n')
}

/** Keys are short and need no escapes so: a QR code has fewer squares. */
function toBase64Url(base64: string): string {
  return base64.replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '')
}

/** Both alphabets, with padding or without. */
function fromBase64Url(text: string): string {
  const base64 = text.replaceAll('-', '+').replaceAll('_', '/').replace(/=+$/, '')
  return base64.padEnd(Math.ceil(base64.length / 4) * 4, '=')
}

function time(text: string): UnixSeconds | undefined {
  return /^[0-9]{1,12}$/.test(text) && Number(text) <= 253_402_300_799 ? unixSeconds(Number(text)) : undefined
}

/** All but what a URL may hold as it is. “+”, which some readers take for a blank, is escaped. */
function toUrl(value: string): string {
  return value.replace(/[^A-Za-z0-9._~/:,@-]/g, (one) =>
    [...encodeText(one)].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join(''),
  )
}

function fromUrl(written: string): string | undefined {
  if (!/^(?:[A-Za-z0-9._~/:,@=+-]|%[0-9A-Fa-f]{2})*$/.test(written)) return undefined
  try {
    return decodeURIComponent(written)
  } catch {
    return undefined // not UTF-8
  }
}

function wrong(detail: string, suggestion?: string): Refused<ProfileFailure> {
  return refuse('PROFILE_INVALID', detail, suggestion === undefined ? {} : { suggestion })
}
