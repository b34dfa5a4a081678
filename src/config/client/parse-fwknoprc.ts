/**
 * `.fwknoprc`, in fwknop's grammar: stanzas under `[name]`, in each line a setting and its value, comments from `#` or
 * `;`. `[default]` counts for every knock, a named stanza over it. As in fwknop, only the stanzas that are used are
 * judged, so that one which needs GnuPG does not stand in the way of the others.
 *
 * Stricter than fwknop, so that nothing in the file is without effect: a line before the first stanza, words after a
 * value, a setting given twice and a stanza given twice are refused; fwknop passes over each.
 */
import { trimBlanks } from '../../bytes/text.ts'
import { deriveNodeKeys, nodeKeyTexts } from '../../packet/node-keys.ts'
import { type Failure, ok, type Result, refuse, type SourceLocation } from '../../result.ts'
import { stanzaSettingNames } from '../access/access-setting-names.ts'
import { refuseUnknownName, withoutSecrets } from '../reading/hide-keys.ts'
import { nearest } from '../reading/nearest.ts'
import { serverSettingNames } from '../server/fwknopd-settings.ts'
import type { RcChange } from './edit-fwknoprc.ts'
import { isFleetLine, kindOfStanza, type NamedLine } from './fleet-stanzas.ts'
import {
  type ClientSettingName,
  clientSettings,
  isClientSetting,
  readClientSetting,
  type SettingFailure,
  secretSettings,
} from './fwknoprc-settings.ts'
import type { SettingLayer } from './layer.ts'

export interface RcFile {
  /** The names as written, `[default]` left out. */
  readonly stanzas: readonly string[]
  /** Whether any stanza holds a secret: then nobody but its owner may read the file. */
  readonly holdsKeys: boolean
  /**
   * The names of the stanzas that are nodes of this fleet, in their order.
   * @returns undefined if the stanza of this name (in any case) is no fleet.
   */
  nodesOf(stanza: string): readonly string[] | undefined
  /** The names of the stanzas whose own SPA_SERVER is this host (in any case), `[default]` left out. */
  withServer(host: string): readonly string[]
  /**
   * What counts for a knock: `[default]`, and over it the stanza of this name (in any case). For a node of a fleet, the
   * stanza of the fleet is between the two, and the keys are derived.
   * @returns what they say, to be settled with the flags (layer.ts); or why a line of them cannot be understood:
   * `CONFIG_MISSING_KEY` for a stanza that is not there.
   */
  settings(stanza?: string): Result<SettingLayer, RcFailure>
  /**
   * The same as texts, for a place that keeps settings one by one. Derived keys are among them, and no secret of a
   * fleet.
   * @param stanza whose {@link settings} are good.
   */
  texts(stanza: string): readonly RcChange[]
}

export type RcFailure =
  | Failure<'CONFIG_SYNTAX' | 'CONFIG_UNKNOWN_KEY' | 'CONFIG_CONFLICT' | 'CONFIG_MISSING_KEY'>
  | SettingFailure

interface Line {
  readonly text: string
  readonly at: SourceLocation
}
interface Stanza extends Line {
  readonly name: string
  readonly lines: readonly Line[]
}

/**
 * @param file its name, for messages.
 * @returns the file, or `CONFIG_SYNTAX` for a line that belongs to no stanza.
 */
