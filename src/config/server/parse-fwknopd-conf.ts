/** `fwknopd.conf`, in fwknop's grammar: variables, each with its value; a value may begin with another variable's. */

import { type Failure, ok, type Refused, type Result, refuse, type SourceLocation } from '../../result.ts'
import { stanzaSettingNames } from '../access/access-setting-names.ts'
import { isClientSetting, refuseClientName } from '../client/fwknoprc-settings.ts'
import type { Dialect } from '../reading/dialect.ts'
import { isNameLike, refuseUnknownName } from '../reading/hide-keys.ts'
import { nearest } from '../reading/nearest.ts'
import type { ConfigFailure, Notice } from '../reading/notice.ts'
import { folderOf } from '../reading/paths.ts'
import { readSettingLines, type SettingLine } from '../reading/setting-lines.ts'
import type { ValueReader } from '../reading/setting-values.ts'
import {
  assembleServerConfig,
  type GivenSettings,
  type SettingLocations,
  type SettingValues,
} from './defaults-and-conflicts.ts'
import { forgivenLines } from './fwknopd-dialect.ts'
import {
  idleNumbers,
  irrelevantSettings,
  refusedSettings,
  repeatableSettings,
  serverSettingNames,
  settingAliases,
  type UsedSetting,
  usedSettings,
} from './fwknopd-settings.ts'
import type { ServerConfig } from './server-config.ts'

/** All that a line may be meant to set, also those that belong in another file. */
const NAMES = [...serverSettingNames, ...stanzaSettingNames]

/** A variable that the command line sets. It replaces the value of the file. */
export interface SettingOverride {
  /** Of {@link serverSettingNames}. */
  readonly name: string
  /** As in the file: the same reader reads both. */
  readonly value: string
  /** The flag, for messages: `-i`. */
  readonly flag: string
}

export interface ParsedServerConfig {
  readonly config: ServerConfig
  readonly notices: readonly Notice[]
  /** Where the file sets a variable. Absent for defaults and for what the command line sets. */
  readonly at: SettingLocations
  /** What is set, so that two readings of a file can be compared. */
  readonly values: SettingValues
  /** Each variable that a file or the command line sets, as text. */
  readonly texts: Readonly<Record<string, string>>
}

/** How the server's files are read, and what besides them sets variables. */
export interface ServerReading {
  /** What the command line says instead. */
  readonly overrides?: readonly SettingOverride[]
  /** More files, whole. What one sets replaces what was set before. */
  readonly layers?: readonly { readonly file: string; readonly text: string }[]
  /** As fwknopd reads them, with its defaults. */
  readonly dialect?: Dialect
  /** `-v` of fwknopd: how often. */
  readonly verbose?: number
}

/**
 * @param file its path: for messages, and for the paths that are relative to it.
 * @param text what the file holds. An empty file is a valid one.
 * @returns the configuration and what the operator should know about it; or the first thing that is wrong, with its
 * line.
 */
export function parseFwknopdConf(
  file: string,
  text: string,
  { overrides = [], layers = [], dialect, verbose = 0 }: ServerReading = {},
): Result<ParsedServerConfig, ConfigFailure> {
  const notices: Notice[] = []
  const lines = readLayers([{ file, text }, ...layers], dialect, notices)
  if (!lines.ok) return lines
  const given: GivenSettings = { values: {}, at: {}, expanded: new Set(), relays: [], dialect, verbose }
  const texts: Record<string, string> = {}
  for (const override of overrides) {
    const problem = readOverride(override, given, notices)
    if (problem !== undefined) return problem
    texts[override.name] = override.value
  }
  const overridden = new Set(overrides.flatMap(({ name }) => [name, ...(SAME_QUESTION[name as UsedSetting] ?? [])]))
  for (const line of lines.value) {
    if (overridden.has(line.name)) continue
    const problem = readSetting(line, lines.value, file, given, notices)
    if (problem !== undefined) return problem
    const expanded = expandVariable(line, lines.value, file, 0)
    texts[line.name] = expanded.ok ? expanded.value : line.value
  }
  const config = assembleServerConfig(file, given, notices)
  const unheard = overrides.find(({ name }) => name === 'PCAP_INTF')
  if (config.ok && unheard !== undefined && config.value.captures.every(({ kind }) => kind === 'udp'))
    notices.push({ level: 'info', text: `${unheard.flag} has no effect: packets are captured by a UDP socket` })
  return config.ok ? ok({ config: config.value, notices, at: given.at, values: valuesOf(given), texts }) : config
}

/** @returns the lines of all files, without those that a later file replaces. */
function readLayers(
  layers: NonNullable<ServerReading['layers']>,
  dialect: Dialect | undefined,
  notices: Notice[],
): Result<readonly SettingLine[], ConfigFailure> {
  let all: readonly SettingLine[] = []
  for (const { file, text } of layers) {
    const lines = dialect === 'fwknopd' ? ok(forgivenLines(file, text, notices)) : readSettingLines(file, text, NAMES)
    if (!lines.ok) return lines
    const replaced = new Set(lines.value.map(({ name }) => name))
    all = [...all.filter(({ name }) => !replaced.has(name)), ...lines.value]
  }
  return ok(all)
}

