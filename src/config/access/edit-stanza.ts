/**
 * Changes to one stanza in the text of access.conf, or of a file that it includes. All other lines of the file stay as
 * they are: comments, blank lines, and other stanzas. What is added is read by fwknopd too: its own settings only, NAME
 * (which it passes over), and comments.
 */
import type { StanzaName } from '../../access/stanza-name.ts'
import type { UnixSeconds } from '../../units.ts'

/** The lines of a stanza in its file, counted from 1: from its SOURCE to its last setting. */
export interface StanzaPlace {
  readonly file: string
  readonly first: number
  readonly last: number
}

/** Comments that say what these commands did, so that they can take it back. fwknopd passes over comments. */
const DISABLED = '# ghostport: disabled. Before: '
const INVITED = '# ghostport: invited, and not confirmed yet. Then: '
const REPLACED = '# ghostport: old keys of '
const NODE_KEYS = '# ghostport: keys of node '
const SINCE = '# ghostport: since '
const NO_END = 'no end'
/** A stanza with this end has expired, for fwknopd too. 0 would be no end there. */
const LONG_AGO = 'ACCESS_EXPIRE_EPOCH 1'

/** What a stanza’s own comments say of it. */
export interface StanzaMarks {
  readonly isDisabled: boolean
  /** Whether the end is that of an invitation. */
  readonly isInvited: boolean
  /** The user whose keys these were before the keys were changed. */
  readonly oldKeysOf?: string
  /** The keys are derived for a node of a fleet. */
  readonly nodeKeys?: NodeMark
  /** Of a user of a cluster: what had been granted before this change of it has ended. RFC 3339. */
  readonly since?: string
}

/** `# ghostport: keys of node web-1, made 1764150000, for web-1,web-2` */
export interface NodeMark {
  /** The key name of the node. */
  readonly keyName: string
  /** When the secret was made: Unix seconds. */
  readonly made: number
  /** The key names of all nodes that the secret was made for. Empty where only the host knows that made it. */
  readonly all: readonly string[]
}

/** @returns the text with a stanza at its end, after a blank line. @param lines without line ends. */
export function appendStanza(text: string, lines: readonly string[]): string {
  const end = text.includes('\r\n') ? '\r\n' : '\n'
  const before = text === '' || text.endsWith('\n') ? text : `${text}${end}`
  const gap = before === '' || /\n\r?\n$/.test(before) ? '' : end
  return `${before}${gap}${lines.map((line) => `${line}${end}`).join('')}`
}

/** Takes the stanza out of the lines of its file, with one of the blank lines around it. Other comments stay. */
export function removeStanza(lines: string[], { first, last }: StanzaPlace): void {
  const isBlank = (line: string | undefined): boolean => line === undefined || line.trim() === ''
  lines.splice(first - 1, last - first + 1)
  const next = first - 1
  // At the end of the file, the blank line before the stanza goes; elsewhere the one after it.
  if (lines.slice(next).every(isBlank)) {
    if (next > 1 && isBlank(lines[next - 1])) lines.splice(next - 1, 1)
  } else if (isBlank(lines[next]) && isBlank(lines[next - 1])) lines.splice(next, 1)
}

/** Puts other lines in the place of these. @param edit gets and gives them without line ends. */
export function replaceStanza(
  lines: string[],
  { first, last }: StanzaPlace,
  edit: (lines: readonly string[]) => readonly string[],
): void {
  const inside = lines.slice(first - 1, last)
  const end = inside[0]?.endsWith('\r') ? '\r' : ''
  const edited = edit(inside.map((line) => (line.endsWith('\r') ? line.slice(0, -1) : line)))
  // A line that stays keeps its own end, also where other lines end differently.
  const kept = new Map(inside.map((line) => [line.replace(/\r$/, ''), line]))
  lines.splice(first - 1, last - first + 1, ...edited.map((line) => kept.get(line) ?? `${line}${end}`))
}

/** The lines of a stanza as {@link replaceStanza} and {@link marksOf} take them. */
export function stanzaLines(text: string, { first, last }: StanzaPlace): readonly string[] {
  return text
    .split('\n')
    .slice(first - 1, last)
    .map((line) => line.replace(/\r$/, ''))
}

export function marksOf(lines: readonly string[]): StanzaMarks {
  const at = lines.findIndex((line) => line.startsWith(DISABLED))
  const replaced = lines.find((line) => line.startsWith(REPLACED))
  const invitedAt = lines.findIndex((line) => line.startsWith(INVITED))
  const nodeKeys = nodeMark(lines.find((line) => line.startsWith(NODE_KEYS)))
  const since = lines.find((line) => line.startsWith(SINCE))
  return {
    // Somebody who gave the stanza another end by hand has enabled it.
    isDisabled: at >= 0 && lines[at + 1] === LONG_AGO,
    // Somebody who removed the end by hand has confirmed it.
    isInvited: invitedAt >= 0 && isEnd(settingName(lines[invitedAt + 1] ?? '')),
    ...(replaced !== undefined && { oldKeysOf: replaced.slice(REPLACED.length).trim() }),
    ...(nodeKeys !== undefined && { nodeKeys }),
    ...(since !== undefined && { since: since.slice(SINCE.length).trim() }),
  }
}

