/** How a profile is written as one line: `NAME=VALUE&NAME=VALUE`, each value as in a URL. */
import { encodeText } from '../../bytes/text.ts'
import { type Failure, ok, type Refused, type Result, refuse } from '../../result.ts'
import { type UnixSeconds, unixSeconds } from '../../units.ts'
import { nearest } from '../reading/nearest.ts'

export type ProfileFailure = Failure<'PROFILE_INVALID'>

/** With which every line of ours begins. */
export const BEGINNING = 'ghostport://'

export interface Fields {
  readonly once: ReadonlyMap<string, string>
  /** The values of the field that may be there several times. */
  readonly several: readonly string[]
}

/** @returns the line of these fields, in this order. @param head such as `ghostport://profile/1?`. */
export function formatFields(head: string, fields: readonly (readonly [string, string])[]): string {
  return `${head}${fields.map(([field, value]) => `${field}=${toUrl(value)}`).join('&')}`
}

/**
 * @param text with blanks and line ends around it, as it may be pasted.
 * @param kind what it should be: `profile`.
 * @returns what is behind the head; PROFILE_INVALID, which never quotes the text of a key.
 */
export function readHead(text: string, kind: string, most: number): Result<string, ProfileFailure> {
  const head = `${BEGINNING}${kind}/1?`
  const line = text.trim()
  if (line.length > most) return wrong(`it has ${line.length} characters, and a profile has at most ${most}`)
  if (!line.startsWith(BEGINNING)) return wrong(`it does not begin with ${BEGINNING}`)
  if (line.startsWith('ghostport://invite/'))
    return wrong(
      'this is the link of an invitation, which the server changes for the profile',
      'on the server: ghostport invite claim',
    )
  if (!line.startsWith(head))
    return new RegExp(`^${BEGINNING}${kind}/[0-9]+\\?`).test(line)
      ? wrong('it is of another version: this ghostport knows version 1. Update ghostport on this device')
      : wrong(`it does not begin with ${head}`)
  if (/[\s"'<>\\]/.test(line)) return wrong('it has a blank, a line end or a quote inside: was it copied as one line?')
  return ok(line.slice(head.length))
}

/** @param several the field that may be there more than once. */
export function readFields(query: string, known: readonly string[], several?: string): Result<Fields, ProfileFailure> {
  const once = new Map<string, string>()
  const values: string[] = []
  for (const part of query.split('&')) {
    const [, name, written] = /^([a-z]{1,20})=(.*)$/.exec(part) ?? []
    if (name === undefined || written === undefined)
      return wrong('a field is not NAME=VALUE: was it copied as a whole?')
    if (!known.includes(name)) {
      const meant = nearest(name, known)
      return wrong(`the field “${name}” is not known: it may come from a later version of ghostport`, meant)
    }
    if (once.has(name)) return wrong(`the field “${name}” is there twice`)
    const value = fromUrl(written)
    if (value === undefined || value === '') return wrong(`the field “${name}” has no readable value`)
    if (name === several) values.push(value)
    else once.set(name, value)
  }
  return ok({ once, several: values })
}

/** Whether a text can be the name or address of a host. */
export function isHost(text: string): boolean {
  return /^[A-Za-z0-9.:_%-]{1,255}$/.test(text)
}

/** Whether it can stand between the brackets of a stanza, and be typed as one word. */
export function isStanzaName(name: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9._:@-]{0,62}$/.test(name) && name.toLowerCase() !== 'default'
}

export interface Times {
  readonly made: UnixSeconds
  readonly until?: UnixSeconds
}

/** The fields “made” and “until”. */
export function readTimes(fields: ReadonlyMap<string, string>): Result<Times, ProfileFailure> {
  const made = time(fields.get('made') ?? '0')
  if (made === undefined) return wrong('the field “made” is not a time in seconds since 1970')
  const text = fields.get('until')
  const until = text === undefined ? undefined : time(text)
  if (text !== undefined && until === undefined) return wrong('the field “until” is not a time in seconds since 1970')
  return ok({ made, ...(until !== undefined && { until }) })
}

export function timeFields({ made, until }: Times): readonly (readonly [string, string])[] {
  return [['made', `${made}`], ...(until === undefined ? [] : [['until', `${until}`] as const])]
}

/** Keys are short and need no escapes so: a QR code has fewer squares. */
export function toBase64Url(base64: string): string {
  return base64.replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '')
}

/** Both alphabets, with padding or without. */
export function fromBase64Url(text: string): string {
  const base64 = text.replaceAll('-', '+').replaceAll('_', '/').replace(/=+$/, '')
  return base64.padEnd(Math.ceil(base64.length / 4) * 4, '=')
}

export function wrong(detail: string, suggestion?: string): Refused<ProfileFailure> {
  return refuse('PROFILE_INVALID', detail, suggestion === undefined ? {} : { suggestion })
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
