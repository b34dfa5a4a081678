/** A report for programs. */
import { isAtLeast, type Report, type Section, type Value } from './report.ts'

/** A count that may be higher is `{"atLeast": …}`. Percents are numbers with two digits. */
export function reportJson({ summary, sections }: Report): unknown {
  const reports: Record<string, unknown[]> = {}
  for (const section of sections) {
    const all = reports[section.report] ?? []
    reports[section.report] = all
    all.push({
      ...(section.period !== undefined && { period: section.period }),
      title: section.title,
      rows: section.rows.map((row) => rowObject(row, section)),
      notes: section.notes,
    })
  }
  return { log: summary, reports }
}

function rowObject(row: readonly Value[], { columns }: Section): unknown {
  return Object.fromEntries(
    columns.map(({ name, kind }, i) => {
      const value = row[i] ?? ''
      const isPercent = kind === 'percent' && typeof value === 'number'
      return [name, isPercent ? Number(value.toFixed(2)) : isAtLeast(value) ? { atLeast: value.atLeast } : value]
    }),
  )
}
