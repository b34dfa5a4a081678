/**
 * `access.conf` cut into stanzas: from one SOURCE to the next, through the files that it includes. Stricter than fwknop
 * about where a stanza ends. There, a setting after an `%include` belongs to the stanza before it, and one before the
 * first SOURCE belongs to none. The dialect of fwknopd (fwknopd-dialect.ts) reads files so.
 */
import { type Failure, ok, type Refused, type Result, refuse, type SourceLocation } from '../../result.ts'
import { isClientSetting, refuseClientName } from '../client/fwknoprc-settings.ts'
import type { ConfigFiles } from '../reading/config-files.ts'
import { isNameLike, isPathLike, refuseUnknownName } from '../reading/hide-keys.ts'
import type { ConfigFailure, Notice } from '../reading/notice.ts'
import { folderOf, relativeTo } from '../reading/paths.ts'
import { readSettingLines, type SettingLine } from '../reading/setting-lines.ts'
import { serverSettingNames } from '../server/fwknopd-settings.ts'
import { KEY_FILE_SETTINGS, stanzaSettingNames } from './access-setting-names.ts'
import { type ClusterReading, clusterBlocks } from './cluster-blocks.ts'
import { forgivenStanzaLines } from './fwknopd-dialect.ts'

/** The lines of one stanza; the first is its SOURCE. */
export interface StanzaBlock {
  readonly lines: readonly SettingLine[]
  readonly keyFile?: KeyFile
  /**
   * Why the stanza may not be used. Its other lines do not change that. Only in the dialect of fwknopd, and for stanzas
   * of a cluster.
   */
  readonly fault?: Failure
  /** The stanza is one of the cluster. */
  readonly ofCluster?: true
}

/** How the files are read. */
export interface AccessReading {
  /** Instead of one file: all `*.conf` files right inside of this folder. */
  readonly folder?: string
  /** After the node's own stanzas: those of its cluster. */
  readonly cluster?: ClusterReading
  /** As fwknopd reads them. */
  readonly forgiving?: {
    /** Where relative paths begin. */
    readonly workingFolder: string
    /** Gets what was passed over, and why. */
    readonly notices: Notice[]
  }
}

/** The file of keys that a stanza ends with. Trouble in there costs this stanza only, as in fwknop. */
interface KeyFile {
  readonly path: string
  /** As messages may call it. */
  readonly shown: string
  readonly at: SourceLocation
  readonly failure?: Failure
}

/** A block as long as it grows. */
interface OpenBlock {
  readonly lines: SettingLine[]
  keyFile?: KeyFile
  fault?: Failure
}

/** Files included from files included from files: fwknop's limit. */
const MAX_DEPTH = 3

const DIRECTIVES = ['%include', '%include_folder', '%include_keys'] as const
const KNOWN: readonly string[] = [...stanzaSettingNames, ...DIRECTIVES]
/** All that a line may be meant to set, also those that belong in another file. */
const ALL_NAMES = [...stanzaSettingNames, ...serverSettingNames]

/** Reads the file and all that it includes. */
export function readStanzaBlocks(
  file: string,
  files: ConfigFiles,
  reading: AccessReading = {},
): Result<readonly StanzaBlock[], ConfigFailure> {
  const own = readOwnBlocks(file, files, reading)
  if (!own.ok || reading.cluster === undefined) return own
  return ok([...own.value, ...clusterBlocks(reading.cluster, files, own.value)])
}

function readOwnBlocks(
  file: string,
  files: ConfigFiles,
  reading: AccessReading,
): Result<readonly StanzaBlock[], ConfigFailure> {
  if (reading.folder === undefined) return readFile(file, files, [], reading)
  const names = files.list(reading.folder)
  if (!names.ok) return { ok: false, failure: { ...names.failure, detail: `ACCESS_FOLDER: ${names.failure.detail}` } }
  const blocks: StanzaBlock[] = []
  for (const name of names.value) {
    const read = readFile(name, files, [], reading)
    if (!read.ok) return read
    blocks.push(...read.value)
  }
  return ok(blocks)
}

