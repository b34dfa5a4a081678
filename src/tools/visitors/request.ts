/** The command line of visitors as values. Pure. */
import { type BlockList, isIP } from 'node:net'
import { parseCommandLine } from '../../cli/terminal/parse-command-line.ts'
import { nearest } from '../../config/reading/nearest.ts'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import type { VisitorKind } from './agent.ts'
import { readJsonLine } from './json-line.ts'
import { compileFormat, type LineReader } from './log-format.ts'
import { parseNetworks } from './networks.ts'
import { visitorsOptions } from './options.ts'

export const REPORTS = ['hits', 'agents', 'kinds', 'paths', 'addresses', 'statuses', 'knocks', 'crawlers'] as const
export type ReportName = (typeof REPORTS)[number]
const KINDS = ['scanner', 'crawler', 'person', 'program', 'unknown'] as const satisfies readonly VisitorKind[]
const UNITS = ['day', 'month', 'year'] as const
export type Unit = (typeof UNITS)[number]
const GROUPINGS = ['full', 'version', 'family'] as const
const FORMATS = ['table', 'json', 'csv', 'html', 'svg'] as const

/** Which visits count. Undefined: any. */
export interface Selection {
  /** `2006`, `2006-05` or `2006-05-17`: compared with as much of the day. */
  readonly since: string | undefined
  readonly until: string | undefined
  readonly path: RegExp | undefined
  readonly agent: RegExp | undefined
  readonly notAgent: RegExp | undefined
  readonly line: RegExp | undefined
  readonly statuses: RegExp | undefined
  readonly networks: BlockList | undefined
  readonly kinds: ReadonlySet<VisitorKind> | undefined
}

export interface Request {
  readonly logs: readonly string[]
  /** In folders: the files with such a name. */
  readonly name: RegExp
  /** Undefined: found out for each file. */
  readonly reader: LineReader | undefined
  readonly reports: ReadonlySet<ReportName>
  readonly unit: Unit
  /** Each report for each period. */
  readonly eachPeriod: boolean
  /** Infinity: all. */
  readonly top: number
  readonly agents: (typeof GROUPINGS)[number]
  readonly selection: Selection
  readonly mergePaths: boolean
  readonly noQuery: boolean
  readonly lines: boolean
  readonly rest: boolean
  readonly ghostport: readonly string[]
  readonly verify: boolean
  readonly resolver: string | undefined
  readonly format: (typeof FORMATS)[number]
  readonly output: string | undefined
}

type Usage = Failure<'CLI_USAGE'>

/** @returns `help`, `version`, or what is asked for; `CLI_USAGE`. */
export function parseRequest(argv: readonly string[]): Result<Request | 'help' | 'version', Usage> {
  const read = parseCommandLine(visitorsOptions, { optional: Array<string>(MOST_LOGS).fill('LOG') }, argv)
  if (!read.ok) return read
  const { options, operands } = read.value
  if (options.help > 0) return ok('help')
  if (options.version > 0) return ok('version')
  if (operands.length === 0)
    return usage('say which log to read', '/var/log/apache2, /var/log/nginx/access.log, or - for the standard input')
  if (operands.filter((word) => word === '-').length > 1) return usage('- is given twice')

  const reports = parseReports(options.report, options.ghostport.length > 0, options.verify > 0)
  if (!reports.ok) return reports
  const unit = parseWord('--by', options.by, UNITS)
  if (!unit.ok) return unit
  const agents = parseWord('--agents', options.agents, GROUPINGS)
  if (!agents.ok) return agents
  const format = parseWord('--format', options.format, FORMATS)
  if (!format.ok) return format
  const top = options.top === undefined ? 10 : /^\d{1,6}$/.test(options.top) ? Number(options.top) : undefined
  if (top === undefined) return usage(`--top needs a number, not “${options.top}”`)
  const selection = parseSelection(options)
  if (!selection.ok) return selection
  const name = parsePattern('--name', options.name ?? 'access', 'i')
  if (!name.ok) return name
  const reader = parseFormat(options['log-format'])
  if (!reader.ok) return reader
  const { resolver } = options
  if (resolver !== undefined && !isResolver(resolver))
    return usage(`--resolver needs an IP address, as 192.0.2.53 or 192.0.2.53:53, not “${resolver}”`)

  const request: Request = {
    logs: operands,
    name: name.value,
    reader: reader.value,
    reports: reports.value,
    unit: unit.value ?? 'month',
    eachPeriod: unit.value !== undefined,
    top: top === 0 ? Number.POSITIVE_INFINITY : top,
    agents: agents.value ?? 'version',
    selection: selection.value,
    mergePaths: options['merge-paths'] > 0,
    noQuery: options['no-query'] > 0,
    lines: options.lines > 0,
    rest: options.rest > 0,
    ghostport: options.ghostport,
    verify: options.verify > 0,
    resolver,
    format: format.value ?? 'table',
    output: options.output,
  }
  const contradiction = contradictionIn(request)
  return contradiction === undefined ? ok(request) : usage(contradiction)
}

/** As many words as a shell passes for a folder of many files. */
const MOST_LOGS = 100_000

