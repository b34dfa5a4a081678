/**
 * What the rc file says for a knock, and which of its stanzas counts: the named one, or the one for the named server.
 */
import { join } from 'node:path'
import type { SettingLayer } from '../config/client/layer.ts'
import { parseFwknoprc, type RcFile } from '../config/client/parse-fwknoprc.ts'
import { fitsPattern, isPattern } from '../config/reading/name-pattern.ts'
import { nearest } from '../config/reading/nearest.ts'
import { type Failure, ok, type Refused, type Result, refuse } from '../result.ts'
import { homeDirectory } from '../system/home.ts'
import { readUserFile, refuseExposed, refuseMissing } from '../system/user-file.ts'
import type { PlanOptions } from './plan-options.ts'

/** A word that may name a stanza, or the server of a stanza. */
export interface StanzaWord {
  readonly word: string
  /** The word can only be a stanza: if there is none, that is a failure. */
  readonly required: boolean
  /** Another name or address of that server. */
  readonly server?: string
  /** What to suggest if nothing matches the word and no name is similar. */
  readonly otherwise?: string
  /** What to add if no stanza matches: the user may have meant something else. */
  readonly misread?: string | undefined
}

/** For messages: no stanza matches the argument, so it was taken as a server's name. */
export interface NoStanza {
  readonly word: string
  /** The rc file, even if it does not exist. */
  readonly file: string
  readonly exists: boolean
  /** The stanza that was probably meant, or another cure. */
  readonly meant?: string
}

/** The stanza that is used, with its name as in the file. */
export interface UsedStanza {
  readonly name: string
  readonly file: string
}

export interface RcSettings {
  readonly settings: SettingLayer
  readonly stanza?: UsedStanza
  readonly noStanza?: NoStanza
}

/**
 * `[default]`, overridden by the stanza of `named-config`. Without `named-config`: by the stanza with the name `word`,
 * else by the only one whose `SPA_SERVER` is `word`.
 * @returns the settings; the failure of the file; `CONFIG_MISSING_KEY` if the stanza does not exist; `CLI_USAGE` if
 * several stanzas match.
 */
export function rcSettings(given: PlanOptions, argument?: StanzaWord): Result<RcSettings, Failure> {
  const where = rcPath(given)
  if ('none' in where) return withoutFile(where.none, given['named-config'], argument)
  const { path } = where
  const read = readRc(where)
  if (!read.ok) return read
  const rc = read.value
  const named = given['named-config']

  if (rc === undefined) {
    const required = named ?? (argument?.required === true ? argument.word : undefined)
    if (required !== undefined)
      return noSuchStanza(
        { word: required, file: path, exists: false },
        named === undefined ? argument?.misread : undefined,
      )
    if (argument === undefined) return ok({ settings: {} })
    return ok({ settings: {}, noStanza: { word: argument.word, file: path, exists: false } })
  }
  const lookFor = named ?? argument?.word
  if (lookFor === undefined) return settingsOf(rc, undefined)
  const required = named !== undefined || argument?.required === true
  // A server may have the name “default”. A stanza of this name is not for a server, but can be asked for.
  if (required && lookFor.toLowerCase() === 'default') return settingsOf(rc, { name: lookFor, file: path })
  const found = findStanza(rc, lookFor, path, named === undefined ? [lookFor, argument?.server ?? lookFor] : [])
  if (!found.ok) return found
  if (found.value !== undefined) return settingsOf(rc, { name: found.value, file: path })

  const names = [...new Set(rc.stanzas)]
  // A login name before the “@” is for ssh. A suggestion for the argument is not a cure for `named-config`.
  const meant =
    nearest(lookFor, names) ??
    nearest(lookFor.replace(/^.*@/, ''), names) ??
    (names.length === 0 || named !== undefined ? undefined : argument?.otherwise)
  const noStanza = { word: lookFor, file: path, exists: true, ...(meant === undefined ? {} : { meant }) }
  const misread = named === undefined ? argument?.misread : undefined
  if (required) return noSuchStanza(noStanza, misread)
  const base = rc.settings()
  return base.ok ? ok({ settings: base.value, noStanza }) : base
}