export function parseFwknoprc(file: string, text: string): Result<RcFile, Failure<'CONFIG_SYNTAX'>> {
  const stanzas: (Stanza & { lines: Line[] })[] = []
  for (const [i, raw] of text
    .replace(/^\uFEFF/, '')
    .split(/\r?\n/)
    .entries()) {
    const line = { text: trimBlanks(raw), at: { file, line: i + 1 } }
    if (line.text === '' || /^[#;]/.test(line.text)) continue
    const header = /^\[\s*([^\]]*?)\s*\]/.exec(line.text)
    // Its lines would count for the stanza before it.
    if (header === null && line.text.startsWith('['))
      return refuse('CONFIG_SYNTAX', 'the name of a stanza has no closing bracket “]”', {
        at: line.at,
        suggestion: '[NAME]',
      })
    if (header?.[1] === '' || header?.[1]?.startsWith('['))
      return refuse('CONFIG_SYNTAX', 'a stanza has one name, in one pair of brackets', {
        at: line.at,
        suggestion: '[NAME]',
      })
    if (header === null && /^[^\s[\]]+\]$/.test(line.text))
      return refuse('CONFIG_SYNTAX', 'the name of a stanza has no opening bracket “[”', {
        at: line.at,
        suggestion: '[NAME]',
      })
    if (header !== null) stanzas.push({ ...line, name: header[1] ?? '', lines: [] })
    else if (stanzas.length > 0) stanzas[stanzas.length - 1]?.lines.push(line)
    else if (isOnServer(words(line).name))
      return refuse('CONFIG_SYNTAX', belongsOnServer(words(line).name), { at: line.at })
    else
      return refuse('CONFIG_SYNTAX', 'the line is in no stanza: a stanza begins with its name in brackets', {
        at: line.at,
        suggestion: '[default]',
      })
  }

  const named = (name: string): Stanza[] => stanzas.filter((it) => it.name.toLowerCase() === name.toLowerCase())
  const missing = (name: string, wanted: readonly Stanza[]) => {
    const suggestion = nearest(name, [...new Set(wanted.map((it) => it.name))])
    const more = suggestion === undefined ? {} : { suggestion }
    return refuse('CONFIG_MISSING_KEY', `${file} has no stanza [${name}]`, more)
  }
  /** What the fleet of a node says. */
  const fleetOf = ({ fleet }: SettingLayer, stanza: Stanza | undefined): Result<SettingLayer, RcFailure> => {
    if (typeof fleet !== 'string') return ok({})
    const at = stanza?.lines.find((line) => words(line).name === 'FLEET')?.at
    const place = at === undefined ? {} : { at }
    const found = named(fleet)
    if (found.length === 0) {
      const { failure } = missing(fleet, stanzas.filter(isFleet))
      return { ok: false, failure: { ...failure, detail: `FLEET: ${failure.detail}`, ...place } }
    }
    if (!found.some(isFleet))
      return refuse('CONFIG_CONFLICT', `FLEET: the stanza [${fleet}] is no fleet: it has no line FLEET alone`, place)
    return readStanza(found)
  }
  return ok({
    stanzas: stanzas.map(({ name }) => name).filter((name) => name.toLowerCase() !== 'default'),
    holdsKeys: stanzas.some(({ lines }) => lines.some((line) => secretSettings.has(words(line).name))),
    withServer(host) {
      const isIt = (line: Line): boolean => {
        const { name, value } = words(line)
        return name === 'SPA_SERVER' && value.toLowerCase() === host.toLowerCase()
      }
      const found = stanzas.filter(({ name, lines }) => name.toLowerCase() !== 'default' && lines.some(isIt))
      return found.map(({ name }) => name)
    },
    settings(stanza) {
      const base = readStanza(named('default'))
      if (!base.ok || stanza === undefined) return base
      const found = named(stanza)
      if (found.length === 0) return missing(stanza, stanzas)
      const over = readStanza(found)
      if (!over.ok) return over
      const fleet = fleetOf(over.value, found[0])
      return fleet.ok ? ok(withDerivedKeys({ ...base.value, ...fleet.value, ...over.value })) : fleet
    },
    nodesOf(stanza) {
      const isOfIt = (line: Line): boolean => {
        const { name, value } = words(line)
        return name === 'FLEET' && value.toLowerCase() === stanza.toLowerCase()
      }
      if (!named(stanza).some(isFleet)) return undefined
      return stanzas.filter(({ lines }) => lines.some(isOfIt)).map(({ name }) => name)
    },
    texts(stanza) {
      const own = named(stanza)
      const read = readStanza(own)
      const fleet = read.ok && typeof read.value.fleet === 'string' ? named(read.value.fleet) : []
      const layer = fleet.length === 0 ? read : readStanza(fleet)
      const keys = read.ok && layer.ok ? derivedTexts({ ...layer.value, ...read.value }) : []
      return [named('default'), fleet, own]
        .map(textsOf)
        .concat([keys])
        .reduce((under, over) => {
          const settled = new Set(over.flatMap(settles))
          return [...under.filter((it) => !settles(it).some((what) => settled.has(what))), ...over]
        }, [])
        .filter(({ name }) => !OF_FLEETS.has(name))
    },
  })
}

