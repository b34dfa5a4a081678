/** `visitors`: reads access logs, and says who comes, who scans, and who keeps coming back. */
import { jsonLine } from '../../bytes/text.ts'
import { type Line, renderLine } from '../../cli/terminal/line.ts'
import { optionHelp } from '../../cli/terminal/option-help.ts'
import type { Terminal } from '../../cli/terminal/terminal.ts'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import { ownVersion } from '../../system/own-version.ts'
import { replaceUserFile } from '../../system/replace-user-file.ts'
import { shownText } from './byte-text.ts'
import { csvLines } from './csv.ts'
import { htmlLines } from './html.ts'
import { reportJson } from './json.ts'
import { knockSections } from './knock-section.ts'
import { type KnockCell, readKnocks } from './knocks.ts'
import { reportLines } from './layout.ts'
import { VISITORS_ABOUT, visitorsOptions } from './options.ts'
import { newReading, type Reading, readLogs, shownPath } from './read-logs.ts'
import type { Report, Section, Summary } from './report.ts'
import { parseRequest, type Request } from './request.ts'
import {
  addressSection,
  agentSections,
  hitsSection,
  kindSections,
  pathSections,
  plural,
  statusSections,
} from './sections.ts'
import { findLogs } from './sources.ts'
import { memorySaver } from './spare-memory.ts'
import { Survey } from './survey.ts'
import { svgLines } from './svg.ts'
import type { Tally } from './tally.ts'

/** @returns the exit status: 0; 1 if a log was not read, or not to its end; else that of the refusal. */
export async function runVisitors(argv: readonly string[], terminal: Terminal): Promise<number> {
  const parsed = parseRequest(argv)
  if (!parsed.ok) return terminal.fail(parsed.failure)
  const request = parsed.value
  if (request === 'help') {
    terminal.print([USAGE, '', ...VISITORS_ABOUT, '', ...optionHelp(visitorsOptions, terminal.style).shown])
    return 0
  }
  if (request === 'version') {
    terminal.print(`visitors of ghostport ${ownVersion()}`)
    return 0
  }
  const done = await perform(request, terminal)
  return done.ok ? done.value : terminal.fail(done.failure)
}

const USAGE = 'visitors [OPTIONS] LOG…'

async function perform(request: Request, terminal: Terminal): Promise<Result<number>> {
  const { paths, problems } = await findLogs(request.logs, request.name, request.reader)
  const reading = newReading(problems)
  const knocks = await readKnocks(request.ghostport, request.selection, reading.problems)
  const print = request.lines ? (text: string): void => terminal.print(shownText(text)) : undefined
  const survey = new Survey(request, print)
  let visits = 0
  await readLogs(paths, request.reader, reading, (visit, text) => {
    visits++
    survey.add(visit, text)
  })
  const nothing = whyNothing(request, reading, visits)
  if (nothing !== undefined) return { ok: false, failure: nothing }

  const summary = summaryOf(reading, visits, survey)
  for (const problem of summary.problems) terminal.note(`visitors: ${problem}`)
  const status = reading.problems.length > 0 ? 1 : 0
  if (request.lines) {
    terminal.note(summary.notes)
    return ok(status)
  }
  // Only then the DNS is loaded.
  const crawlers = request.reports.has('crawlers')
    ? await (await import('./crawler-section.ts')).crawlerSection(survey, request)
    : undefined
  const sections = sectionsOf(survey, knocks, crawlers, request)
  const shown = show({ summary, sections }, request, terminal)
  if (!shown.ok) return shown
  if (request.rest) printRest(survey, terminal)
  return ok(status)
}

/** Where there is no visit at all, a report of zeros would only mislead. */
function whyNothing(request: Request, reading: Reading, visits: number): Failure | undefined {
  const [problem] = reading.problems
  if (visits > 0) return undefined
  if (reading.lines === 0 && problem !== undefined)
    return refuse('CONFIG_UNREADABLE', `${shownPath(problem.path)}: ${problem.why}`).failure
  if (reading.lines === 0) return refuse('LOG_INVALID', 'there is no line in it').failure
  const { path, line } = reading.firstMalformed ?? { path: '', line: 0 }
  const form = request.reader === undefined ? 'a form that is known' : 'the form of --log-format'
  return refuse(
    'LOG_INVALID',
    `none of ${plural(reading.lines, 'line')} has ${form}; the first is ${shownPath(path)}:${line}`,
    {
      suggestion: '--log-format with the LogFormat or log_format of the server',
    },
  ).failure
}

