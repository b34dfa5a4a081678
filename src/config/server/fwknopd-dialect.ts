/**
 * fwknopd.conf as fwknopd reads it: it passes over what it does not know, the last of several values counts, and each
 * word that does not begin with Y is a no. Here each of these has a warning.
 */
import type { Failure } from '../../result.ts'
import { stanzaSettingNames } from '../access/access-setting-names.ts'
import { isClientSetting } from '../client/fwknoprc-settings.ts'
import { isNameLike } from '../reading/hide-keys.ts'
import { nearest } from '../reading/nearest.ts'
import type { Notice } from '../reading/notice.ts'
import { readSettingLines, type SettingLine } from '../reading/setting-lines.ts'
import { yesNo } from '../reading/setting-values.ts'
import { repeatableSettings, serverSettingNames, type UsedSetting, usedSettings } from './fwknopd-settings.ts'

const NAMES = [...serverSettingNames, ...stanzaSettingNames]

/** Variables that a value may begin with although no line sets them. */
const BUILT_IN: ReadonlySet<string> = new Set(['FWKNOP_RUN_DIR', 'FWKNOP_CONF_DIR'])

/** Without these, used or old packets open doors: a word that is neither yes nor no keeps them on. */
const PROTECTIONS: ReadonlySet<string> = new Set(['ENABLE_SPA_PACKET_AGING', 'ENABLE_DIGEST_PERSISTENCE'])

/**
 * ghostport's own settings that protect. fwknopd knows none of them, so no old file has them: a misspelt one is not
 * passed over, since the host would be more open than its file says.
 */
const OWN_PROTECTIONS: ReadonlySet<string> = new Set([
  ...['TRUSTED_PROXIES', 'FIREWALL_MODE', 'PROTECTED_PORTS'],
  ...['GATEWAY_ADDRESSES', 'GATEWAY_MAX_SPA_PACKET_AGE'],
])

/** Refused by name elsewhere. fwknopd 2.6 does not know them, or knows them only in builds that Debian has not. */
const IGNORED: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    [
      ...['BLACKLIST', 'FIREWALL_TYPE', 'ENABLE_EXTERNAL_CMDS', 'ENABLE_EXT_CMD_PREFIX', 'EXT_CMD_PREFIX'],
      ...['EXTERNAL_CMD_OPEN', 'EXTERNAL_CMD_CLOSE', 'EXTERNAL_CMD_ALARM'],
    ].map((name) => [name, 'fwknopd 2.6 does not know it either']),
  ),
  DIGEST_DB_FILE: 'a dbm file cannot be read. What fwknopd recorded in there is not known here',
  ENABLE_NFQ_CAPTURE: 'packets are captured from the interface, and need no rule of NFQUEUE',
}

/** @returns lines that the strict parser understands. @param notices gets what was passed over, and why. */
export function forgivenLines(file: string, text: string, notices: Notice[]): readonly SettingLine[] {
  const warn = (what: string, at: Failure['at']): void => {
    notices.push({ level: 'warning', text: what, ...(at === undefined ? {} : { at }) })
  }
  const read = readSettingLines(file, text, NAMES, ({ detail, at, suggestion }) =>
    warn(
      `Invalid config file entry: the line is ignored: ${detail}${suggestion === undefined ? '' : ` — perhaps: ${suggestion}`}`,
      at,
    ),
  )
  if (!read.ok) {
    warn(`the file is ignored: ${read.failure.detail}`, read.failure.at)
    return []
  }
  const lines: SettingLine[] = []
  for (const line of read.value) {
    const { name, at } = line
    if (!serverSettingNames.includes(name)) {
      if (OWN_PROTECTIONS.has(nearest(name, serverSettingNames) ?? '')) {
        lines.push(line)
        continue
      }
      warn(`Ignoring unknown configuration parameter: ${nameOf(name)}: ${whyUnknown(name)}`, at)
      continue
    }
    const ignored = Object.hasOwn(IGNORED, name) ? IGNORED[name] : undefined
    if (ignored !== undefined) {
      if (!/^no?$/i.test(line.value)) warn(`${name} is ignored: ${ignored}`, at)
      continue
    }
    if (line.value === '') {
      warn(`Invalid config file entry: the line is ignored: ${name} has no value`, at)
      continue
    }
    const variable = /^\$([A-Z_]+)/.exec(line.value)?.[1]
    if (variable !== undefined && !BUILT_IN.has(variable) && !lines.some((other) => other.name === variable)) {
      warn(`Invalid embedded variable: the line is ignored: no line before it sets $${variable}`, at)
      continue
    }
    const before = lines.findIndex((other) => other.name === name)
    if (before >= 0 && !repeatableSettings.has(name as UsedSetting)) {
      const [replaced] = lines.splice(before, 1)
      warn(`${name} is set twice: this value counts, and not the one in line ${replaced?.at.line}`, at)
    }
    lines.push(
      Object.hasOwn(usedSettings, name) && usedSettings[name as UsedSetting] === yesNo ? asYesOrNo(line, warn) : line,
    )
  }
  return lines
}

/** The name, unless it may be a key. */
function nameOf(name: string): string {
  return isNameLike(name, NAMES) ? `'${name}'` : '…'
}

function whyUnknown(name: string): string {
  if (stanzaSettingNames.includes(name)) return 'it belongs in access.conf'
  if (isClientSetting(name)) return 'it belongs in ~/.fwknoprc, on the client'
  const meant = nearest(name, serverSettingNames)
  return meant === undefined ? 'there is no such variable' : `there is no such variable — perhaps: ${meant}`
}

function asYesOrNo(line: SettingLine, warn: (what: string, at: Failure['at']) => void): SettingLine {
  const { name, value, at } = line
  if (yesNo(value).ok || value.startsWith('$')) return line
  if (/^y/i.test(value)) return { ...line, value: 'Y' }
  const kept = PROTECTIONS.has(name) && !/^n/i.test(value) ? 'Y' : 'N'
  const why = kept === 'Y' ? 'fwknopd reads N, which would weaken this host' : 'as fwknopd reads it'
  warn(`${name}: “${value}” is neither Y nor N. It counts as ${kept}: ${why}`, at)
  return { ...line, value: kept }
}
