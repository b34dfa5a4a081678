/**
 * The lines of fwknopd.conf and access.conf: `NAME value;`. A colon after the name and the semicolon may be left out, a
 * line that begins with `#` or `;` is a comment, and a value runs to the semicolon or the end of the line, blanks
 * inside of it and all. fwknop passes over what follows the semicolon, so that `KEY ab;cd` sets the key `ab`; here it
 * is refused.
 */
import { trimBlanks } from '../../bytes/text.ts'
import { type Failure, ok, type Refused, type Result, refuse, type SourceLocation } from '../../result.ts'
import { isNameLike } from './hide-keys.ts'

/** One setting, as written. */
export interface SettingLine {
  readonly name: string
  /** Without the blanks around it; may be empty. */
  readonly value: string
  /** Blanks at the end of the value: some versions of fwknop count them, so a raw key may not have any. */
  readonly trailingBlanks: boolean
  readonly at: SourceLocation
}

/**
 * @param names of settings, those of other files included: a message about a line shows no other word of it.
 * @param onFault gets each line that is none, which is then passed over. Absent: the first of them is refused.
 * @returns the settings in order; or the first line that is none.
 */
export function readSettingLines(
  file: string,
  text: string,
  names: readonly string[],
  onFault?: (failure: Failure<'CONFIG_SYNTAX'>, raw: string) => void,
): Result<SettingLine[], Failure<'CONFIG_SYNTAX'>> {
  const lines: SettingLine[] = []
  if (text.includes('\0'))
    return refuse('CONFIG_SYNTAX', 'the file is not text: it has NUL bytes, as UTF-16 has', { at: { file, line: 1 } })
  let number = 0
  for (const raw of text.replace(/^\uFEFF/, '').split('\n')) {
    number++
    const line = readSettingLine(raw, { file, line: number }, names)
    if (line === undefined) continue
    if (line.ok) lines.push(line.value)
    else if (onFault === undefined) return line
    else onFault(line.failure, raw)
  }
  return ok(lines)
}

/** The text of these is a key, in which every byte counts that fwknop does not take for a blank. */
export const RAW_KEYS: ReadonlySet<string> = new Set(['KEY', 'HMAC_KEY', 'GPG_DECRYPT_PW'])

const SETTING = /^[\t\v\f\r ]*(%?[A-Za-z][A-Za-z0-9_]*):?(?:[\t\v\f\r ]+([^;]*))?(;?)(.*)$/s
const CONTROL_CHARACTER = /[^\t -\uffff]/

function readSettingLine(
  raw: string,
  at: SourceLocation,
  names: readonly string[],
): Result<SettingLine, Failure<'CONFIG_SYNTAX'>> | undefined {
  const text = raw.endsWith('\r') ? raw.slice(0, -1) : raw
  if (/^\s*(?:[#;].*)?$/s.test(text)) return undefined
  const parts = SETTING.exec(text)
  const rest = parts?.[4] ?? ''
  // Where nothing but the name matched, what follows it is glued to it: “NAME=value”.
  if (parts === null || (rest !== '' && parts[3] === '')) {
    const assigned = /^\s*([A-Za-z][A-Za-z0-9_]*)\s*=/.exec(text)?.[1]
    if (assigned !== undefined) return refuseEquals(assigned, at, names)
    if (/^\s*\[/.test(text))
      return refuse('CONFIG_SYNTAX', 'a name in brackets begins a stanza of ~/.fwknoprc, on the client', { at })
    return /^[\t ]*[A-Za-z][A-Za-z0-9_]*:/.test(text)
      ? refuse('CONFIG_SYNTAX', 'a blank is missing after the colon', { at })
      : refuse('CONFIG_SYNTAX', 'a line is a name, a blank and a value', { at })
  }
  if (rest !== '' && !/^\s*(?:#.*)?$/s.test(rest))
    return refuse('CONFIG_SYNTAX', 'more text follows the “;”, which ends the value', { at })
  const name = parts[1] ?? ''
  const value = parts[2] ?? ''
  // The line itself is not told: it may hold a key.
  if (CONTROL_CHARACTER.test(value)) return refuse('CONFIG_SYNTAX', 'the value has a control character', { at })
  // A raw key may begin with “=”, but hardly with “= ”.
  if (RAW_KEYS.has(name) ? /^=([\t ]|$)/.test(value) : value.startsWith('=')) return refuseEquals(name, at, names)
  return ok({
    name,
    value: RAW_KEYS.has(name) ? trimBlanks(value) : value.trim(),
    trailingBlanks: /[\t\v\f\r ]$/.test(value),
    at,
  })
}

/** @param name before the “=”; a key in base64 ends so, too, so that it is told only where it is a name. */
function refuseEquals(name: string, at: SourceLocation, names: readonly string[]): Refused<Failure<'CONFIG_SYNTAX'>> {
  return refuse('CONFIG_SYNTAX', 'a blank separates name and value, not an equals sign', {
    at,
    ...(isNameLike(name, names) ? { suggestion: `${name} …` } : {}),
  })
}