function summaryOf(reading: Reading, visits: number, survey: Survey): Summary {
  const { files, bytes, lines, malformed, tooLong, firstMalformed } = reading
  const days = [...survey.days.keys()].sort()
  const bad = malformed + tooLong
  const where =
    firstMalformed === undefined ? '' : `, the first is ${shownPath(firstMalformed.path)}:${firstMalformed.line}`
  const notes = [
    ...(bad === 0 ? [] : [`not counted, since they are no whole lines of the log: ${plural(bad, 'line')}${where}`]),
    ...(survey.seen > 0
      ? []
      : [`no visit is in the time that is asked for: the logs are of ${survey.first} to ${survey.last}`]),
    ...(survey.lostDays === 0 ? [] : [`${plural(survey.lostDays, 'visit')} are of days that there was no room for`]),
    ...(survey.agents.uncounted === 0 ? [] : ['only the first 2000 periods have agents and the like: use --by month']),
  ]
  return {
    files,
    bytes,
    lines,
    visits,
    counted: survey.selected,
    first: days[0],
    last: days.at(-1),
    malformed,
    tooLong,
    problems: reading.problems.map(({ path, why }) => `${shownPath(path)}: ${why}`),
    notes,
  }
}

function* sectionsOf(
  survey: Survey,
  knocks: Tally<KnockCell>,
  crawlers: Section | undefined,
  request: Request,
): Iterable<Section> {
  const { reports } = request
  if (reports.has('hits')) yield hitsSection(survey, request)
  if (reports.has('agents')) yield* agentSections(survey, request)
  if (reports.has('kinds')) yield* kindSections(survey, request)
  if (reports.has('paths')) yield* pathSections(survey, request)
  if (reports.has('addresses')) yield addressSection(survey, request)
  if (reports.has('statuses')) yield* statusSections(survey, request)
  if (reports.has('knocks')) yield* knockSections(survey, knocks, request)
  if (crawlers !== undefined) yield crawlers
}

function show(report: Report, request: Request, terminal: Terminal): Result<void> {
  const { format, output } = request
  // All others have the notes in them.
  if (format === 'csv' || format === 'svg') terminal.note(report.summary.notes)
  const parts = partsOf(report, format, terminal)
  if (output !== undefined) {
    const lines = [...parts].flat()
    return replaceUserFile(output, `${lines.map((each) => renderLine(each, false)).join('\n')}\n`)
  }
  const saveMemory = memorySaver()
  for (const lines of parts) {
    terminal.print(lines)
    // What was made for a part of a few lines is a hundred times as long.
    saveMemory(lines.length * 10_000)
  }
  return ok(undefined)
}

/** Each part is made when the one before it is printed. */
function partsOf(report: Report, format: Request['format'], terminal: Terminal): Iterable<readonly Line[]> {
  switch (format) {
    case 'table':
      return reportLines(report, terminal.style, barBlock())
    case 'json':
      return [[jsonLine(reportJson(report))]]
    case 'csv':
      return csvLines(report.sections)
    case 'html':
      return htmlLines(report)
    case 'svg':
      return [...report.sections].map(svgLines)
    default:
      return format satisfies never
  }
}

/** As grep prints them, with a heading for each period. */
function printRest(survey: Survey, terminal: Terminal): void {
  terminal.print(['', terminal.style.bold('All others, line by line')])
  if (survey.rest.size === 0) terminal.print('  nobody else')
  for (const [period, lines] of [...survey.rest].sort(([one], [other]) => (one < other ? -1 : 1)))
    terminal.print([period, ...lines.map((text) => `  ${shownText(text)}`)])
  if (survey.restLost > 0)
    terminal.print(`  and ${plural(survey.restLost, 'line')} more: --lines with --not-agent prints all`)
}

/** A terminal that shows UTF-8 has a whole block. */
function barBlock(): string {
  const { LC_ALL, LC_CTYPE, LANG } = process.env
  return /utf-?8/i.test(LC_ALL || LC_CTYPE || LANG || '') ? '█' : '#'
}