function contradictionIn(request: Request): string | undefined {
  const { selection, reports, format } = request
  const { since, until } = selection
  if (since !== undefined && until !== undefined && since.slice(0, until.length) > until)
    return '--since is after --until'
  if (request.rest && selection.agent === undefined) return '--rest has no effect without --agent'
  if (request.rest && format !== 'table') return `--rest prints lines, and --format ${format} has no place for them`
  if (request.lines && request.rest) return '--lines and --rest contradict each other'
  if (request.lines && (format !== 'table' || request.output !== undefined))
    return '--lines prints no report: leave --format and --output away'
  if (reports.has('knocks') && request.ghostport.length === 0)
    return 'the report knocks needs the log of ghostport: --ghostport FILE'
  if (request.resolver !== undefined && !request.verify) return '--resolver has no effect without --verify'
  if (format === 'csv' && reports.size > 1)
    return `CSV has room for one report: choose one by --report ${[...reports][0]}`
  if (format === 'svg' && !(reports.size === 1 && reports.has('hits')))
    return '--format svg is the chart of the hits: add --report hits'
  return undefined
}

function parseReports(
  text: string | undefined,
  knocks: boolean,
  verify: boolean,
): Result<ReadonlySet<ReportName>, Usage> {
  const more: readonly ReportName[] = [
    ...(knocks ? (['knocks'] as const) : []),
    ...(verify ? (['crawlers'] as const) : []),
  ]
  if (text === undefined) return ok(new Set<ReportName>(['hits', 'agents', 'kinds', ...more]))
  const found = new Set<ReportName>()
  for (const word of wordsOf(text)) {
    if (word === 'all') for (const name of REPORTS) if (name !== 'knocks' || knocks) found.add(name)
    if (word === 'all') continue
    const read = parseWord('--report', word, REPORTS)
    if (!read.ok) return read
    if (read.value !== undefined) found.add(read.value)
  }
  if (found.size === 0) return usage(`--report needs names: ${REPORTS.join(', ')}`)
  return ok(found)
}

function parseSelection(options: Record<string, unknown>): Result<Selection, Usage> {
  const given = options as Readonly<Record<string, string | undefined>>
  const patterns: Record<string, RegExp | undefined> = {}
  for (const [name, flags] of [
    ['path', ''],
    ['agent', 'i'],
    ['not-agent', 'i'],
    ['line', ''],
  ] as const) {
    const text = given[name]
    if (text === undefined) continue
    const pattern = parsePattern(`--${name}`, text, flags)
    if (!pattern.ok) return pattern
    patterns[name] = pattern.value
  }
  for (const name of ['since', 'until'] as const) {
    const text = given[name]
    if (text !== undefined && !isDate(text))
      return usage(`--${name} needs a day, month or year, as 2006-05-17, 2006-05 or 2006, not “${text}”`)
  }
  const statuses = given['status'] === undefined ? undefined : wordsOf(given['status'].toLowerCase())
  const wrong = statuses?.find((word) => !/^[1-9](?:\d\d|xx)$/.test(word))
  if (statuses?.length === 0 || wrong !== undefined)
    return usage(`--status needs statuses, as 404 or 4xx, not “${wrong ?? given['status']}”`)
  const kinds: VisitorKind[] = []
  for (const word of wordsOf(given['kind'] ?? '')) {
    const kind = parseWord('--kind', word, KINDS)
    if (!kind.ok) return kind
    if (kind.value !== undefined) kinds.push(kind.value)
  }
  const networks = given['address'] === undefined ? ok(undefined) : parseNetworks(wordsOf(given['address']))
  if (!networks.ok) return networks
  return ok({
    since: given['since'],
    until: given['until'],
    path: patterns['path'],
    agent: patterns['agent'],
    notAgent: patterns['not-agent'],
    line: patterns['line'],
    statuses: statuses && new RegExp(`^(?:${statuses.join('|').replaceAll('x', '\\d')})$`),
    networks: networks.value,
    kinds: given['kind'] === undefined ? undefined : new Set(kinds),
  })
}

function wordsOf(text: string): readonly string[] {
  return text.split(/[\s,]+/).filter((word) => word !== '')
}

/** @returns undefined for an option that is not given. */
function parseWord<const Words extends readonly string[]>(
  option: string,
  text: string | undefined,
  words: Words,
): Result<Words[number] | undefined, Usage> {
  if (text === undefined) return ok(undefined)
  const found = words.find((word) => word === text)
  if (found !== undefined) return ok(found)
  const meant = nearest(text, words)
  return usage(`${option} knows no “${text}”: it takes ${words.join(', ')}`, meant)
}

function parsePattern(option: string, text: string, flags: string): Result<RegExp, Usage> {
  try {
    return ok(new RegExp(text, flags))
  } catch {
    return usage(`${option}: “${text}” is no regular expression`, text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
  }
}

function parseFormat(text: string | undefined): Result<LineReader | undefined, Usage> {
  if (text === undefined) return ok(undefined)
  return text === 'json' ? ok(readJsonLine) : compileFormat(text)
}

function isDate(text: string): boolean {
  if (!/^\d{4}(?:-\d\d(?:-\d\d)?)?$/.test(text)) return false
  const whole = `${text}-01-01`.slice(0, 10)
  const time = new Date(`${whole}T00:00:00Z`)
  return !Number.isNaN(time.getTime()) && time.toISOString().slice(0, 10) === whole
}

function isResolver(text: string): boolean {
  if (isIP(text) !== 0) return true
  const [, bracketed, plain] = /^(?:\[([^\]]*)\]|([\d.]+)):\d{1,5}$/.exec(text) ?? []
  return isIP(bracketed ?? plain ?? '') !== 0
}

function usage(detail: string, suggestion?: string) {
  return refuse('CLI_USAGE', detail, suggestion === undefined ? {} : { suggestion })
}
