/**
 * The command line, read strictly: an unknown flag, a flag given twice, a missing value and an unexpected argument are
 * refused, naming the nearest right word. fwknop shifts its whole parse when `-s`, which takes no argument, is given
 * one.
 *
 * Forms: `--long VALUE`, `--long=VALUE`, `-x VALUE`, `-xVALUE`, flags without value in one bundle (`-rv`), and `--`,
 * after which all is operands. Long names are not abbreviated: a script must not change its meaning when an option is
 * added.
 */
import { nearest } from '../../config/reading/nearest.ts'
import { type Failure, ok, type Refused, type Result, refuse } from '../../result.ts'

/** One option. Its key in the table is its long name, without the dashes. */
export interface OptionSpec {
  /** A single letter. */
  readonly short?: string
  /** Other long names, as fwknop has for some. */
  readonly aliases?: readonly string[]
  /** The name of the value in the help: `PORT`. Absent for a flag. */
  readonly value?: string
  /** The value may be absent, and is then empty: before another option, or at the end. Only getopt.ts reads this. */
  readonly optionalValue?: true
  /** May be given several times; all values count. */
  readonly repeatable?: true
  /** Absent: not shown in the help. */
  readonly help?: string
  /** For an option that fwknop has and ghostport does not: why, or what to use instead. Giving it is refused. */
  readonly unsupported?: string
  /** Giving it is refused by the command and not here: other options may take its place. */
  readonly judgedLater?: true
}
export type OptionTable = Readonly<Record<string, OptionSpec>>

/** Flags: how often given. Options with a value: the value, or all of them where repeatable. */
export type OptionValues<Table extends OptionTable> = {
  readonly [Name in keyof Table]: Table[Name] extends { readonly value: string }
    ? Table[Name] extends { readonly repeatable: true }
      ? readonly string[]
      : string | undefined
    : number
}

export interface ParsedCommandLine<Table extends OptionTable> {
  readonly options: OptionValues<Table>
  readonly operands: readonly string[]
  /** For each operand: the option before it, where that takes no value. The operand may be meant as its value. */
  readonly afterFlag: readonly (string | undefined)[]
}

export interface OperandRule {
  /** The names of those that have to be given, in order, for messages: `HOST`, `PORT`. */
  readonly required?: readonly string[]
  /** The names of those that may follow. More words than these two name are refused. */
  readonly optional?: readonly string[]
  /**
   * Where set, the first word that is no option ends the options, and any number of words may follow: what they are.
   */
  readonly rest?: string
  /** Said of every option that is unknown or not supported: where another program's options go. */
  readonly otherOptions?: string
}

type Usage = Failure<'CLI_USAGE'>

/**
 * @param argv the words after the subcommand.
 * @returns the options and operands, or `CLI_USAGE`. Operands that are missing are not refused here, since `--help`
 * needs none.
 */
export function parseCommandLine<const Table extends OptionTable>(
  table: Table,
  operands: OperandRule,
  argv: readonly string[],
): Result<ParsedCommandLine<Table>, Usage> {
  const found: Record<string, string | string[] | number | undefined> = {}
  for (const [name, spec] of Object.entries(table))
    found[name] = spec.value === undefined ? 0 : spec.repeatable ? [] : undefined
  const words: string[] = []
  const afterFlag: (string | undefined)[] = []
  let flag: string | undefined

  for (let i = 0; i < argv.length; i++) {
    const word = argv[i] ?? ''
    const before = flag
    flag = undefined
    if (word === '--') {
      words.push(...argv.slice(i + 1))
      break
    }
    if (!word.startsWith('-') || word === '-') {
      if (operands.rest !== undefined) {
        afterFlag.push(before)
        words.push(...argv.slice(i))
        break
      }
      afterFlag[words.length] = before
      words.push(word)
      continue
    }
    const read = word.startsWith('--') ? readLong(table, word) : readShort(table, word)
    if (!read.ok)
      return withNote(operands.otherOptions === undefined ? read : withoutOtherCase(read), operands.otherOptions)
    for (const { name, spec, shown, attached } of read.value) {
      if (spec.unsupported !== undefined && spec.judgedLater === undefined) {
        const detail = `${shown} is fwknop's and not supported yet: ${spec.unsupported}`
        return withNote(refuse('CLI_USAGE', detail), operands.otherOptions)
      }
      if (spec.value === undefined) {
        flag = shown
        const times = Number(found[name])
        if (times > 0 && spec.repeatable === undefined) return refuse('CLI_USAGE', `${shown} is given twice`)
        found[name] = times + 1
        continue
      }
      const value = attached ?? argv[++i]
      const missing = wantsValue(table, shown, spec.value, value, attached !== undefined)
      if (missing !== undefined || value === undefined) return missing ?? refuse('CLI_USAGE', shown)
      const earlier = found[name]
      if (Array.isArray(earlier)) earlier.push(value)
      else if (earlier !== undefined) return refuse('CLI_USAGE', `${shown} is given twice`)
      else found[name] = value
    }
  }

  const { required = [], optional = [], rest } = operands
  const most = required.length + optional.length
  if (rest === undefined && words.length > most) return strayWord(table, words[most] ?? '', afterFlag[most])
  return ok({ options: found as OptionValues<Table>, operands: words, afterFlag })
}

