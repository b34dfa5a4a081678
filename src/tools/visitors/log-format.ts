/**
 * The forms of access logs: those of Apache (LogFormat, mod_log_config) and nginx (log_format). A form is compiled
 * once, into what reads one line. `json-line.ts` reads JSON, `any-format.ts` chooses.
 */
import { nearest } from '../../config/reading/nearest.ts'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import { type WrittenTime, writtenTime } from './strftime.ts'
import { rememberingDayOf, targetOf, type Visit } from './visit.ts'

/** @returns undefined for a line of another form. */
export type LineReader = (line: string) => Visit | undefined

type Field = 'address' | 'time' | 'request' | 'target' | 'status' | 'agent'

/** What is read, and the sign that stands before it. */
interface Piece {
  readonly before: string
  /** Undefined: its value is passed over. */
  readonly field: Field | undefined
  /** A time in a form of its own. */
  readonly written?: WrittenTime
}

export const NAMED_FORMATS = {
  common: '%h %l %u %t "%r" %>s %b',
  combined: '%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-agent}i"',
  vhost_combined: '%v:%p %h %l %u %t "%r" %>s %O "%{Referer}i" "%{User-Agent}i"',
} as const

/** Of Apache, without what stands between `%` and the letter (`>`, `<`, status codes). */
const APACHE_FIELDS: Readonly<Record<string, Field>> = {
  h: 'address',
  a: 'address',
  t: 'time',
  r: 'request',
  U: 'target',
  s: 'status',
}
const NGINX_FIELDS: Readonly<Record<string, Field>> = {
  remote_addr: 'address',
  time_local: 'time',
  time_iso8601: 'time',
  msec: 'time',
  request: 'request',
  request_uri: 'target',
  uri: 'target',
  status: 'status',
  http_user_agent: 'agent',
}
/** %{sec}t and its like: a Unix time. */
const UNIX_TIME = /^(?:(?:begin|end):)?(?:sec|msec|usec)$/
const DIRECTIVE = /%[<>!,\d]*(?:\{([^}]*)\})?\^?([a-zA-Z]{1,2}|%)|\$\{?([a-z_][a-z0-9_]*)\}?/g

/**
 * @param text a format of Apache or nginx, with `\"` for a quote or without; the line of the server’s configuration
 * that has it; or a name of {@link NAMED_FORMATS}.
 * @returns CLI_USAGE if it lacks address, time or request.
 */
export function compileFormat(text: string): Result<LineReader, Failure<'CLI_USAGE'>> {
  const named: string | undefined = Object.hasOwn(NAMED_FORMATS, text)
    ? NAMED_FORMATS[text as keyof typeof NAMED_FORMATS]
    : undefined
  const format = (named ?? withoutDirective(text)).replaceAll('\\"', '"').replaceAll('\\t', '\t')
  const { pieces, after } = piecesOf(format)
  if (pieces.length === 0) {
    const meant = nearest(text, Object.keys(NAMED_FORMATS))
    return refuse('CLI_USAGE', `“${text}” is no format of a log`, { suggestion: meant ?? 'combined' })
  }
  const fields = new Set(pieces.map(({ field }) => field))
  const missing = [
    ...(fields.has('address') ? [] : ['an address (%h, $remote_addr)']),
    ...(fields.has('time') ? [] : ['a time with its day (%t, $time_local, %{%F %T}t)']),
    ...(fields.has('request') || fields.has('target') ? [] : ['a request (%r, $request)']),
  ]
  if (missing.length > 0) return refuse('CLI_USAGE', `the format lacks ${missing.join(' and ')}`)
  const between = pieces.find(({ before }, i) => i > 0 && before === '')
  if (between !== undefined) return refuse('CLI_USAGE', 'two fields of the format have nothing between them')
  const dayOf = rememberingDayOf()
  return ok((line) => readLine(line, pieces, after, dayOf))
}

/** `LogFormat "…" name` of Apache; `log_format name '…' '…';` of nginx. */
function withoutDirective(text: string): string {
  const [, apache] = /^\s*LogFormat\s+"((?:[^"\\]|\\.)*)"/i.exec(text) ?? []
  if (apache !== undefined) return apache
  if (!/^\s*log_format\s/.test(text)) return text
  return [...text.matchAll(/'([^']*)'/g)].map(([, part]) => part).join('')
}

