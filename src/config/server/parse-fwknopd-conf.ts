/** `fwknopd.conf`, in fwknop's grammar: variables, each with its value; a value may begin with another variable's. */

import { type Failure, ok, type Refused, type Result, refuse, type SourceLocation } from '../../result.ts'
import { stanzaSettingNames } from '../access/access-setting-names.ts'
import { isClientSetting, refuseClientName } from '../client/fwknoprc-settings.ts'
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
import {
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
  readonly name: UsedSetting
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
}

/**
 * @param file its path: for messages, and for the paths that are relative to it.
 * @param text what the file holds. An empty file is a valid one.
 * @param overrides what the command line says instead.
 * @returns the configuration and what the operator should know about it; or the first thing that is wrong, with its
 * line.
 */
export function parseFwknopdConf(
  file: string,
  text: string,
  overrides: readonly SettingOverride[] = [],
): Result<ParsedServerConfig, ConfigFailure> {
  const lines = readSettingLines(file, text, NAMES)
  if (!lines.ok) return lines
  const given: GivenSettings = { values: {}, at: {}, expanded: new Set(), relays: [] }
  const notices: Notice[] = []
  for (const { name, value, flag } of overrides) {
    const read: ReturnType<ValueReader<unknown>> = usedSettings[name](value)
    if (!read.ok) return { ok: false, failure: { ...read.failure, detail: `${flag}: ${read.failure.detail}` } }
    Object.assign(given.values, { [name]: read.value })
  }
  const overridden = new Set(overrides.flatMap(({ name }) => [name, ...(SAME_QUESTION[name] ?? [])]))
  for (const line of lines.value) {
    if (overridden.has(line.name as UsedSetting)) continue
    const problem = readSetting(line, lines.value, file, given, notices)
    if (problem !== undefined) return problem
  }
  const config = assembleServerConfig(file, given, notices)
  const unheard = overrides.find(({ name }) => name === 'PCAP_INTF')
  if (config.ok && unheard !== undefined && config.value.captures.every(({ kind }) => kind === 'udp'))
    notices.push({ level: 'info', text: `${unheard.flag} has no effect: packets are captured by a UDP socket` })
  return config.ok ? ok({ config: config.value, notices, at: given.at, values: valuesOf(given) }) : config
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
