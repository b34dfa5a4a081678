/**
 * Changes to one stanza of `.fwknoprc`. All other lines of the file stay as they are: comments, blank lines, other
 * settings and other stanzas.
 */
import { trimBlanks } from '../../bytes/text.ts'
import type { ClientSettingName } from './fwknoprc-settings.ts'

export interface RcChange {
  readonly name: ClientSettingName
  readonly value: string
}

/** Settings that answer the same question: a stanza has one of each group. */
const groups: readonly (readonly ClientSettingName[])[] = [
  ['KEY', 'KEY_BASE64', 'KEY_FILE'],
  ['HMAC_KEY', 'HMAC_KEY_BASE64', 'HMAC_KEY_FILE'],
  ['GPG_SIGNING_PW', 'GPG_SIGNING_PW_BASE64'],
  ['SPA_SERVER_PORT', 'RAND_PORT'],
  ['NAT_PORT', 'NAT_RAND_PORT'],
  ['ALLOW_IP', 'RESOLVE_IP_HTTPS', 'RESOLVE_IP_HTTP'],
]

/** Settings that fwknop asks about before it replaces them: a lost key is a lost way in. */
const asked: ReadonlySet<string> = new Set<ClientSettingName>([
  'KEY',
  'KEY_BASE64',
  'HMAC_KEY',
  'HMAC_KEY_BASE64',
  'GPG_RECIPIENT',
  'GPG_SIGNER',
  'GPG_SIGNING_PW',
  'GPG_SIGNING_PW_BASE64',
  'NODE_SECRET_BASE64',
])

/** A line that a change would replace, and that the user is asked about first. */
export interface Overwritten {
  /** The name in the file: a change of KEY_BASE64 may replace KEY. */
  readonly name: string
  readonly change: RcChange
}

/** @returns what the user has to agree to, in the order of the file. */
export function overwrittenKeys(text: string, stanza: string, changes: readonly RcChange[]): readonly Overwritten[] {
  const lines = splitLines(text)
  const range = findStanza(lines, stanza)
  if (range === undefined) return []
  return lines.slice(range.first, range.end).flatMap((line) => {
    const name = settingName(line)
    const change = changes.find((it) => isSame(it.name, name))
    if (!asked.has(name) || change === undefined) return []
    const isSameValue = change.name === name && new RegExp(`^\\s*${name}:?\\s+(\\S*)`).exec(line)?.[1] === change.value
    return isSameValue ? [] : [{ name, change }]
  })
}

/** @returns the file with these settings in this stanza, which is added at the end if there is none. */
export function editStanza(text: string, stanza: string, changes: readonly RcChange[]): string {
  const lines = splitLines(text)
  // FLEET may have no value.
  const added = changes.map(({ name, value }) => `${`${name.padEnd(24)}    ${value}`.trimEnd()}\n`)
  const range = findStanza(lines, stanza)
  if (range === undefined) {
    const end = text === '' || text.endsWith('\n') ? text : `${text}\n`
    const gap = end === '' || end.endsWith('\n\n') ? '' : '\n'
    return `${end}${gap}[${stanza}]\n${added.join('')}`
  }
  const before = lines.slice(0, range.first)
  const inside = lines.slice(range.first, range.end)
  const left = new Set(changes)
  const kept = inside.flatMap((line) => {
    const name = settingName(line)
    const i = changes.findIndex((change) => isSame(change.name, name))
    const change = changes[i]
    if (change === undefined) return [line]
    // The first line of a group is replaced, the others go.
    return left.delete(change) ? [added[i] ?? ''] : []
  })
  // New settings follow the last setting, before the blank lines and comments that may belong to the next stanza.
  const last = kept.findLastIndex((line) => settingName(line) !== '')
  const rest = added.filter((_, i) => left.has(changes[i] ?? { name: 'KEY', value: '' }))
  const head = [...before, ...kept.slice(0, last + 1)].map(withEnd)
  return [...head, ...rest, ...kept.slice(last + 1), ...lines.slice(range.end)].join('')
}