/**
 * @param list one stanza, or several with commas between them; patterns among them, and fleets.
 * @returns each once; a pattern as the stanzas that fit it, and a fleet as its nodes, in the order of the file. A
 * stanza whose own name has the commas is one.
 */
export function stanzaNames(given: PlanOptions, list: string): readonly string[] {
  const where = rcPath(given)
  const read = 'path' in where ? readRc(where) : ok(undefined)
  // What is wrong with the file is told where a stanza is looked for.
  const rc = read.ok ? read.value : undefined
  const isStanza = (word: string): boolean => rc?.stanzas.some((it) => it.toLowerCase() === word.toLowerCase()) === true
  const words = isStanza(list) ? [list] : list.split(',').map((name) => name.trim())
  const names = words.flatMap((word) => {
    const nodes = rc?.nodesOf(word)
    if (nodes !== undefined) return nodes.length > 0 ? nodes : [word]
    if (rc === undefined || isStanza(word) || !isPattern(word)) return [word]
    const fitting = rc.stanzas.filter((name) => fitsPattern(word, name) && rc.nodesOf(name) === undefined)
    return fitting.length > 0 ? fitting : [word]
  })
  return names.filter((name, i) => names.findIndex((it) => it.toLowerCase() === name.toLowerCase()) === i)
}

/**
 * The rc file and the names of its stanzas, as written, without those that are fleets and no servers.
 * @returns undefined if there is no file, or none is to be read; else the failure of the file.
 */
export function rcStanzas(
  given: PlanOptions,
): Result<{ file: string; stanzas: readonly string[] } | undefined, Failure> {
  const where = rcPath(given)
  if ('none' in where) return ok(undefined)
  const rc = readRc(where)
  if (!rc.ok) return rc
  const file = rc.value
  if (file === undefined) return ok(undefined)
  return ok({ file: where.path, stanzas: file.stanzas.filter((name) => file.nodesOf(name) === undefined) })
}

/** Adds that no stanza matches the argument: often this is the cause. */
export function withNoStanza<F extends Failure>(failure: F, noStanza: NoStanza | undefined): F {
  if (noStanza === undefined) return failure
  const { word, file, exists, meant } = noStanza
  const detail = exists
    ? `${failure.detail}; no stanza of ${file} has the name or the SPA_SERVER “${word}”`
    : `${failure.detail}; there is no rc file ${file} with a stanza “${word}”`
  return { ...failure, detail, ...(meant === undefined ? {} : { suggestion: meant }) }
}

function noSuchStanza(
  { word, file, exists, meant }: NoStanza,
  misread: string | undefined,
): Refused<Failure<'CONFIG_MISSING_KEY' | 'CLI_USAGE'>> {
  const why = exists ? `${file} has no stanza [${word}]` : `there is no rc file ${file} to take [${word}] from`
  // With a dot or a colon it is a host, which has an option of its own.
  const suggestion = meant ?? (/[.:]/.test(word) && misread === undefined ? `--destination ${word}` : undefined)
  const more = suggestion === undefined ? {} : { suggestion }
  if (misread === undefined) return refuse('CONFIG_MISSING_KEY', why, more)
  return refuse('CLI_USAGE', `${misread}, and ${why}`, more)
}

/** @param servers if no stanza has the name, the one with one of these as its server counts. */
function findStanza(
  rc: RcFile,
  word: string,
  file: string,
  servers: readonly string[],
): Result<string | undefined, Failure<'CLI_USAGE'>> {
  const name = rc.stanzas.find((it) => it.toLowerCase() === word.toLowerCase())
  if (name !== undefined) return ok(name)
  const [first, ...others] = new Set(servers.flatMap((server) => rc.withServer(server)))
  if (first === undefined || others.length === 0) return ok(first)
  const names = [first, ...others].map((it) => `[${it}]`).join(', ')
  return refuse(
    'CLI_USAGE',
    `${1 + others.length} stanzas of ${file} have SPA_SERVER ${[...new Set(servers)].join(' or ')}: ${names}`,
    {
      suggestion: `--named-config ${first}`,
    },
  )
}

