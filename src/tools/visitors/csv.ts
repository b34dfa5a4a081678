/** A report as CSV (RFC 4180), for spreadsheets. */
import { printable } from '../../bytes/text.ts'
import { isAtLeast, type Section, type Value } from './report.ts'

/** What a spreadsheet takes for a formula. A number has no such sign, and `-` alone is none. */
const FORMULA = /^(?:[=+@\t\r]|-.)/
/** The same behind a sign at which many spreadsheets split, where decimals have a comma. */
const LATER_FORMULA = /(;\s*"*)(?=[=+@-])/g

/** One table. Where there is one for each period, the period is the first column. */
export function* csvLines(sections: Iterable<Section>): Iterable<readonly string[]> {
  let isFirst = true
  for (const { period, columns, rows } of sections) {
    const line = (cells: readonly string[], first: string): string =>
      [...(period === undefined ? [] : [first]), ...cells].map(csvField).join(',')
    if (isFirst)
      yield [
        line(
          columns.map(({ name }) => name),
          'period',
        ),
      ]
    isFirst = false
    yield rows.map((row) =>
      line(
        columns.map(({ kind }, i) => plain(row[i], kind)),
        period ?? '',
      ),
    )
  }
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
  const guarded = (FORMULA.test(harmless) ? `'${harmless}` : harmless).replaceAll(LATER_FORMULA, "$1'")
  return /[",\n\r']/.test(guarded) ? `"${guarded.replaceAll('"', '""')}"` : guarded
}
