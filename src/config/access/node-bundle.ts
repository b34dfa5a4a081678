/**
 * A bundle: the keys of one user for one node of a fleet, as a file that is carried to the node. “ghostport user add
 * --nodes” and “ghostport client extend” write it, and “ghostport user import” reads it. It has the lines of a stanza
 * of access.conf, and of these only what a user needs: a bundle may come from a host that was taken over.
 */
import { parseStanzaName, type StanzaName } from '../../access/stanza-name.ts'
import { decodeBase64Padded } from '../../bytes/base64.ts'
import { type KeyName, parseKeyName } from '../../packet/node-name.ts'
import { type Failure, ok, type Result, refuse, type SourceLocation } from '../../result.ts'
import { type UnixSeconds, unixSeconds } from '../../units.ts'
import { refuseUnknownName } from '../reading/hide-keys.ts'
import { readSettingLines, type SettingLine } from '../reading/setting-lines.ts'
import { stanzaSettings } from './access-settings.ts'
import { setting } from './edit-stanza.ts'

/** The settings of a stanza that a bundle may have. None of them runs a program or reads a file. */
export const BUNDLE_SETTINGS = [
  'SOURCE',
  'OPEN_PORTS',
  'NAT_TARGETS',
  'FW_ACCESS_TIMEOUT',
  'MAX_FW_TIMEOUT',
  'SPA_PORT',
  'ACCESS_EXPIRE_EPOCH',
] as const
export type BundleSetting = (typeof BUNDLE_SETTINGS)[number]

const OWN = ['GHOSTPORT_BUNDLE', 'NODE', 'MADE', 'OLD_KEYS_UNTIL', 'NAME', 'KEY_BASE64', 'HMAC_KEY_BASE64'] as const
const KNOWN: readonly string[] = [...OWN, ...BUNDLE_SETTINGS]

export interface NodeBundle {
  /** The key name of the node. */
  readonly node: KeyName
  /** When the secret was made, or the bundle where that is not known. */
  readonly made: UnixSeconds
  /** Present: the user has other keys there, which end at this time. */
  readonly oldKeysUntil?: UnixSeconds
  readonly user: StanzaName
  /** Each is valid. Without OPEN_PORTS: the host decides. */
  readonly settings: readonly { readonly name: BundleSetting; readonly value: string }[]
  /** Padded base64 of 32 bytes. */
  readonly key: string
  /** Padded base64 of 64 bytes. */
  readonly hmacKey: string
}

type Wrong = Failure<'BUNDLE_INVALID'>

/** A bundle has some 400 characters. */
export const LONGEST_BUNDLE = 16_384

/** The text of a bundle. It is a secret. */
export function formatBundle({ node, made, oldKeysUntil, user, settings, key, hmacKey }: NodeBundle): string {
  return [
    `# The keys of ${user} for the node ${node}, and for no other. On the node: ghostport user import FILE`,
    '# Keep this file secret. Delete it when it was read.',
    setting('GHOSTPORT_BUNDLE', '1'),
    setting('NODE', node),
    setting('MADE', `${made}`),
    ...(oldKeysUntil === undefined ? [] : [setting('OLD_KEYS_UNTIL', `${oldKeysUntil}`)]),
    ...settings.filter(({ name }) => name === 'SOURCE').map(({ name, value }) => setting(name, value)),
    setting('NAME', user),
    ...settings.filter(({ name }) => name !== 'SOURCE').map(({ name, value }) => setting(name, value)),
    setting('KEY_BASE64', key),
    setting('HMAC_KEY_BASE64', hmacKey),
    '',
  ].join('\n')
}

/**
 * @param file its name, for messages.
 * @returns the bundle; BUNDLE_INVALID with the line, which never quotes a key.
 */