/** For an argument that has no place. @param flag the option without value before it. */
export function unexpectedArgument(word: string, flag?: string): string {
  return `unexpected argument “${word}”${flag === undefined ? '' : `: ${flag} takes no value`}`
}

function withNote(refused: Refused<Usage>, note: string | undefined): Refused<Usage> {
  if (note === undefined) return refused
  return { ok: false, failure: { ...refused.failure, detail: `${refused.failure.detail}; ${note}` } }
}

/** Where another program has options as well, a letter in the other case is no likelier than one of its own. */
function withoutOtherCase({ failure }: Refused<Usage>): Refused<Usage> {
  const { suggestion, ...rest } = failure
  return { ok: false, failure: suggestion?.startsWith('--') ? failure : rest }
}

interface Occurrence {
  readonly name: string
  readonly spec: OptionSpec
  /** As the user wrote it, for messages. */
  readonly shown: string
  readonly attached?: string
}

function readLong(table: OptionTable, word: string): Result<readonly Occurrence[], Usage> {
  const equals = word.indexOf('=')
  const shown = equals < 0 ? word : word.slice(0, equals)
  const name = shown.slice(2)
  const entry = Object.entries(table).find(([long, spec]) => long === name || spec.aliases?.includes(name))
  if (entry === undefined) {
    const known = Object.entries(table).flatMap(([long, spec]) => [long, ...(spec.aliases ?? [])])
    return refuse('CLI_USAGE', `there is no option ${shown}`, suggest(nearest(name, known), '--'))
  }
  const [long, spec] = entry
  if (equals < 0) return ok([{ name: long, spec, shown }])
  if (spec.value === undefined && spec.unsupported === undefined) return refuse('CLI_USAGE', `${shown} takes no value`)
  return ok([{ name: long, spec, shown, attached: word.slice(equals + 1) }])
}

function readShort(table: OptionTable, word: string): Result<readonly Occurrence[], Usage> {
  const occurrences: Occurrence[] = []
  for (let i = 1; i < word.length; i++) {
    const letter = word[i] ?? ''
    const shown = `-${letter}`
    const entry = Object.entries(table).find(([, spec]) => spec.short === letter)
    if (entry === undefined) {
      const otherCase = Object.values(table).find((spec) => spec.short?.toLowerCase() === letter.toLowerCase())?.short
      // `-time-offset-plus`: one dash too few is likelier than a bundle of a dozen flags.
      const asLong = nearest(word.slice(1), Object.keys(table))
      const meant = word.length > 3 && asLong !== undefined ? `--${asLong}` : otherCase && `-${otherCase}`
      return refuse(
        'CLI_USAGE',
        `there is no option ${shown}${word.length > 2 ? ` (in ${word})` : ''}`,
        suggest(meant, ''),
      )
    }
    const [name, spec] = entry
    if (spec.value === undefined) {
      occurrences.push({ name, spec, shown })
      continue
    }
    const attached = word.slice(i + 1)
    occurrences.push(attached === '' ? { name, spec, shown } : { name, spec, shown, attached })
    break
  }
  return ok(occurrences)
}

/** The names of values that never begin with a dash. */
const NEVER_WITH_DASH = /^(SECONDS|PORT|NUMBER|BYTES|ADDRESS|HOST.*|PROTO.*|DIGEST|MODE|TIME|SIGN|NAME)$/

/** A value that looks like an option is taken for one that was forgotten, unless it was attached (`--key=-x`). */
function wantsValue(table: OptionTable, shown: string, what: string, value: string | undefined, attached: boolean) {
  if (value === undefined || value === '') return refuse('CLI_USAGE', `${shown} needs a value: ${shown} ${what}`)
  if (attached || !value.startsWith('-') || value === '-') return undefined
  const known = (value.startsWith('--') ? readLong(table, value) : readShort(table, value)).ok
  const because = known ? `${value} is an option` : `“${value}” looks like an option`
  const how = shown.startsWith('--') ? `${shown}=${value}` : `${shown}${value}`
  // A number or an address never begins with a dash: attached, it would only be refused for another reason.
  const more = known || NEVER_WITH_DASH.test(what) ? {} : { suggestion: how }
  return refuse('CLI_USAGE', `${shown} needs a value (${what}), and ${because}`, more)
}

/** The word often follows a flag that takes no value: then the message says so. */
function strayWord(table: OptionTable, word: string, flag: string | undefined) {
  return refuse('CLI_USAGE', unexpectedArgument(word, flag), suggest(nearest(word, Object.keys(table)), '--'))
}

function suggest(word: string | undefined, dashes: string): { suggestion?: string } {
  return word === undefined || word === '' ? {} : { suggestion: `${dashes}${word}` }
}