/** A variable that has no effect, or that is refused, is so from the command line too. */
function readOverride(
  { name, value, flag }: SettingOverride,
  given: GivenSettings,
  notices: Notice[],
): Refused<ConfigFailure> | undefined {
  if (Object.hasOwn(irrelevantSettings, name)) {
    notices.push({ level: 'info', text: `${flag} has no effect: ${irrelevantSettings[name]}` })
    return undefined
  }
  const refused = Object.hasOwn(refusedSettings, name) ? refusedSettings[name] : undefined
  if (refused !== undefined) return refuse('CONFIG_UNSUPPORTED_KEY', `${flag}: ${refused.instead}`)
  const read: ReturnType<ValueReader<unknown>> = usedSettings[name as UsedSetting](value)
  if (!read.ok) return { ok: false, failure: { ...read.failure, detail: `${flag}: ${read.failure.detail}` } }
  Object.assign(given.values, { [name]: read.value })
  return undefined
}

function valuesOf({ values, relays }: GivenSettings): SettingValues {
  return relays.length === 0 ? values : { ...values, RELAY: relays.map(({ listener }) => listener) }
}

/** Variables that another one answers as well: a flag for one sets aside both. */
const SAME_QUESTION: { readonly [Name in UsedSetting]?: readonly UsedSetting[] } = { CAPTURE: ['ENABLE_UDP_SERVER'] }

/** Puts the setting where it belongs. @returns what is wrong with it. */
function readSetting(
  line: SettingLine,
  lines: readonly SettingLine[],
  file: string,
  given: GivenSettings,
  notices: Notice[],
): Refused<ConfigFailure> | undefined {
  const { name, at } = line
  const used = Object.hasOwn(settingAliases, name)
    ? settingAliases[name]
    : Object.hasOwn(usedSettings, name)
      ? name
      : undefined
  if (used !== undefined) return readUsed(used as UsedSetting, line, lines, file, given)
  if (Object.hasOwn(irrelevantSettings, name)) {
    const number = Object.hasOwn(idleNumbers, name) ? idleNumbers[name]?.(line.value) : undefined
    if (number?.ok === false)
      return { ok: false, failure: { ...number.failure, detail: `${name}: ${number.failure.detail}`, at } }
    notices.push({ level: 'info', text: `${name} has no effect: ${irrelevantSettings[name]}`, at })
    return undefined
  }
  const refused = Object.hasOwn(refusedSettings, name) ? refusedSettings[name] : undefined
  if (refused === undefined) return unknownSetting(name, at)
  if (refused.mayBeNo && /^no?$/i.test(line.value)) return undefined
  return refuse('CONFIG_UNSUPPORTED_KEY', `${name}: ${refused.instead}`, { at })
}

function readUsed(
  name: UsedSetting,
  line: SettingLine,
  lines: readonly SettingLine[],
  file: string,
  given: GivenSettings,
): Refused<ConfigFailure> | undefined {
  const { at } = line
  const before = given.at[name]
  if (before !== undefined && !repeatableSettings.has(name))
    return refuse('CONFIG_CONFLICT', `${name} is already set in line ${before.line}`, { at })
  const text = expandVariable(line, lines, file, 0)
  if (!text.ok) return text
  if (text.value === '') return refuse('CONFIG_SYNTAX', `${name} has no value`, { at })
  const read: ValueReader<unknown> = usedSettings[name]
  const value = read(text.value)
  if (!value.ok) return { ok: false, failure: located(value.failure, name, at) }
  if (/^\$FWKNOP_CONF_DIR(?![A-Za-z0-9_])/.test(line.value)) given.expanded.add(name)
  Object.assign(given.at, { [name]: at })
  if (name === 'RELAY') given.relays.push({ listener: value.value as GivenSettings['relays'][number]['listener'], at })
  else Object.assign(given.values, { [name]: value.value })
  return undefined
}

function located<F extends Failure>(failure: F, name: string, at: SourceLocation): F {
  return { ...failure, detail: `${name}: ${failure.detail}`, at }
}

/** Variables that a value may begin with although the file does not set them. */
const builtIn: Readonly<Record<string, string>> = { FWKNOP_RUN_DIR: '/run/fwknop' }
const MAX_EXPANSIONS = 8

/** One variable at the head of a value, as in fwknop: `$FWKNOP_RUN_DIR/fwknopd.pid`. */
function expandVariable(
  line: SettingLine,
  lines: readonly SettingLine[],
  file: string,
  depth: number,
): Result<string, ConfigFailure> {
  const [head, name = ''] = /^\$([A-Za-z0-9_]+)/.exec(line.value) ?? []
  if (head === undefined) return ok(line.value)
  const { at } = line
  if (depth >= MAX_EXPANSIONS) return refuse('CONFIG_SYNTAX', `the variable $${name} contains itself`, { at })
  const rest = line.value.slice(head.length)
  const definition = lines.findLast((other) => other.name === name)
  if (definition !== undefined) {
    const expanded = expandVariable(definition, lines, file, depth + 1)
    return expanded.ok ? ok(expanded.value + rest) : expanded
  }
  if (name === 'FWKNOP_CONF_DIR') return ok(folderOf(file) + rest)
  const given = Object.hasOwn(builtIn, name) ? builtIn[name] : undefined
  if (given !== undefined) return ok(given + rest)
  const known = [...Object.keys(builtIn), 'FWKNOP_CONF_DIR', ...lines.map((other) => other.name)]
  const meant = nearest(name, known)
  const what = isNameLike(name, known) ? `variable $${name}` : 'such variable'
  return refuse('CONFIG_UNKNOWN_KEY', `there is no ${what} in this file`, {
    at,
    ...(meant === undefined ? {} : { suggestion: `$${meant}${rest}` }),
  })
}

function unknownSetting(name: string, at: SourceLocation): Refused<ConfigFailure> {
  if (stanzaSettingNames.includes(name)) return refuse('CONFIG_UNKNOWN_KEY', `${name} belongs in access.conf`, { at })
  if (isClientSetting(name)) return refuseClientName(name, at)
  return refuseUnknownName('variable', name, serverSettingNames, at)
}