/** @param trail the files that led here, outermost first. */
function readFile(
  file: string,
  files: ConfigFiles,
  trail: readonly string[],
  reading: AccessReading,
): Result<OpenBlock[], ConfigFailure> {
  const text = files.read(file)
  if (!text.ok) return text
  if (reading.forgiving !== undefined) return readForgiving(file, text.value, files, trail, reading)
  const lines = readSettingLines(file, text.value, ALL_NAMES)
  if (!lines.ok) return lines
  const blocks: OpenBlock[] = []
  // Whether the last block may still grow; if not, why not.
  let closed: string | undefined = 'a stanza begins with SOURCE, and there is none before this line'
  for (const line of lines.value) {
    const last = blocks.at(-1)
    if (line.name === '%include' || line.name === '%include_folder') {
      const included = include(line, files, [...trail, file], reading)
      if (!included.ok) return included
      blocks.push(...included.value)
      closed = `after ${line.name} a new stanza must begin with SOURCE`
    } else if (line.name === '%include_keys') {
      if (closed !== undefined || last === undefined) return outside(line, closed)
      readKeyFile(line, files, last, reading)
      closed = '%include_keys ends the stanza, and the next must begin with SOURCE'
    } else if (line.name.startsWith('%')) {
      return unknownDirective(line)
    } else if (line.name === 'SOURCE') {
      blocks.push({ lines: [line] })
      closed = undefined
    } else if (closed !== undefined || last === undefined) return outside(line, closed)
    else last.lines.push(line)
  }
  return ok(blocks)
}

/** As fwknopd reads it: what it passes over has a warning, or costs the stanza if it would have restricted it. */
function readForgiving(
  file: string,
  text: string,
  files: ConfigFiles,
  trail: readonly string[],
  reading: AccessReading,
): Result<OpenBlock[], ConfigFailure> {
  const notices = reading.forgiving?.notices ?? []
  const blocks: OpenBlock[] = []
  // An included stanza does not end the one before it.
  let last: OpenBlock | undefined
  for (const line of forgivenStanzaLines(file, text, ALL_NAMES, notices)) {
    if ('fault' in line) {
      if (last !== undefined) last.fault ??= line.fault
      continue
    }
    const { name, at } = line
    if (name === '%include' || name === '%include_folder') {
      const included = include(line, files, [...trail, file], reading)
      if (!included.ok) return included
      blocks.push(...included.value)
    } else if (name === 'SOURCE') {
      last = { lines: [line] }
      blocks.push(last)
    } else if (last === undefined)
      notices.push({ level: 'warning', text: `${name} is ignored: a stanza begins with SOURCE`, at })
    else if (name === '%include_keys') readKeyFile(line, files, last, reading)
    else replaceLine(last.lines, withWholePath(line, reading), notices)
  }
  return ok(blocks)
}

/** For fwknopd, the last of several values counts. KEY and KEY_BASE64 are one setting in this. */
function replaceLine(lines: SettingLine[], line: SettingLine, notices: Notice[]): void {
  const { name, at } = line
  const plain = (other: string): string => (KEY_FILE_SETTINGS.has(other) ? other.replace(/_BASE64$/, '') : other)
  const before = lines.findIndex((other) => plain(other.name) === plain(name))
  // The first line is SOURCE.
  const [replaced] = before > 0 ? lines.splice(before, 1) : []
  if (replaced !== undefined) {
    const { file, line: number } = replaced.at
    const there = file === at.file ? `line ${number}` : `${file}:${number}`
    const text =
      replaced.name === name
        ? `${name} is set twice: this value counts, and not the one in ${there}`
        : `${name} is set after ${replaced.name} in ${there}: this value counts`
    notices.push({ level: 'warning', text, at })
  }
  lines.push(line)
}

/** gpg gets a path of fwknopd’s as it is: a relative one begins where fwknopd was started. */
function withWholePath(line: SettingLine, reading: AccessReading): SettingLine {
  if (line.name !== 'GPG_HOME_DIR') return line
  return { ...line, value: relativeTo(startOf(line, reading), line.value) }
}

/** Where a relative path begins. */
function startOf({ at }: SettingLine, { forgiving }: AccessReading): string {
  return forgiving?.workingFolder ?? folderOf(at.file)
}

