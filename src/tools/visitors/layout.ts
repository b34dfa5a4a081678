/** A report for a terminal: tables in columns, and a chart of bars. */
import { printable } from '../../bytes/text.ts'
import { type Line, line, type Style } from '../../cli/terminal/line.ts'
import { isAtLeast, type Report, type Section, type Summary, type Value, valueText } from './report.ts'

const BAR_WIDTH = 50

/** @param block what bars are made of. */
export function* reportLines({ summary, sections }: Report, style: Style, block: string): Iterable<readonly Line[]> {
  yield summaryLines(summary)
  for (const section of sections) yield* sectionLines(section, style, block)
}

export function summaryLines(summary: Summary): readonly string[] {
  const { files, lines, visits, counted, first, last } = summary
  const time = first === undefined ? '' : first === last ? `, ${first}` : `, ${first} to ${last}`
  const selected = counted === visits ? '' : `; ${counted} of them are counted`
  return [
    `${visits} visits in ${lines} lines of ${files} ${files === 1 ? 'file' : 'files'}${time}${selected}`,
    ...summary.notes,
  ]
}

/** Rows that are made at a time: a report by day may have thousands. */
const BATCH = 500

function* sectionLines(section: Section, style: Style, block: string): Iterable<readonly Line[]> {
  const { columns, rows, chart } = section
  const cellsOf = (row: readonly Value[]): readonly string[] =>
    columns.map((column, i) => printable(valueText(row[i] ?? '', column)))
  const widths = columns.map(({ name }) => width(name))
  for (const row of rows)
    for (const [i, cell] of cellsOf(row).entries()) widths[i] = Math.max(widths[i] ?? 0, width(cell))
  const barOf = bars(section, block)
  const joined = (texts: readonly string[], bar = ''): string => {
    const last = chart === undefined ? columns.length - 1 : -1
    const padded = texts.map((text, i) => pad(text, widths[i] ?? 0, columns[i]?.kind === 'text', i === last))
    return `  ${padded.join('  ')}${bar === '' ? '' : `  ${bar}`}`
  }
  yield ['', line`${style.bold(section.title)}`]
  yield rows.length === 0 ? ['  nothing'] : [line`${style.dim(joined(columns.map(({ name }) => name)))}`]
  for (let i = 0; i < rows.length; i += BATCH)
    yield rows.slice(i, i + BATCH).map((row) => joined(cellsOf(row), barOf(row)))
  yield section.notes.map((note) => `  ${note}`)
}

function pad(text: string, to: number, isText: boolean, isLast: boolean): string {
  if (isText && isLast) return text
  const blanks = ' '.repeat(Math.max(0, to - width(text)))
  return isText ? text + blanks : blanks + text
}

/** Characters, and not the halves of those that have two. */
function width(text: string): number {
  return [...text].length
}

function bars({ rows, chart }: Section, block: string): (row: readonly Value[]) => string {
  if (chart === undefined) return () => ''
  const most = greatest(rows.map((row) => numberOf(row[chart])))
  return (row) => block.repeat(most === 0 ? 0 : Math.round((BAR_WIDTH * numberOf(row[chart])) / most))
}

export function numberOf(value: Value | undefined): number {
  if (value === undefined || typeof value === 'string') return 0
  return isAtLeast(value) ? value.atLeast : value
}

export function greatest(values: readonly number[]): number {
  return values.reduce((most, value) => Math.max(most, value), 0)
}
