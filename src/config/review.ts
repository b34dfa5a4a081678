/**
 * Everything that is wrong with a configuration. `loadConfig` stops at the first fault, as a start does; here each line
 * at fault is amended in memory, and the files are read again, until nothing is left. The configuration that results is
 * never used.
 */
import type { FailureCode } from '../failure-codes.ts'
import type { Failure, SourceLocation } from '../result.ts'
import { type ConfigSource, type LoadedConfig, loadConfig } from './load.ts'
import type { ConfigFiles } from './reading/config-files.ts'

export interface ConfigReview {
  /** The server's file first, each file from its top. */
  readonly faults: readonly Failure[]
  /** There may be more faults than these. */
  readonly isCutOff: boolean
  /** Absent if anything is wrong. */
  readonly loaded?: LoadedConfig
}

/** Enough for any file that is meant as a configuration. */
const MOST_FAULTS = 200
/** Each fault costs one reading of all lines, about 2 µs a line. So long files have fewer faults told. */
const MOST_LINES_READ = 1_000_000
const LEAST_READINGS = 10

export function reviewConfig(files: ConfigFiles, source: ConfigSource): ConfigReview {
  const amended = new AmendedFiles(files)
  const faults: Failure[] = []
  for (let readings = 0; ; readings++) {
    if (faults.length >= MOST_FAULTS || (faults.length > 0 && readings >= mostReadings(amended.lines)))
      return { faults: inFileOrder(faults), isCutOff: true }
    const loaded = loadConfig(amended, source)
    if (loaded.ok && faults.length === 0) return { faults, isCutOff: false, loaded: loaded.value }
    if (loaded.ok) break
    if (!faults.some((fault) => isSame(fault, loaded.failure)) && !amended.mayExplain(loaded.failure))
      faults.push(loaded.failure)
    if (!amended.amend(loaded.failure, source)) break
  }
  return { faults: inFileOrder(faults), isCutOff: false }
}

/** A fault may need two amendments: its line, then its stanza. */
function mostReadings(lines: number): number {
  return Math.min(2 * MOST_FAULTS, Math.max(LEAST_READINGS, Math.floor(MOST_LINES_READ / lines)))
}

/** A fault may take two amendments: it is told once. */
function isSame(one: Failure, other: Failure): boolean {
  return one.detail === other.detail && one.at?.file === other.at?.file && one.at?.line === other.at?.line
}

/** The files in the order in which they were read, each from its top. */
function inFileOrder(faults: readonly Failure[]): readonly Failure[] {
  const files = [...new Set(faults.map(({ at }) => at?.file))]
  return files.flatMap((file) =>
    faults.filter(({ at }) => at?.file === file).sort((a, b) => (a.at?.line ?? 0) - (b.at?.line ?? 0)),
  )
}

interface AmendedFile {
  readonly lines: string[]
  /** Names of the settings that were taken out, by index of their line. */
  readonly taken: Map<number, string>
  /** The indices of lines with a value of {@link STAND_INS}. */
  readonly replaced: Set<number>
}

const NAME = /^[\t\v\f\r ]*(%?[A-Za-z][A-Za-z0-9_]*)/
const BEGINS_STANZA = /^[\t\v\f\r ]*(?:SOURCE|%include|%include_folder)(?![A-Za-z0-9_])/
const KEY_NAME = /^(?:KEY|KEY_BASE64|GPG_.*)$/
const STAND_IN = '192.0.2.1'
/**
 * For values that are not valid: what other settings need beside them is at fault too if it is missing. A value of
 * these names is replaced, and not taken out.
 */
const STAND_INS: { readonly [name: string]: string } = { FORCE_NAT: `${STAND_IN} 22`, FORCE_SNAT: STAND_IN }

class AmendedFiles implements ConfigFiles {
  readonly #files: ConfigFiles
  readonly #read = new Map<string, AmendedFile>()

  constructor(files: ConfigFiles) {
    this.#files = files
  }

  read(path: string) {
    const known = this.#read.get(path)
    if (known !== undefined) return { ok: true, value: known.lines.join('\n') } as const
    const text = this.#files.read(path)
    if (text.ok) this.#read.set(path, { lines: text.value.split('\n'), taken: new Map(), replaced: new Set() })
    return text
  }

  /** Of all files so far. */
  get lines(): number {
    return [...this.#read.values()].reduce((sum, { lines }) => sum + lines.length, 0)
  }

  readKeys(path: string) {
    return this.#files.readKeys(path)
  }

  list(folder: string) {
    return this.#files.list(folder)
  }

  /** Whether the fault may be there only because of what was taken out before. */
  mayExplain({ code, detail, at }: Failure): boolean {
    const file = at === undefined ? undefined : this.#read.get(at.file)
    if (file === undefined || at === undefined) return false
    if (file.replaced.size > 0 && detail.includes(STAND_IN)) return true
    const first = at.line - 1
    const isStanza = BEGINS_STANZA.test(file.lines[first] ?? '')
    const end = isStanza ? endOfStanza(file, first) : file.lines.length
    const begin = isStanza ? first : startOfStanza(file, first)
    const taken = [...file.taken].filter(([line]) => line >= begin && line < end).map(([, name]) => name)
    // There is no stanza, because there is none any more.
    if (code === 'CONFIG_MISSING_KEY')
      return taken.some((name) => KEY_NAME.test(name) || (!isStanza && /^(?:SOURCE|%include)/.test(name)))
    return taken.some((name) => name !== '' && new RegExp(`\\b${name}\\b`).test(detail))
  }

  /** Takes a fault out. @returns whether that can be done. */
  amend({ code, at }: Failure, { server }: ConfigSource): boolean {
    // A file that cannot be read: without the server's settings, the stanzas can be looked at all the same.
    if (at === undefined) return this.#replace(server)
    const file = this.#read.get(at.file)
    return file !== undefined && amendLine(file, at, code)
  }

  #replace(path: string): boolean {
    if (this.#read.has(path)) return false
    this.#read.set(path, { lines: [], taken: new Map(), replaced: new Set() })
    return true
  }
}

/** A missing key is the fault of the whole stanza that begins there; all else, of the line. */
function amendLine(file: AmendedFile, { line }: SourceLocation, code: FailureCode): boolean {
  const { lines, taken, replaced } = file
  const i = line - 1
  const text = lines[i] ?? ''
  const name = NAME.exec(text)?.[1] ?? ''
  // A file without a stanza has no line to amend.
  if (/^\s*(?:[#;].*)?$/s.test(text)) return false
  const standIn = code === 'CONFIG_INVALID_VALUE' && Object.hasOwn(STAND_INS, name) ? STAND_INS[name] : undefined
  if (standIn !== undefined && !replaced.has(i)) {
    replaced.add(i)
    lines[i] = `${name} ${standIn}`
    return true
  }
  const isAgain = taken.has(i)
  taken.set(i, name)
  if (name === 'SOURCE' && code !== 'CONFIG_MISSING_KEY' && !isAgain) {
    lines[i] = 'SOURCE ANY'
    return true
  }
  const end = name === 'SOURCE' ? endOfStanza(file, i) : line
  lines.fill('', i, end)
  return true
}

/** @returns the index of the line after it. */
function endOfStanza({ lines }: Pick<AmendedFile, 'lines'>, first: number): number {
  const next = lines.findIndex((text, i) => i > first && BEGINS_STANZA.test(text))
  return next < 0 ? lines.length : next
}

function startOfStanza({ lines }: AmendedFile, line: number): number {
  return Math.max(
    0,
    lines.findLastIndex((text, i) => i <= line && BEGINS_STANZA.test(text)),
  )
}
