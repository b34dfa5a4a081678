/** A report for a terminal: tables in columns, and a chart of bars. */
import { printable } from '../../bytes/text.ts'
import { type Line, line, type Style } from '../../cli/terminal/line.ts'
import { isAtLeast, type Report, type Section, type Summary, type Value, valueText } from './report.ts'

const BAR_WIDTH = 50

/** @param block what bars are made of. */
export function* reportLines({ summary, sections }: Report, style: Style, block: string): Iterable<readonly Line[]> {
  yield summaryLines(summary)
  for (const section of sections) yield ['', ...sectionLines(section, style, block)]
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

function sectionLines(section: Section, style: Style, block: string): readonly Line[] {
  const { columns, rows, chart } = section
  const cells = rows.map((row) => columns.map((column, i) => printable(valueText(row[i] ?? '', column))))
  const widths = columns.map(({ name }, i) => greatest([name, ...cells.map((row) => row[i] ?? '')].map(width)))
  const bars = barsOf(section, block)
  const joined = (texts: readonly string[], bar = ''): string =>
    `  ${texts.map((text, i) => pad(text, widths[i] ?? 0, columns[i]?.kind === 'text', i === columns.length - 1 && chart === undefined)).join('  ')}${bar === '' ? '' : `  ${bar}`}`
  return [
    line`${style.bold(section.title)}`,
    ...(rows.length === 0 ? ['  nothing'] : [line`${style.dim(joined(columns.map(({ name }) => name)))}`]),
    ...cells.map((row, i) => joined(row, bars[i])),
    ...section.notes.map((note) => `  ${note}`),
  ]
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

function barsOf({ rows, chart }: Section, block: string): readonly string[] {
  if (chart === undefined) return rows.map(() => '')
  const values = rows.map((row) => numberOf(row[chart]))
  const most = greatest(values)
  return values.map((value) => block.repeat(most === 0 ? 0 : Math.round((BAR_WIDTH * value) / most)))
}

export function numberOf(value: Value | undefined): number {
  if (value === undefined || typeof value === 'string') return 0
  return isAtLeast(value) ? value.atLeast : value
}

export function greatest(values: readonly number[]): number {
  return values.reduce((most, value) => Math.max(most, value), 0)
}
