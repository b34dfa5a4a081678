/**
 * CMD_REGEX: which commands a stanza runs. A small dialect of regular expressions, always for the whole command, and
 * matched in time that grows only with pattern and command: all possible states advance together, so that nothing is
 * ever tried twice. JavaScript's own engine would need ages for some pairs of pattern and command.
 *
 * The dialect: characters, `.`, `[…]` and `[^…]` with ranges, `\d \w \s \D \W \S`, `\` before a sign, `(…)`, `(?:…)`,
 * `|`, and `* + ? {n} {n,} {n,m}`. `^` at the beginning and `$` at the end are allowed and change nothing.
 */
import { type Failure, ok, type Result, refuse } from '../result.ts'

type PatternFailure = Failure<'CONFIG_INVALID_VALUE'>

/** A parsed pattern. Plain data. */
export interface CommandPattern {
  /** As it was written. */
  readonly text: string
  readonly program: readonly Step[]
}

/** One step of the machine. `split` goes on at both places; `match` is the end. */
type Step =
  | { readonly kind: 'one'; readonly set: CharacterSet }
  | { readonly kind: 'split'; readonly first: number; readonly second: number }
  | { readonly kind: 'jump'; readonly to: number }
  | { readonly kind: 'match' }

/** Ranges of code points, first and last included. */
interface CharacterSet {
  readonly not: boolean
  readonly ranges: readonly (readonly [first: number, last: number])[]
}

type Node =
  | { readonly kind: 'one'; readonly set: CharacterSet }
  | { readonly kind: 'row'; readonly parts: readonly Node[] }
  | { readonly kind: 'choice'; readonly parts: readonly Node[] }
  | { readonly kind: 'repeat'; readonly part: Node; readonly min: number; readonly max: number | undefined }

/** Steps of one pattern: `{n,m}` writes its part out. */
const MOST_STEPS = 10_000
const MOST_REPEATS = 1000
const DEEPEST = 50

const LAST_CODE = 0x10ffff
const DIGIT = [[0x30, 0x39]] as const
const WORD = [
  [0x30, 0x39],
  [0x41, 0x5a],
  [0x5f, 0x5f],
  [0x61, 0x7a],
] as const
const BLANK = [
  [0x09, 0x0d],
  [0x20, 0x20],
] as const

/** Whether the whole command matches. */
export function matchesPattern({ program }: CommandPattern, command: string): boolean {
  let states = new Set<number>()
  enter(program, 0, states)
  for (const character of command) {
    const code = character.codePointAt(0) ?? 0
    const next = new Set<number>()
    for (const at of states) {
      const step = program[at]
      if (step?.kind === 'one' && holds(step.set, code)) enter(program, at + 1, next)
    }
    if (next.size === 0) return false
    states = next
  }
  return [...states].some((at) => program[at]?.kind === 'match')
}

/** Adds the place `at`, and all places that it leads to without a character. */
function enter(program: readonly Step[], at: number, into: Set<number>): void {
  const open = [at]
  for (let place = open.pop(); place !== undefined; place = open.pop()) {
    if (into.has(place)) continue
    into.add(place)
    const step = program[place]
    if (step?.kind === 'jump') open.push(step.to)
    else if (step?.kind === 'split') open.push(step.first, step.second)
  }
}

function holds({ not, ranges }: CharacterSet, code: number): boolean {
  return ranges.some(([first, last]) => code >= first && code <= last) !== not
}

/** @returns the pattern, or CONFIG_INVALID_VALUE with what cannot be read in it. Never throws. */
export function parseCommandPattern(text: string): Result<CommandPattern, PatternFailure> {
  const reader = new PatternReader(text)
  const node = reader.read()
  if (!node.ok) return node
  const program: Step[] = []
  if (!compile(node.value, program))
    return invalid(`the pattern is too large: its repetitions make more than ${MOST_STEPS} steps`)
  program.push({ kind: 'match' })
  return ok({ text, program })
}

/** @returns false if the program grew too large. */
function compile(node: Node, program: Step[]): boolean {
  if (program.length > MOST_STEPS) return false
  switch (node.kind) {
    case 'one':
      program.push(node)
      return true
    case 'row':
      return node.parts.every((part) => compile(part, program))
    case 'choice':
      return compileChoice(node.parts, program)
    case 'repeat':
      return compileRepeat(node, program)
    default:
      return node satisfies never
  }
}