function nodeMark(line: string | undefined): NodeMark | undefined {
  const [, keyName, made, all] =
    /^# ghostport: keys of node ([a-z0-9.-]{1,63}), made ([0-9]{1,12})(?:, for ([a-z0-9.,-]+))?\s*$/.exec(line ?? '') ??
    []
  return keyName === undefined ? undefined : { keyName, made: Number(made), all: all?.split(',') ?? [] }
}

/** The same stanza with the mark, in the place of the one that it has; else after its NAME, or its SOURCE. */
export function withNodeMark(lines: readonly string[], { keyName, made, all }: NodeMark): readonly string[] {
  return withMark(lines, NODE_KEYS, `${keyName}, made ${made}${all.length === 0 ? '' : `, for ${all.join(',')}`}`)
}

/** The same stanza with this mark, in the place of the one that it has. @param since absent: with none. */
export function withSince(lines: readonly string[], since: string | undefined): readonly string[] {
  return withMark(lines, SINCE, since)
}

/** After its NAME, or its SOURCE. */
function withMark(lines: readonly string[], mark: string, words: string | undefined): readonly string[] {
  const kept = lines.filter((line) => !line.startsWith(mark))
  if (words === undefined) return kept
  const after = Math.max(
    0,
    kept.findIndex((line) => settingName(line) === 'NAME'),
  )
  return [...kept.slice(0, after + 1), `${mark}${words}`, ...kept.slice(after + 1)]
}

/** The stanza grants nothing any more. Its end of before is kept in a comment. */
export function disabled(lines: readonly string[]): readonly string[] {
  const end = lines.find((line) => isEnd(settingName(line)))
  return withEnd(lines, [`${DISABLED}${end ?? NO_END}`, LONG_AGO])
}

/** The reverse of {@link disabled}. */
export function enabled(lines: readonly string[]): readonly string[] {
  return takenBack(lines, DISABLED)
}

/** The comment and the end below it go, and the end that the comment keeps comes back. */
function takenBack(lines: readonly string[], mark: string): readonly string[] {
  const at = lines.findIndex((line) => line.startsWith(mark))
  const before = lines[at]?.slice(mark.length) ?? NO_END
  return [...lines.slice(0, at), ...(before === NO_END ? [] : [before]), ...lines.slice(at + 2)]
}

/** The keys end at `until`, unless {@link confirmed} takes that back. */
export function invited(lines: readonly string[], until: UnixSeconds): readonly string[] {
  const end = lines.find((line) => isEnd(settingName(line)))
  return withEnd(lines, [`${INVITED}${end ?? NO_END}`, setting('ACCESS_EXPIRE_EPOCH', `${until}`)])
}

/** The reverse of {@link invited}. */
export function confirmed(lines: readonly string[]): readonly string[] {
  return takenBack(lines, INVITED)
}

/** The stanza keeps its keys until `end`, under another name. */
export function replacedKeys(
  lines: readonly string[],
  of: StanzaName,
  name: StanzaName,
  end: UnixSeconds,
): readonly string[] {
  const renamed = lines.map((line) => (settingName(line) === 'NAME' ? setting('NAME', name) : line))
  return withEnd(renamed, [`${REPLACED}${of}`, setting('ACCESS_EXPIRE_EPOCH', `${end}`)])
}

/** The same stanza with other keys, which are written into it. */
export function withKeys(lines: readonly string[], keys: readonly string[]): readonly string[] {
  const isKey = (line: string): boolean => KEY_SETTINGS.has(settingName(line))
  const at = lines.findIndex(isKey)
  const kept = lines.filter((line) => !isKey(line))
  const before = lines.slice(0, at).filter((line) => !isKey(line)).length
  return at < 0 ? [...kept, ...keys] : [...kept.slice(0, before), ...keys, ...kept.slice(before)]
}

const KEY_SETTINGS: ReadonlySet<string> = new Set([
  'KEY',
  'KEY_BASE64',
  'HMAC_KEY',
  'HMAC_KEY_BASE64',
  'HMAC_DIGEST_TYPE',
  '%include_keys',
])

/** `NAME                ada`, as “ghostport keygen” writes it. */
export function setting(name: string, value: string): string {
  return `${name.padEnd(20)}${name.length < 20 ? '' : ' '}${value}`
}

/** In the place of the end that the stanza has; else after its NAME, or its SOURCE. */
function withEnd(lines: readonly string[], end: readonly string[]): readonly string[] {
  const at = lines.findIndex((line) => isEnd(settingName(line)))
  if (at >= 0) return [...lines.slice(0, at), ...end, ...lines.slice(at + 1)]
  const after = Math.max(
    0,
    lines.findIndex((line) => settingName(line) === 'NAME'),
  )
  return [...lines.slice(0, after + 1), ...end, ...lines.slice(after + 1)]
}

function isEnd(name: string): boolean {
  return name === 'ACCESS_EXPIRE' || name === 'ACCESS_EXPIRE_EPOCH'
}

/** Empty for a comment or a blank line. */
function settingName(line: string): string {
  return /^[\t\v\f\r ]*(%?[A-Za-z][A-Za-z0-9_]*)/.exec(line.replace(/^\uFEFF/, ''))?.[1] ?? ''
}