function piecesOf(format: string): { readonly pieces: readonly Piece[]; readonly after: string } {
  const pieces: Piece[] = []
  let [before, end] = ['', 0]
  for (const match of format.matchAll(DIRECTIVE)) {
    const [whole, header, letters = '', variable] = match
    before += format.slice(end, match.index)
    end = match.index + whole.length
    if (letters === '%') {
      before += '%'
      continue
    }
    // `^ti` and `^to` have two letters. All others have one: what follows is text.
    const letter = whole.includes('^') ? letters : letters.slice(0, 1)
    end -= letters.length - letter.length
    // The query belongs to the path before it.
    const isQuery = letter === 'q' || variable === 'is_args' || variable === 'args'
    if (isQuery && before === '' && pieces.at(-1)?.field === 'target') continue
    const isBracketed = letter === 't' && header === undefined
    const written = letter === 't' && header?.includes('%') ? writtenTime(header) : undefined
    pieces.push({
      before: isBracketed ? `${before}[` : before,
      field: written === undefined ? fieldOf(header, letter, variable) : 'time',
      ...(written && { written }),
    })
    before = isBracketed ? ']' : ''
  }
  return { pieces, after: before + format.slice(end) }
}

function fieldOf(header: string | undefined, letter: string, variable: string | undefined): Field | undefined {
  if (variable !== undefined) return NGINX_FIELDS[variable]
  if (letter === 'i') return header?.toLowerCase() === 'user-agent' ? 'agent' : undefined
  // Other forms of %{…}t give parts of a time (`strftime.ts`).
  if (letter === 't' && header !== undefined) return UNIX_TIME.test(header) ? 'time' : undefined
  return APACHE_FIELDS[letter]
}

function readLine(
  line: string,
  pieces: readonly Piece[],
  after: string,
  dayOf: (text: string) => string | undefined,
): Visit | undefined {
  let at = 0
  let [address, time, target, agent, status] = ['', '', '', '', 0]
  let day: string | undefined
  for (let i = 0; i < pieces.length; i++) {
    const { before, field, written } = pieces[i] as Piece
    if (!line.startsWith(before, at)) return undefined
    at += before.length
    if (written !== undefined) {
      written.pattern.lastIndex = at
      const match = written.pattern.exec(line)
      if (match === null) return undefined
      day = written.day(match)
      at = written.pattern.lastIndex
      continue
    }
    const end = isBeforeTime(pieces[i + 1])
      ? beforeTime(line, at, (pieces[i + 1] as Piece).before, pieces[i + 2]?.before ?? after)
      : endOf(line, at, pieces[i + 1]?.before ?? after, before.endsWith('"'))
    if (end < at) return undefined
    if (field !== undefined) {
      const value = line.slice(at, end)
      if (field === 'address') address ||= value
      else if (field === 'time') time = value
      else if (field === 'request') target = targetOf(value)
      else if (field === 'target') target ||= value
      else if (field === 'agent') agent = value
      else status = statusOf(value)
    }
    at = end
  }
  if (!line.startsWith(after, at)) return undefined
  day ??= dayOf(time)
  return day === undefined || address === '' ? undefined : { address, day, target, agent, status }
}

/** @returns 0 for what is no status. */
export function statusOf(text: string): number {
  return text.length === 3 && /^[1-9]\d\d$/.test(text) ? Number(text) : 0
}

/** Whether `[TIME]` is next. */
function isBeforeTime(next: Piece | undefined): boolean {
  return next?.field === 'time' && next.before.endsWith(' [')
}

/**
 * Where the value before `[TIME]` ends. Strangers choose their user name, which servers log also where it is wrong: a
 * time in it is not that of the visit. A quote in it is escaped, so it cannot hold the `] "` that ends the time.
 */
function beforeTime(line: string, at: number, opening: string, closing: string): number {
  const close = closing === '' ? line.length : line.indexOf(closing, at)
  return close < 0 ? -1 : line.lastIndexOf(opening, close)
}

const BACKSLASH = 0x5c

/** Where a value ends: before what follows it. In quotes, `\"` is a part of it. @returns below `at` if nowhere. */
function endOf(line: string, at: number, next: string, isQuoted: boolean): number {
  if (next === '') return line.length
  if (!isQuoted || !next.startsWith('"')) return line.indexOf(next, at)
  for (let end = line.indexOf('"', at); end >= 0; end = line.indexOf('"', end + 1)) {
    let slashes = 0
    while (line.charCodeAt(end - 1 - slashes) === BACKSLASH && end - 1 - slashes >= at) slashes++
    if (slashes % 2 === 0) return end
  }
  return -1
}