function compileChoice(parts: readonly Node[], program: Step[]): boolean {
  const ends: number[] = []
  for (const [i, part] of parts.entries()) {
    if (i === parts.length - 1) {
      if (!compile(part, program)) return false
      continue
    }
    const split = program.push({ kind: 'jump', to: 0 }) - 1
    if (!compile(part, program)) return false
    ends.push(program.push({ kind: 'jump', to: 0 }) - 1)
    program[split] = { kind: 'split', first: split + 1, second: program.length }
  }
  for (const end of ends) program[end] = { kind: 'jump', to: program.length }
  return true
}

function compileRepeat({ part, min, max }: Extract<Node, { kind: 'repeat' }>, program: Step[]): boolean {
  for (let n = 0; n < min; n++) if (!compile(part, program)) return false
  if (max === undefined) {
    const split = program.push({ kind: 'jump', to: 0 }) - 1
    if (!compile(part, program)) return false
    program.push({ kind: 'jump', to: split })
    program[split] = { kind: 'split', first: split + 1, second: program.length }
    return true
  }
  const splits: number[] = []
  for (let n = min; n < max; n++) {
    splits.push(program.push({ kind: 'jump', to: 0 }) - 1)
    if (!compile(part, program)) return false
  }
  for (const split of splits) program[split] = { kind: 'split', first: split + 1, second: program.length }
  return true
}

class PatternReader {
  readonly #characters: readonly string[]
  #at = 0
  #depth = 0

  constructor(text: string) {
    this.#characters = [...text]
  }

  read(): Result<Node, PatternFailure> {
    if (this.#next === '^') this.#at++
    const node = this.#choice()
    if (!node.ok) return node
    if (this.#next === ')') return invalid('there is a “)” without a “(”')
    return node
  }

  get #next(): string | undefined {
    return this.#characters[this.#at]
  }

  #choice(): Result<Node, PatternFailure> {
    const parts: Node[] = []
    for (;;) {
      const row = this.#row()
      if (!row.ok) return row
      parts.push(row.value)
      if (this.#next !== '|') break
      this.#at++
    }
    return ok(parts.length === 1 && parts[0] !== undefined ? parts[0] : { kind: 'choice', parts })
  }

  #row(): Result<Node, PatternFailure> {
    const parts: Node[] = []
    for (let next = this.#next; next !== undefined && next !== '|' && next !== ')'; next = this.#next) {
      if (next === '$' && this.#at === this.#characters.length - 1) {
        this.#at++
        break
      }
      const part = this.#repeated()
      if (!part.ok) return part
      parts.push(part.value)
    }
    return ok({ kind: 'row', parts })
  }

  #repeated(): Result<Node, PatternFailure> {
    const part = this.#single()
    if (!part.ok) return part
    let node = part.value
    const bounds = this.#bounds()
    if (!bounds.ok) return bounds
    if (bounds.value === undefined) return ok(node)
    node = { kind: 'repeat', part: node, ...bounds.value }
    if (/^[*+?{]$/.test(this.#next ?? ''))
      return invalid(`“${this.#next}” follows a repetition: put what is repeated twice into ( )`)
    return ok(node)
  }

  #bounds(): Result<{ min: number; max: number | undefined } | undefined, PatternFailure> {
    const next = this.#next
    if (next === '*' || next === '+' || next === '?') {
      this.#at++
      return ok({ min: next === '+' ? 1 : 0, max: next === '?' ? 1 : undefined })
    }
    if (next !== '{') return ok(undefined)
    const rest = this.#characters.slice(this.#at, this.#at + 12).join('')
    const [whole, first, comma, last] = /^\{([0-9]{1,4})(?:(,)([0-9]{0,4}))?\}/.exec(rest) ?? []
    if (whole === undefined) return invalid('“{” begins no repetition like {2}, {2,} or {2,5}: write \\{ for the sign')
    this.#at += whole.length
    const min = Number(first)
    const max = comma === undefined ? min : last === '' ? undefined : Number(last)
    if (min > MOST_REPEATS || (max ?? 0) > MOST_REPEATS) return invalid(`${whole} is more than ${MOST_REPEATS} times`)
    if (max !== undefined && max < min) return invalid(`${whole} is reversed`)
    return ok({ min, max })
  }

  #single(): Result<Node, PatternFailure> {
    const next = this.#next ?? ''
    this.#at++
    switch (next) {
      case '(':
        return this.#group()
      case '[':
        return this.#class()
      case '.':
        return one({ not: false, ranges: [[0, LAST_CODE]] })
      case '\\': {
        const escaped = this.#escape()
        return escaped.ok ? one(escaped.value) : escaped
      }
      case '*':
      case '+':
      case '?':
      case '{':
        return invalid(`“${next}” repeats nothing: write \\${next} for the sign`)
      case '^':
      case '$':
        return invalid(
          `“${next}” is inside of the pattern, which is always for the whole command: write \\${next} for the sign`,
        )
      default:
        return one(single(next))
    }
  }

