/**
 * access.conf as fwknopd reads it: it passes over a line that it does not understand, and a name that it does not know.
 * Here each of these has a warning. But a line that was meant to restrict a stanza must not be lost: then the stanza is
 * left out.
 */
import type { Stanza } from '../../access/stanza.ts'
import type { Failure } from '../../result.ts'
import { isClientSetting } from '../client/fwknoprc-settings.ts'
import { isNameLike } from '../reading/hide-keys.ts'
import { nearest } from '../reading/nearest.ts'
import type { Notice } from '../reading/notice.ts'
import { readSettingLines, type SettingLine } from '../reading/setting-lines.ts'
import { stanzaSettingNames } from './access-setting-names.ts'

const DIRECTIVES = ['%include', '%include_folder', '%include_keys']
const KNOWN = [...stanzaSettingNames, ...DIRECTIVES]

/**
 * Settings without which a stanza would allow more, or to more people, than its author meant: a command would run as
 * root, or another keyring would say who may sign.
 */
const RESTRICTS =
  /^(SOURCE|DESTINATION|OPEN_PORTS|RESTRICT_PORTS|REQUIRE_.*|ACCESS_EXPIRE.*|MAX_FW_TIMEOUT|FW_ACCESS_TIMEOUT|NAT_TARGETS|FORCE_NAT|HMAC_.*|CMD_REGEX|ENABLE_CMD_SUDO_EXEC|CMD_(SUDO_)?EXEC_(USER|GROUP)|CMD_CYCLE_.*|GPG_(REQUIRE_SIG|REMOTE_ID|FINGERPRINT_ID|HOME_DIR))$/

/** A line that would have restricted its stanza, and cannot be understood. */
export interface FaultyLine {
  readonly fault: Failure
}

/**
 * @param names of settings, those of other files included: a message shows no other word of a line.
 * @param notices gets what was passed over, and why.
 * @param ignoring fwknopd’s words for a name that it does not know.
 */
export function forgivenStanzaLines(
  file: string,
  text: string,
  names: readonly string[],
  notices: Notice[],
  ignoring = 'Ignoring unknown access parameter',
): readonly (SettingLine | FaultyLine)[] {
  const lines: (SettingLine | FaultyLine)[] = []
  const warn = (what: string, at: Failure['at']): void => {
    notices.push({ level: 'warning', text: what, ...(at && { at }) })
  }
  let number = 0
  // Each line alone, so that faulty lines keep their place among the others.
  for (const raw of text.replace(/^\uFEFF/, '').split('\n')) {
    number++
    const [line] = readLine(file, raw, number, names, (failure) => {
      if (restricts(firstWord(raw))) lines.push({ fault: failure })
      else warn(`Invalid access file entry: the line is ignored: ${failure.detail}`, failure.at)
    })
    if (line === undefined) continue
    if (KNOWN.includes(line.name)) {
      const past = line.name === 'ACCESS_EXPIRE' ? longAgo(line.value) : undefined
      if (past !== undefined) warn(past.why, line.at)
      lines.push(past === undefined ? line : { ...line, value: past.date })
      continue
    }
    const { name, at } = line
    const meant = nearest(name, KNOWN)
    const why = isClientSetting(name)
      ? 'it belongs in ~/.fwknoprc, on the client'
      : meant === undefined
        ? 'there is no such setting'
        : `there is no such setting — perhaps: ${meant}`
    const shown = isNameLike(name, names) ? `'${name}'` : '…'
    if (meant !== undefined && restricts(meant))
      lines.push({
        fault: {
          code: 'CONFIG_UNKNOWN_KEY',
          detail: `${shown} is not understood: there is no such setting`,
          at,
          suggestion: meant,
        },
      })
    else if (line.value === '') warn(`Invalid access file entry: the line is ignored: ${shown} has no value`, at)
    else warn(`${ignoring}: ${shown}: ${why}`, at)
  }
  return lines
}

/**
 * A year of one to three digits, or before 1971: fwknopd takes it as it is, so that the stanza has expired.
 * @returns a day that is past, and what to say; undefined for another date.
 */
function longAgo(date: string): { readonly date: string; readonly why: string } | undefined {
  const [, day, year] = /^([0-9]{1,2}\/[0-9]{1,2})\/([0-9]{1,4})$/.exec(date) ?? []
  if (day === undefined || Number(year) >= 1971) return undefined
  const meant = year?.length === 2 ? ` — perhaps: ${day}/20${year}` : ''
  return {
    date: `${day}/1971`,
    why: `ACCESS_EXPIRE: the year ${Number(year)} is past, so the stanza has expired${meant}`,
  }
}

/** Of a command with all that is put before it. fwknopd refuses longer ones. */
const MOST_WORDS = 28

/** @returns the stanza, whose commands are no longer than those that fwknopd runs. */
export function withWordLimit(stanza: Stanza): Stanza {
  const { commands } = stanza
  if (commands === undefined) return stanza
  const { sudo } = commands
  // `sudo -u USER -g GROUP`
  const before = sudo === undefined ? 0 : 1 + (sudo.user === undefined ? 0 : 2) + (sudo.group === undefined ? 0 : 2)
  return { ...stanza, commands: { ...commands, mostWords: MOST_WORDS - before } }
}

function readLine(
  file: string,
  raw: string,
  number: number,
  names: readonly string[],
  onFault: (failure: Failure) => void,
): readonly SettingLine[] {
  const read = readSettingLines(file, raw, names, (failure) => onFault({ ...failure, at: { file, line: number } }))
  if (read.ok) return read.value.map((line) => ({ ...line, at: { file, line: number } }))
  onFault({ ...read.failure, at: { file, line: number } })
  return []
}

function firstWord(raw: string): string {
  return /^\s*(%?[A-Za-z_0-9]*)/.exec(raw)?.[1] ?? ''
}

function restricts(name: string): boolean {
  return RESTRICTS.test(name) || RESTRICTS.test(nearest(name, KNOWN) ?? '')
}