function settingsOf(rc: RcFile, stanza: UsedStanza | undefined): Result<RcSettings, Failure> {
  const nodes = stanza === undefined ? undefined : rc.nodesOf(stanza.name)
  if (stanza !== undefined && nodes !== undefined) {
    const [first] = nodes
    if (first === undefined)
      return refuse('CONFIG_MISSING_KEY', `the fleet [${stanza.name}] of ${stanza.file} has no node`, {
        suggestion: 'ghostport client extend',
      })
    const all = nodes.slice(0, 10).map((it) => `[${it}]`)
    const detail = `[${stanza.name}] is a fleet and no server: name one of its nodes: ${all.join(', ')}`
    return refuse('CLI_USAGE', nodes.length > all.length ? `${detail}, …` : detail, { suggestion: first })
  }
  const settings = rc.settings(stanza?.name)
  if (!settings.ok) return settings
  return ok({ settings: settings.value, ...(stanza === undefined ? {} : { stanza }) })
}

/** Adds to a contradiction among settings which stanza some of them come from. */
export function withStanza<F extends Failure>(failure: F, stanza: UsedStanza | undefined): F {
  if (stanza === undefined) return failure
  return { ...failure, detail: `${failure.detail}; some settings come from stanza [${stanza.name}] of ${stanza.file}` }
}

/** Adds the cure that is in the stanza: `say what to open: -A tcp/22, or set ACCESS in stanza [door] of FILE`. */
export function orInStanza<F extends Failure>(failure: F, setting: string, stanza: UsedStanza | undefined): F {
  if (stanza === undefined) return failure
  return { ...failure, detail: `${failure.detail}, or set ${setting} in stanza [${stanza.name}] of ${stanza.file}` }
}

/** Which file is read, and whether the user named it; or why none is read. */
export type RcPath = { readonly path: string; readonly named: boolean } | { readonly none: string }

export function rcPath(given: PlanOptions): RcPath {
  const named = given['rc-file']
  if (named !== undefined) return { path: named, named: true }
  if (given['no-rc-file'] === true) return { none: '--no-rc-file is given' }
  if (given['no-home-dir'] === true) return { none: '--no-home-dir is given' }
  const home = homeDirectory()
  if (home !== undefined) return { path: join(home, '.fwknoprc'), named: false }
  return { none: `HOME names no folder, and the user database has none for uid ${process.getuid?.()}` }
}

/** Without a file, a required stanza cannot be found. */
function withoutFile(why: string, named: string | undefined, argument: StanzaWord | undefined) {
  const stanza = named ?? (argument?.required === true ? argument.word : undefined)
  if (stanza === undefined) return ok({ settings: {} })
  const misread = named === undefined ? argument?.misread : undefined
  const detail = `no rc file to read [${stanza}] from: ${why}`
  if (misread !== undefined) return refuse('CLI_USAGE', `${misread}, and there is ${detail}`)
  return refuse('CONFIG_MISSING_KEY', detail, { suggestion: '--rc-file FILE' })
}

/** A file that the user named must exist. */
function readRc({ path, named }: Extract<RcPath, { path: string }>): Result<RcFile | undefined, Failure> {
  const read = readUserFile(path)
  if (!read.ok) {
    // The user did not name the file, and may not know it.
    const { failure } = read
    const suggestion = failure.suggestion ?? '--rc-file FILE, or --no-rc-file'
    return named ? read : { ok: false, failure: { ...failure, suggestion } }
  }
  // fwknop makes a file of comments here. A command that only sends should leave nothing behind.
  if (read.value === undefined) return named ? refuseMissing(path) : ok(undefined)
  const rc = parseFwknoprc(path, read.value.text)
  return rc.ok && rc.value.holdsKeys && read.value.readableByOthers ? refuseExposed(path) : rc
}

/** @param named by the user; without it, the file of the user. @returns undefined if the user has none. */
export function readRcFile(named?: string): Result<{ path: string; rc: RcFile } | undefined, Failure> {
  const where = rcPath(named === undefined ? {} : { 'rc-file': named })
  if ('none' in where) return ok(undefined)
  const rc = readRc(where)
  if (!rc.ok) return rc
  return ok(rc.value === undefined ? undefined : { path: where.path, rc: rc.value })
}