  #group(): Result<Node, PatternFailure> {
    if (++this.#depth > DEEPEST) return invalid(`there are more than ${DEEPEST} “(” within each other`)
    if (this.#next === '?') {
      if (this.#characters[this.#at + 1] !== ':') return invalid('of groups that begin with “(?”, only (?: is known')
      this.#at += 2
    }
    const inner = this.#choice()
    if (!inner.ok) return inner
    if (this.#next !== ')') return invalid('a “(” has no “)”')
    this.#at++
    this.#depth--
    return inner
  }

  #class(): Result<Node, PatternFailure> {
    const not = this.#next === '^'
    if (not) this.#at++
    const ranges: (readonly [number, number])[] = []
    for (let begun = false; ; begun = true) {
      const next = this.#next
      if (next === undefined) return invalid('a “[” has no “]”')
      if (next === ']' && begun) break
      const from = this.#classPart()
      if (!from.ok) return from
      const [first, last] = from.value.ranges[0] ?? [0, 0]
      const isSingle = from.value.ranges.length === 1 && first === last && !from.value.not
      if (
        isSingle &&
        this.#next === '-' &&
        this.#characters[this.#at + 1] !== ']' &&
        this.#characters[this.#at + 1] !== undefined
      ) {
        this.#at++
        const to = this.#classPart()
        if (!to.ok) return to
        const [end, same] = to.value.ranges[0] ?? [0, 0]
        if (to.value.ranges.length !== 1 || end !== same || to.value.not || end < first)
          return invalid('a range in [ ] is not from a character to a later one')
        ranges.push([first, end])
      } else ranges.push(...(from.value.not ? complement(from.value.ranges) : from.value.ranges))
    }
    this.#at++
    return one({ not, ranges })
  }

  #classPart(): Result<CharacterSet, PatternFailure> {
    const next = this.#next ?? ''
    this.#at++
    return next === '\\' ? this.#escape() : ok(single(next))
  }

  #escape(): Result<CharacterSet, PatternFailure> {
    const next = this.#next
    if (next === undefined) return invalid('the pattern ends with “\\”')
    this.#at++
    const ranges = { d: DIGIT, w: WORD, s: BLANK }[next.toLowerCase()]
    if (ranges !== undefined) return ok({ not: next !== next.toLowerCase(), ranges })
    if (/^[A-Za-z0-9]$/.test(next)) return invalid(`“\\${next}” is not known: only \\d \\w \\s, and “\\” before a sign`)
    return ok(single(next))
  }
}

function single(character: string): CharacterSet {
  const code = character.codePointAt(0) ?? 0
  return { not: false, ranges: [[code, code]] }
}

/** @param ranges in order, without overlap. */
function complement(ranges: CharacterSet['ranges']): CharacterSet['ranges'] {
  const others: (readonly [number, number])[] = []
  let from = 0
  for (const [first, last] of ranges) {
    if (first > from) others.push([from, first - 1])
    from = last + 1
  }
  return [...others, [from, LAST_CODE]]
}

function one(set: CharacterSet): Result<Node, PatternFailure> {
  return ok({ kind: 'one', set })
}

function invalid(detail: string) {
  return refuse('CONFIG_INVALID_VALUE', detail)
}
