/** What the page keeps beside the rc file: the programs to run afterwards, and the last knocks. Without keys. */
import { mkdirSync } from 'node:fs'
import { isAbsolute, join } from 'node:path'
import { either, integer, list, literal, type Read, type Reader, record, text } from '../json-reader.ts'
import { type Failure, ok, type Result, refuse } from '../result.ts'
import { fileReason } from '../system/errno.ts'
import { homeDirectory } from '../system/home.ts'
import { replaceUserFile } from '../system/replace-user-file.ts'
import { systemPath } from '../system/system-path.ts'
import { readUserFile } from '../system/user-file.ts'

/** The words of a program, itself the first. */
export type Argv = readonly string[]

const MOST_WORDS = 64
const LONGEST_WORD = 1000
const MOST_STANZAS = 10_000
export const MOST_KNOCKS = 500

/** A word without line ends and other signs that would hide what it is. */
const word: Reader<string> = (value) =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
  typeof value === 'string' && value.length <= LONGEST_WORD && !/[\0-\x1f\x7f]/.test(value) ? value : undefined

export const readArgv = list(word, { min: 0, max: MOST_WORDS })

const name = text({ max: 200 })
const program = record({ stanza: name, argv: readArgv }, { agreed: readArgv })
const readPrograms = record({ programs: list(program, { min: 0, max: MOST_STANZAS }) }, {})

const readKnock = record(
  {
    /** Unix seconds. */
    at: integer({ min: 0, max: 253_402_300_799 }),
    stanza: name,
    server: text({ max: 300 }),
    /** `sent`: what came of it is not known. `granted`, and `closed` perhaps: the server says so. */
    outcome: either(
      either(literal('open'), literal('already'), literal('sent')),
      either(literal('failed'), literal('granted'), literal('closed')),
    ),
  },
  {
    code: text({ max: 60 }),
    detail: text({ max: 2000 }),
    address: text({ max: 60 }),
    port: integer({ min: 1, max: 65_535 }),
    /** From the knock until the port was open. */
    milliseconds: integer({ min: 0, max: 3_600_000 }),
  },
)
const readHistory = record({ knocks: list(readKnock, { min: 0, max: MOST_KNOCKS }) }, {})

export type KeptKnock = Read<typeof readKnock>
type KeptProgram = Read<typeof program>

/** `XDG_STATE_HOME`, or `~/.local/state`; in it, a folder of ours. */
export function stateFolder(): Result<string, Failure<'CONFIG_UNREADABLE'>> {
  const named = process.env['XDG_STATE_HOME']
  if (named !== undefined && isAbsolute(named)) return ok(join(named, 'ghostport'))
  const home = homeDirectory()
  return home === undefined
    ? refuse('CONFIG_UNREADABLE', 'you have no home folder: name a folder in XDG_STATE_HOME')
    : ok(join(home, '.local', 'state', 'ghostport'))
}

export class KeptFiles {
  readonly #folder: string

  constructor(folder: string) {
    this.#folder = folder
  }

  /** What runs afterwards, and what the user agreed to. */
  program(stanza: string): Result<KeptProgram | undefined, Failure> {
    const all = this.#programs()
    return all.ok ? ok(all.value.find((it) => isSame(it.stanza, stanza))) : all
  }

  programs(): Result<readonly KeptProgram[], Failure> {
    return this.#programs()
  }

  /** A new program is not agreed to. @param argv empty: none. */
  setProgram(stanza: string, argv: Argv): Result<void, Failure> {
    return this.#change(stanza, argv.length === 0 ? undefined : { stanza, argv })
  }

  agree(stanza: string, argv: Argv): Result<void, Failure> {
    return this.#change(stanza, { stanza, argv, agreed: argv })
  }

  /** The stanza has another name, or none any more. */
  follow(stanza: string, to: string | undefined): Result<void, Failure> {
    const found = this.program(stanza)
    if (!found.ok || found.value === undefined) return found.ok ? ok(undefined) : found
    return this.#change(stanza, to === undefined ? undefined : { ...found.value, stanza: to })
  }

  /** The latest first. */
  history(): Result<readonly KeptKnock[], Failure> {
    const read = this.#read('history.json', readHistory)
    return read.ok ? ok(read.value?.knocks ?? []) : read
  }

  remember(knock: KeptKnock): Result<void, Failure> {
    const earlier = this.history()
    // A history that cannot be read begins anew: it is no reason not to knock.
    const knocks = [knock, ...(earlier.ok ? earlier.value : [])].slice(0, MOST_KNOCKS)
    return this.#write('history.json', { knocks })
  }

  forget(): Result<void, Failure> {
    return this.#write('history.json', { knocks: [] })
  }

  #programs(): Result<readonly KeptProgram[], Failure> {
    const read = this.#read('programs.json', readPrograms)
    return read.ok ? ok(read.value?.programs ?? []) : read
  }

  #change(stanza: string, to: KeptProgram | undefined): Result<void, Failure> {
    const all = this.#programs()
    if (!all.ok) return all
    const others = all.value.filter((it) => !isSame(it.stanza, stanza) && !isSame(it.stanza, to?.stanza ?? stanza))
    return this.#write('programs.json', { programs: to === undefined ? others : [...others, to] })
  }

  #read<T>(file: string, reader: Reader<T>): Result<T | undefined, Failure> {
    const path = join(this.#folder, file)
    const read = readUserFile(path)
    if (!read.ok || read.value === undefined) return read.ok ? ok(undefined) : read
    try {
      const value = reader(JSON.parse(read.value.text))
      if (value !== undefined) return ok(value)
    } catch {
      // Not JSON.
    }
    return refuse('CONFIG_SYNTAX', `${path} is not what ghostport wrote`, { suggestion: 'move it away' })
  }

  #write(file: string, value: unknown): Result<void, Failure> {
    const path = join(this.#folder, file)
    try {
      mkdirSync(systemPath(this.#folder), { recursive: true, mode: 0o700 })
    } catch (error) {
      return refuse('CONFIG_UNWRITABLE', `${this.#folder}: ${fileReason(error)}`)
    }
    return replaceUserFile(path, `${JSON.stringify(value)}\n`)
  }
}

function isSame(one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase()
}
