/** `visitors`: reads access logs, and says who comes, who scans, and who keeps coming back. */
import { jsonLine } from '../../bytes/text.ts'
import { renderLine } from '../../cli/terminal/line.ts'
import { optionHelp } from '../../cli/terminal/option-help.ts'
import { ownVersion } from '../../cli/terminal/own-version.ts'
import type { Terminal } from '../../cli/terminal/terminal.ts'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import { replaceUserFile } from '../../system/replace-user-file.ts'
import { shownText } from './byte-text.ts'
import { csvLines } from './csv.ts'
import { htmlLines } from './html.ts'
import { reportJson } from './json.ts'
import { knockSections } from './knock-section.ts'
import { readKnocks } from './knocks.ts'
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
import { Survey } from './survey.ts'
import { svgLines } from './svg.ts'

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
  for (const { path, why } of reading.problems) terminal.note(`visitors: ${shownPath(path)}: ${why}`)
  const status = reading.problems.length > 0 ? 1 : 0
  if (request.lines) {
    terminal.note(summary.notes)
    return ok(status)
  }
  const sections: Section[] = []
  const { reports } = request
  if (reports.has('hits')) sections.push(hitsSection(survey, request))
  if (reports.has('agents')) sections.push(...agentSections(survey, request))
  if (reports.has('kinds')) sections.push(...kindSections(survey, request))
  if (reports.has('paths')) sections.push(...pathSections(survey, request))
  if (reports.has('addresses')) sections.push(addressSection(survey, request))
  if (reports.has('statuses')) sections.push(...statusSections(survey, request))
  if (reports.has('knocks')) sections.push(...knockSections(survey, knocks, request))
  if (reports.has('crawlers')) {
    // Only then the DNS is loaded.
    const { crawlerSections } = await import('./crawler-section.ts')
    sections.push(...(await crawlerSections(survey, request)))
  }
  const shown = show({ summary, sections }, request, terminal)
  if (!shown.ok) return shown
  if (request.rest) printRest(survey, terminal)
  return ok(status)
}

/** Where there is no visit at all, a report of zeros would only mislead. */
function whyNothing(request: Request, reading: Reading, visits: number): Failure | undefined {
  const [problem] = reading.problems
  if (visits > 0) return undefined
  if (reading.files === 0 && problem !== undefined)
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
    firstMalformed === undefined ? '' : `: the first is ${shownPath(firstMalformed.path)}:${firstMalformed.line}`
  const notes = [
    ...(bad === 0 ? [] : [`${plural(bad, 'line')} are not counted, since they are no whole line of the log${where}`]),
    ...(survey.lostDays === 0 ? [] : [`${plural(survey.lostDays, 'visit')} are of days that there was no room for`]),
    ...(survey.agents.uncounted === 0 ? [] : ['there are too many periods to count the agents of all: use --by month']),
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
    notes,
  }
}

function show(report: Report, request: Request, terminal: Terminal): Result<void> {
  const { format, output } = request
  if (format === 'json' && output === undefined) {
    terminal.printJson(reportJson(report))
    return ok(undefined)
  }
  const [first] = report.sections
  const lines =
    format === 'html'
      ? htmlLines(report)
      : format === 'csv'
        ? csvLines(report.sections)
        : format === 'svg' && first !== undefined
          ? svgLines(first)
          : undefined
  // A table has its notes in it.
  if (format === 'csv' || format === 'svg') terminal.note(report.summary.notes)
  if (output === undefined) {
    terminal.print(lines ?? reportLines(report, terminal.style, barBlock()))
    return ok(undefined)
  }
  const text =
    format === 'json'
      ? jsonLine(reportJson(report))
      : (lines ?? reportLines(report, terminal.style, barBlock()).map((each) => renderLine(each, false))).join('\n')
  return replaceUserFile(output, `${text}\n`)
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