/** What the reader itself makes keys of. */
const OF_FLEETS: ReadonlySet<string> = new Set<ClientSettingName>(['FLEET', 'NODE', 'NODE_SECRET_BASE64'])

/** The settings of a node with its keys in the place of secret and name. */
function withDerivedKeys({ fleet, node, nodeSecret, ...settings }: SettingLayer): SettingLayer {
  if (!node || !nodeSecret) return settings
  const { encryption, hmac } = deriveNodeKeys(nodeSecret, node)
  // The rc file has keys of its own for this server: what [default] says of GnuPG is for others.
  return { ...settings, gpg: null, encryptionKey: { key: encryption }, hmacKey: { key: hmac } }
}

function derivedTexts({ node, nodeSecret }: SettingLayer): readonly RcChange[] {
  if (!node || !nodeSecret) return []
  const { key, hmacKey } = nodeKeyTexts(deriveNodeKeys(nodeSecret, node))
  return [
    { name: 'KEY_BASE64', value: key },
    { name: 'HMAC_KEY_BASE64', value: hmacKey },
  ]
}

function isFleet({ lines }: Stanza): boolean {
  return lines.some((line) => isFleetLine(words(line)))
}

function readStanza([stanza, again]: readonly Stanza[]): Result<SettingLayer, RcFailure> {
  if (stanza === undefined) return ok({})
  if (again !== undefined)
    return refuse('CONFIG_CONFLICT', `the stanza [${again.name}] already begins in line ${stanza.at.line}`, {
      at: again.at,
    })
  if (stanza.name === '' || stanza.text.replace(/^\[[^\]]*\]/, '').replace(/^\s*[#;].*/, '') !== '')
    return refuse('CONFIG_SYNTAX', 'the name of a stanza must be in brackets, alone on its line', { at: stanza.at })

  let settings: SettingLayer = {}
  const settledIn = new Map<string, number>()
  for (const line of stanza.lines) {
    const read = readLine(line)
    if (!read.ok) return read
    // By what is settled and not by name: KEY, KEY_BASE64 and KEY_FILE are three ways to say one thing.
    for (const [what, value] of Object.entries(read.value)) {
      const before = settledIn.get(what)
      if (before !== undefined && value !== settings[what as keyof SettingLayer])
        return refuse('CONFIG_CONFLICT', `${words(line).name} contradicts line ${before}`, { at: line.at })
      settledIn.set(what, line.at.line)
    }
    settings = { ...settings, ...read.value }
  }
  const kind = kindOfStanza(stanza.lines.map(named), stanza.name.toLowerCase() === 'default')
  return kind.ok ? ok(settings) : kind
}

function named(line: Line): NamedLine {
  const { name, value } = words(line)
  return { name, value, at: line.at }
}

/** The lines of stanzas that are good. */
function textsOf(stanzas: readonly Stanza[]): readonly RcChange[] {
  return stanzas.flatMap(({ lines }) =>
    lines.flatMap((line) => {
      const { name } = words(line)
      return isClientSetting(name) ? [{ name, value: wholeValue(line) }] : []
    }),
  )
}

/** What a text decides: KEY, KEY_BASE64 and KEY_FILE decide one thing. */
function settles({ name, value }: RcChange): readonly string[] {
  const read = readClientSetting(name, value)
  return read.ok ? Object.keys(read.value) : []
}

/** Whether somebody put a setting of the server into the file of the client. */
function isOnServer(name: string): boolean {
  return !isClientSetting(name) && (stanzaSettingNames.includes(name) || serverSettingNames.includes(name))
}

function belongsOnServer(name: string): string {
  return `${name} belongs in ${stanzaSettingNames.includes(name) ? 'access.conf' : 'fwknopd.conf'}, on the server`
}

function readLine(line: Line): Result<SettingLayer, RcFailure> {
  const { at } = line
  const { name, value, rest } = words(line)
  // Only the letters before the first other sign are shown: past it, a key may follow.
  const shown = /^[A-Za-z0-9_]*/.exec(name)?.[0] ?? ''
  if (shown !== name || shown === '') {
    const suggestion = isClientSetting(shown) ? { at, suggestion: `${shown} …` } : { at }
    const sign = name.charAt(shown.length)
    const detail =
      shown !== '' && sign === '='
        ? 'a blank separates name and value, not an equals sign'
        : shown !== '' && sign === ':'
          ? 'a blank is missing after the colon'
          : 'a line is the name of a setting, a blank, and its value'
    return refuse('CONFIG_SYNTAX', detail, suggestion)
  }
  if (isOnServer(name)) return refuse('CONFIG_UNKNOWN_KEY', belongsOnServer(name), { at })
  if (!isClientSetting(name)) {
    const unknown = refuseUnknownName('setting', name, Object.keys(clientSettings), at)
    // fwknop's own template names it, and fwknop does not know it.
    return name === 'CLIENT_TIMEOUT'
      ? { ok: false, failure: { ...unknown.failure, suggestion: 'FW_TIMEOUT' } }
      : unknown
  }
  if (isFleetLine({ name, value }) && rest === '') return ok({})
  if (value === '') return refuse('CONFIG_SYNTAX', `${name} has no value`, { at })
  // A raw key may begin with “=”, but is hardly that alone.
  if (value === '=' || (value.startsWith('=') && !secretSettings.has(name)))
    return refuse('CONFIG_SYNTAX', 'a blank separates name and value, not an equals sign', {
      at,
      suggestion: `${name} …`,
    })
  if (rest !== '' && name !== 'HTTP_USER_AGENT') {
    // What follows a raw key is its end, cut off by fwknop without a word.
    if (name === 'KEY' || name === 'HMAC_KEY')
      return refuse('CONFIG_SYNTAX', `${name} ends at a blank, “#” or “;”, and more follows`, {
        at,
        suggestion: `${name}_BASE64`,
      })
    const joined = name === 'ACCESS' ? `${value}${rest}`.split(/[\s,]+/).join(',') : ''
    return refuse('CONFIG_SYNTAX', `the value of ${name} ends at a blank, “#” or “;”, and more follows`, {
      at,
      ...(joined !== '' && readClientSetting('ACCESS', joined).ok ? { suggestion: `ACCESS ${joined}` } : {}),
    })
  }
  const read = readClientSetting(name, wholeValue(line))
  if (read.ok) return read
  const failure = withoutSecrets(read.failure, value)
  return { ok: false, failure: { ...failure, detail: `${name}: ${failure.detail}`, at } }
}

/**
 * The name without a colon; the value, up to a blank, `;` or `#`; and what follows it that is no comment. A comment
 * begins after a blank, so that a `#` in the middle of a key is seen.
 */
function words({ text }: Line): { readonly name: string; readonly value: string; readonly rest: string } {
  const [name = '', value = '', rest = ''] =
    /^([^\t\v\f\r ]+)[\t\v\f\r ]*([^\t\v\f\r ;#]*)(.*)$/s.exec(text)?.slice(1) ?? []
  return { name: name.replace(/:$/, ''), value, rest: rest.replace(/^;?[\t\v\f\r ]*$|^;?[\t\v\f\r ]+[#;].*$/s, '') }
}

/** A user agent has blanks and semicolons. fwknop cuts it at the first. */
function wholeValue(line: Line): string {
  const { name, value } = words(line)
  return name === 'HTTP_USER_AGENT' ? trimBlanks(line.text.replace(/^\S+/, '')) : value
}