/** The settings of a stanza as they are written, in the order of the file. Empty if there is no such stanza. */
export function writtenSettings(text: string, stanza: string): readonly { name: string; value: string }[] {
  const lines = splitLines(text)
  const range = findStanza(lines, stanza)
  return lines.slice(range?.first, range?.end ?? 0).flatMap((line) => {
    const name = settingName(line)
    if (name === '') return []
    const after = trimBlanks(line.replace(/[\r\n]+$/, ''))
      .slice(name.length)
      .replace(/^:/, '')
    const value = trimBlanks(after)
    return [{ name, value: name === 'HTTP_USER_AGENT' ? value : (/^[^\t\v\f\r ;#]*/.exec(value)?.[0] ?? '') }]
  })
}

/** @returns the file without these settings of the stanza. */
export function dropSettings(text: string, stanza: string, names: readonly ClientSettingName[]): string {
  const lines = splitLines(text)
  const range = findStanza(lines, stanza)
  if (range === undefined) return text
  const isKept = (line: string): boolean => !names.some((name) => name === settingName(line))
  return [
    ...lines.slice(0, range.first),
    ...lines.slice(range.first, range.end).filter(isKept),
    ...lines.slice(range.end),
  ].join('')
}

/**
 * @returns the file without this stanza. Comments behind its last setting may belong to the next stanza, and stay; so
 * do all lines before its header.
 */
export function removeStanza(text: string, stanza: string): string {
  const lines = splitLines(text)
  const range = findStanza(lines, stanza)
  if (range === undefined) return text
  const last = lines.slice(range.first, range.end).findLastIndex((line) => settingName(line) !== '')
  const before = lines.slice(0, range.first - 1)
  const after = lines.slice(range.first + last + 1)
  const isBlank = (line: string | undefined): boolean => line === undefined || line.trim() === ''
  // One gap is enough.
  if (isBlank(before.at(-1)) && isBlank(after[0])) after.shift()
  return [...before, ...after].join('')
}

/** @returns the file in which the stanza has another name. */
export function renameStanza(text: string, stanza: string, to: string): string {
  const lines = splitLines(text)
  const range = findStanza(lines, stanza)
  if (range === undefined) return text
  const header = (lines[range.first - 1] ?? '').replace(/\[[^\]]*\]/, () => `[${to}]`)
  return [...lines.slice(0, range.first - 1), header, ...lines.slice(range.first)].join('')
}

/** Whether the file has a stanza of this name, in any case. */
export function hasStanza(text: string, stanza: string): boolean {
  return findStanza(splitLines(text), stanza) !== undefined
}

/** A comment of `ghostport client add`: when the keys of the stanza were made, and when they end. */
const MADE = '# ghostport: keys of '

/** As the file has them: RFC 3339, in UTC. */
export interface KeyTimes {
  readonly made: string
  readonly until?: string
}

/**
 * @param times absent: the stanza does not say how old its keys are.
 * @returns the file with this stanza alone of this name: other settings that it had are gone, comments stay.
 */
export function putStanza(text: string, stanza: string, changes: readonly RcChange[], times?: KeyTimes): string {
  const lines = splitLines(text)
  const range = findStanza(lines, stanza)
  const kept = (line: string): boolean => settingName(line) === '' && !line.startsWith(MADE)
  const cleared =
    range === undefined
      ? text
      : [
          ...lines.slice(0, range.first).map(withEnd),
          ...lines.slice(range.first, range.end).filter(kept),
          ...lines.slice(range.end),
        ].join('')
  const edited = splitLines(editStanza(cleared, stanza, changes))
  const header = findStanza(edited, stanza)?.first ?? edited.length
  if (times === undefined) return edited.join('')
  const end = times.until === undefined ? '' : `, until ${times.until}`
  return [...edited.slice(0, header), `${MADE}${times.made}${end}\n`, ...edited.slice(header)].join('')
}

/** @returns the times of {@link putStanza}; undefined if the stanza has none. */
export function keyTimes(text: string, stanza: string): KeyTimes | undefined {
  const lines = splitLines(text)
  const range = findStanza(lines, stanza)
  const line = lines.slice(range?.first, range?.end ?? 0).find((it) => it.startsWith(MADE))
  const [, made, until] =
    /^# ghostport: keys of ([0-9T:.Z-]{10,30})(?:, until ([0-9T:.Z-]{10,30}))?\s*$/.exec(line ?? '') ?? []
  return made === undefined ? undefined : { made, ...(until !== undefined && { until }) }
}

function isSame(one: ClientSettingName, other: string): boolean {
  return one === other || groups.some((group) => group.includes(one) && (group as readonly string[]).includes(other))
}

/** Lines with their ends. */
function splitLines(text: string): readonly string[] {
  return text.match(/[^\n]*\n|[^\n]+$/g) ?? []
}

function withEnd(line: string): string {
  return line.endsWith('\n') ? line : `${line}\n`
}

/** The lines below the header of the stanza, up to the next header. */
function findStanza(lines: readonly string[], stanza: string) {
  const header = lines.findIndex((line) => headerName(line)?.toLowerCase() === stanza.toLowerCase())
  if (header < 0) return undefined
  const next = lines.findIndex((line, i) => i > header && headerName(line) !== undefined)
  return { first: header + 1, end: next < 0 ? lines.length : next }
}

function headerName(line: string): string | undefined {
  return /^\[\s*([^\]]*?)\s*\]/.exec(trimBlanks(line.replace(/^\uFEFF/, '')))?.[1]
}

/** Empty for a comment or a blank line. */
function settingName(line: string): string {
  const text = trimBlanks(line)
  return /^[#;]/.test(text) ? '' : (/^[A-Z0-9_]*/.exec(text)?.[0] ?? '')
}
