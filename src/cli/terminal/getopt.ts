/**
 * A command line as getopt_long(3) of the GNU C library reads it. fwknop and fwknopd are read so: an unambiguous
 * beginning of a long option stands for the option, options may come after operands, a value may begin with a dash, and
 * of an option that is given twice the last value counts. The commands of `ghostport` are read more strictly
 * (parse-command-line.ts), from a table of the same form.
 */
import { nearest } from '../../config/reading/nearest.ts'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import type { OptionSpec, OptionTable } from './parse-command-line.ts'

/** One option as given. */
export interface GivenOption {
  /** Its key in the table. */
  readonly name: string
  /** As the user wrote it, without its value: `--key-g`, `-k`. */
  readonly shown: string
  /** Absent for a flag. */
  readonly value?: string
}

export interface GetoptLine<Table extends OptionTable> {
  /** In the order of the line. */
  readonly given: readonly GivenOption[]
  /** Flags: how often given. Options with a value: the last value. */
  readonly options: {
    readonly [Name in keyof Table]: Table[Name] extends { readonly value: string } ? string | undefined : number
  }
  readonly operands: readonly string[]
}

type Usage = Failure<'CLI_USAGE'>
type Entry = readonly [name: string, spec: OptionSpec]

/**
 * @param argv the words after the program.
 * @returns CLI_USAGE for an option that is unknown or ambiguous, that lacks its value, or that has a value and takes
 * none. The value of an option is never part of the message: it may be a key.
 */
export function getopt<const Table extends OptionTable>(
  table: Table,
  argv: readonly string[],
): Result<GetoptLine<Table>, Usage> {
  const given: GivenOption[] = []
  const operands: string[] = []
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i] ?? ''
    if (word === '--') {
      operands.push(...argv.slice(i + 1))
      break
    }
    if (!word.startsWith('-') || word === '-') {
      operands.push(word)
      continue
    }
    const read = word.startsWith('--') ? readLong(table, word, argv[i + 1]) : readCluster(table, word, argv[i + 1])
    if (!read.ok) return read
    given.push(...read.value.options)
    if (read.value.tookNext) i++
  }
  return ok({ given, options: collect(table, given), operands })
}

interface Word {
  readonly options: readonly GivenOption[]
  /** The word after it is the value of its last option. */
  readonly tookNext: boolean
}

function readLong(table: OptionTable, word: string, next: string | undefined): Result<Word, Usage> {
  const equals = word.indexOf('=')
  const shown = equals < 0 ? word : word.slice(0, equals)
  const found = findLong(table, shown.slice(2))
  if (!found.ok) return found
  const [name, spec] = found.value
  if (spec.value === undefined)
    return equals < 0
      ? ok({ options: [{ name, shown }], tookNext: false })
      : refuse('CLI_USAGE', `${shown} takes no value`)
  if (equals >= 0) return ok({ options: [{ name, shown, value: word.slice(equals + 1) }], tookNext: false })
  // Of Getopt::Long, and not of getopt_long(3): a word that is no option is the value.
  if (spec.optionalValue === true && (next === undefined || /^-./.test(next)))
    return ok({ options: [{ name, shown, value: '' }], tookNext: false })
  if (next === undefined) return refuse('CLI_USAGE', `${shown} needs a value: ${shown} ${spec.value}`)
  return ok({ options: [{ name, shown, value: next }], tookNext: true })
}

/** The option of that name; else the only one whose name begins so. */
function findLong(table: OptionTable, name: string): Result<Entry, Usage> {
  const named: (readonly [long: string, entry: Entry])[] = Object.entries(table).flatMap(([key, spec]) =>
    [key, ...(spec.aliases ?? [])].map((long) => [long, [key, spec]] as const),
  )
  const exact = named.find(([long]) => long === name)
  if (exact !== undefined) return ok(exact[1])
  const candidates = named.filter(([long]) => long.startsWith(name))
  const [first] = candidates
  if (first === undefined) {
    const meant = nearest(
      name,
      named.map(([long]) => long),
    )
    return refuse('CLI_USAGE', `there is no option --${name}`, meant === undefined ? {} : { suggestion: `--${meant}` })
  }
  // Two names of one option are no contradiction.
  if (candidates.every(([, [key]]) => key === first[1][0])) return ok(first[1])
  const names = candidates.map(([long]) => `--${long}`).join(', ')
  return refuse('CLI_USAGE', `--${name} is ambiguous: it may mean ${names}`)
}

/** `-vf`, `-cFILE`, `-c FILE`. */
function readCluster(table: OptionTable, word: string, next: string | undefined): Result<Word, Usage> {
  const options: GivenOption[] = []
  for (let i = 1; i < word.length; i++) {
    const letter = word[i] ?? ''
    const shown = `-${letter}`
    const entry = Object.entries(table).find(([, { short }]) => short === letter)
    if (entry === undefined) {
      const within = word.length > 2 ? ` (in ${word.slice(0, i + 1)})` : ''
      const asLong = word.length > 3 ? nearest(word.slice(1), Object.keys(table)) : undefined
      return refuse(
        'CLI_USAGE',
        `there is no option ${shown}${within}`,
        asLong === undefined ? {} : { suggestion: `--${asLong}` },
      )
    }
    const [name, spec] = entry
    if (spec.value === undefined) {
      options.push({ name, shown })
      continue
    }
    const attached = word.slice(i + 1)
    const value = attached === '' ? next : attached
    if (value === undefined) return refuse('CLI_USAGE', `${shown} needs a value: ${shown} ${spec.value}`)
    options.push({ name, shown, value })
    return ok({ options, tookNext: attached === '' })
  }
  return ok({ options, tookNext: false })
}

function collect<Table extends OptionTable>(table: Table, given: readonly GivenOption[]): GetoptLine<Table>['options'] {
  const found: Record<string, string | number | undefined> = {}
  for (const [name, { value }] of Object.entries(table)) found[name] = value === undefined ? 0 : undefined
  for (const { name, value } of given) found[name] = value ?? Number(found[name]) + 1
  return found as GetoptLine<Table>['options']
}