export function parseBundle(file: string, text: string): Result<NodeBundle, Wrong> {
  const start = { file, line: 1 }
  if (text.length > LONGEST_BUNDLE)
    return refuse('BUNDLE_INVALID', `it has more than ${LONGEST_BUNDLE} characters`, { at: start })
  const lines = readSettingLines(file, text, KNOWN)
  if (!lines.ok) return invalid(lines.failure)
  const values = new Map<string, SettingLine>()
  for (const line of lines.value) {
    const { name, value, at } = line
    if (!KNOWN.includes(name)) return invalid(refuseUnknownName('setting of a bundle', name, KNOWN, at).failure)
    const before = values.get(name)
    if (before !== undefined) return wrong(`${name} is already set in line ${before.at.line}`, at)
    if (value === '') return wrong(`${name} has no value`, at)
    values.set(name, line)
  }
  const version = values.get('GHOSTPORT_BUNDLE')
  if (version === undefined || version !== lines.value[0])
    return wrong('it does not begin with GHOSTPORT_BUNDLE: is it a bundle, and was it copied as a whole?', start)
  if (version.value !== '1')
    return wrong('it is of another version: this ghostport knows version 1. Update ghostport on this host', version.at)
  const missing = ['NODE', 'MADE', 'NAME', 'KEY_BASE64', 'HMAC_KEY_BASE64'].find((name) => !values.has(name))
  if (missing !== undefined) return wrong(`${missing} is missing: was the whole file copied?`, start)
  return assemble((name) => values.get(name))
}

function assemble(line: (name: string) => SettingLine | undefined): Result<NodeBundle, Wrong> {
  const node = parseKeyName(line('NODE')?.value ?? '')
  if (!node.ok) return wrong(`NODE: ${node.failure.detail}`, line('NODE')?.at)
  const user = parseStanzaName(line('NAME')?.value ?? '')
  if (!user.ok) return wrong(`NAME: ${user.failure.detail}`, line('NAME')?.at)
  const made = time(line('MADE')?.value)
  if (made === undefined) return wrong('MADE is not a time in seconds since 1970', line('MADE')?.at)
  const until = line('OLD_KEYS_UNTIL')
  const oldKeysUntil = time(until?.value)
  if (until !== undefined && oldKeysUntil === undefined)
    return wrong('OLD_KEYS_UNTIL is not a time in seconds since 1970', until.at)
  const settings: { name: BundleSetting; value: string }[] = []
  for (const name of BUNDLE_SETTINGS) {
    const written = line(name)
    if (written === undefined) continue
    const judged = stanzaSettings[name].read(written.value)
    if (!judged.ok) return wrong(`${name}: ${judged.failure.detail}`, written.at)
    settings.push({ name, value: written.value })
  }
  const lengths = { KEY_BASE64: 32, HMAC_KEY_BASE64: 64 }
  for (const [name, bytes] of Object.entries(lengths)) {
    const { value = '', at } = line(name) ?? {}
    const isWhole = value.length % 4 === 0 && decodeBase64Padded(value)?.length === bytes
    if (!isWhole) return wrong(`${name} is not base64 of ${bytes} bytes: was it copied as a whole?`, at)
  }
  return ok({
    ...{ node: node.value, made, user: user.value, settings },
    ...(oldKeysUntil !== undefined && { oldKeysUntil }),
    key: line('KEY_BASE64')?.value ?? '',
    hmacKey: line('HMAC_KEY_BASE64')?.value ?? '',
  })
}

function time(text: string | undefined): UnixSeconds | undefined {
  return text !== undefined && /^[0-9]{1,12}$/.test(text) && Number(text) <= 253_402_300_799
    ? unixSeconds(Number(text))
    : undefined
}

function wrong(detail: string, at: SourceLocation | undefined) {
  return refuse('BUNDLE_INVALID', detail, at === undefined ? {} : { at })
}

function invalid({ detail, at, suggestion }: Failure) {
  return refuse('BUNDLE_INVALID', detail, {
    ...(at !== undefined && { at }),
    ...(suggestion !== undefined && { suggestion }),
  })
}