function include(
  line: SettingLine,
  files: ConfigFiles,
  trail: readonly string[],
  reading: AccessReading,
): Result<OpenBlock[], ConfigFailure> {
  const { at, name } = line
  if (line.value === '') return refuse('CONFIG_SYNTAX', `${name} needs a path`, { at })
  if (trail.length > MAX_DEPTH)
    return refuse('CONFIG_CONFLICT', `files are included more than ${MAX_DEPTH} levels deep: ${trail.join(' → ')}`, {
      at,
    })
  const path = relativeTo(startOf(line, reading), line.value)
  const paths = name === '%include' ? ok([path]) : files.list(path)
  if (!paths.ok) return { ok: false, failure: unreadable(paths.failure, line, path) }
  const blocks: OpenBlock[] = []
  for (const included of paths.value) {
    if (trail.includes(included))
      return refuse('CONFIG_CONFLICT', `${included} includes itself: ${[...trail, included].join(' → ')}`, { at })
    const read = readFile(included, files, trail, reading)
    // A file that cannot be read has no line of its own to point at.
    if (!read.ok)
      return read.failure.at === undefined ? { ok: false, failure: unreadable(read.failure, line, included) } : read
    blocks.push(...read.value)
  }
  return ok(blocks)
}

/** Shows the path only where it cannot be a key that was written there by mistake. What could be opened is a path. */
function unreadable<F extends Failure>(failure: F, { name, value, at }: SettingLine, path: string): F {
  if (failure.code !== 'CONFIG_UNREADABLE' || isPathLike(value)) return { ...failure, at }
  const { detail } = failure
  const why = detail.startsWith(path) ? detail.slice(path.length) : ''
  const told = why !== '' && !why.includes(path) && !why.includes(value) ? why : ' cannot be read'
  return { ...failure, detail: `what ${name} names${told}`, at }
}

function readKeyFile(line: SettingLine, files: ConfigFiles, block: OpenBlock, reading: AccessReading): void {
  const { at } = line
  const path = relativeTo(startOf(line, reading), line.value)
  const lines = keyLines(path, files, reading)
  const { forgiving } = reading
  if (lines.ok)
    for (const one of lines.value)
      if (forgiving === undefined) block.lines.push(one)
      else replaceLine(block.lines, one, forgiving.notices)
  const failure = lines.ok
    ? {}
    : { failure: lines.failure.at === undefined ? unreadable(lines.failure, line, path) : lines.failure }
  block.keyFile = { path, shown: isPathLike(line.value) ? path : 'the file of keys', at, ...failure }
}

function keyLines(path: string, files: ConfigFiles, reading: AccessReading): Result<readonly SettingLine[], Failure> {
  const text = files.readKeys(path)
  if (!text.ok) return text
  if (reading.forgiving !== undefined) return forgivenKeyLines(path, text.value, reading.forgiving.notices)
  const lines = readSettingLines(path, text.value, ALL_NAMES)
  if (!lines.ok) return lines
  const stranger = lines.value.find(({ name }) => !KEY_FILE_SETTINGS.has(name))
  if (stranger === undefined) return lines
  const what = isNameLike(stranger.name, KNOWN) ? `, not ${stranger.name}` : ''
  return refuse('CONFIG_CONFLICT', `a file of %include_keys may hold only keys and their digest type${what}`, {
    at: stranger.at,
  })
}

/** As fwknopd reads it: what is no key is passed over, so that a user cannot change policy. */
function forgivenKeyLines(path: string, text: string, notices: Notice[]): Result<readonly SettingLine[], Failure> {
  const kept: SettingLine[] = []
  for (const line of forgivenStanzaLines(path, text, ALL_NAMES, notices, 'Ignoring invalid entry')) {
    if ('fault' in line) return { ok: false, failure: line.fault }
    const { name, at } = line
    if (KEY_FILE_SETTINGS.has(name)) kept.push(line)
    else notices.push({ level: 'warning', text: `Ignoring invalid entry: '${name}': this file may hold only keys`, at })
  }
  return ok(kept)
}

function outside({ name, at }: SettingLine, why: string | undefined): Refused<ConfigFailure> {
  // The name of a SOURCE that is misspelt is the likeliest reason to be in no stanza.
  if (isClientSetting(name) && !KNOWN.includes(name)) return refuseClientName(name, at)
  if (!KNOWN.includes(name) && !serverSettingNames.includes(name)) return refuseUnknownName('setting', name, KNOWN, at)
  return refuse('CONFIG_SYNTAX', `${name} is in no stanza: ${why ?? 'there is none'}`, { at })
}

function unknownDirective({ name, at }: SettingLine): Refused<ConfigFailure> {
  return refuseUnknownName('directive', name, DIRECTIVES, at)
}
