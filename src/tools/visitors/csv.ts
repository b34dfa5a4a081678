/** A report as CSV (RFC 4180), for spreadsheets. */
import { printable } from '../../bytes/text.ts'
import { isAtLeast, type Section, type Value } from './report.ts'

/** What a spreadsheet takes for a formula. A number has no such sign, and `-` alone is none. */
const FORMULA = /^(?:[=+@\t\r]|-.)/

/** One table. Where there is one for each period, the period is the first column. */
export function csvLines(sections: readonly Section[]): readonly string[] {
  const [first] = sections
  if (first === undefined) return []
  const hasPeriods = first.period !== undefined
  const heads = [...(hasPeriods ? ['period'] : []), ...first.columns.map(({ name }) => name)]
  const rows = sections.flatMap(({ period, columns, rows }) =>
    rows.map((row) => [...(hasPeriods ? [period ?? ''] : []), ...columns.map(({ kind }, i) => plain(row[i], kind))]),
  )
  return [heads, ...rows].map((row) => row.map(csvField).join(','))
}

/** Percents are numbers with two digits. A count that may be higher is the number that is known. */
function plain(value: Value | undefined, kind: Section['columns'][number]['kind']): string {
  if (value === undefined) return ''
  if (isAtLeast(value)) return String(value.atLeast)
  if (typeof value === 'string') return value
  return kind === 'percent' ? value.toFixed(2) : String(value)
}

/** Text of strangers must be no formula and must end no field. */
export function csvField(text: string): string {
  const harmless = printable(text)
  const guarded = FORMULA.test(harmless) ? `'${harmless}` : harmless
  return /[",\n\r']/.test(guarded) ? `"${guarded.replaceAll('"', '""')}"` : guarded
}
