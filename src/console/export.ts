/** The history as a file. Its texts come from packets: what a spreadsheet would calculate gets a quote before it. */
import { jsonLine } from '../bytes/text.ts'
import type { KeptEvent } from './event.ts'

export type ExportFormat = 'csv' | 'jsonl'

/** Columns of their own; all other fields are in the last one, as JSON. */
const COLUMNS = [
  ...(['id', 'at', 'level', 'event', 'verdict', 'code', 'reason', 'detail', 'source', 'user', 'name'] as const),
  ...(['grant', 'for', 'via', 'lifetime'] as const),
] as const
const NAMED: ReadonlySet<string> = new Set(COLUMNS)

export const CSV_HEAD = `${[...COLUMNS, 'more'].join(',')}\r\n`

export function exportLine(event: KeptEvent, format: ExportFormat): string {
  if (format === 'jsonl') return `${jsonLine(event)}\n`
  const more = Object.fromEntries(Object.entries(event).filter(([name]) => !NAMED.has(name)))
  const cells = [...COLUMNS.map((name) => event[name]), Object.keys(more).length === 0 ? undefined : more]
  return `${cells.map(cell).join(',')}\r\n`
}

/** With the wide forms of these characters, which some spreadsheets take for them. */
const FORMULA = /(?<=^|[;\t\r\n])(?=[^\S\t\r\n]*[=+\-@\t\r＝＋－＠])/g

/** RFC 4180. @returns a cell that no spreadsheet calculates. */
export function cell(value: unknown): string {
  if (value === undefined || value === null) return ''
  if (typeof value === 'number') return `${value}`
  const whole = typeof value === 'string' ? value : jsonLine(value)
  // Where “;” or a tab divides cells, a comma and our quotes do not: so a cell may begin within a text.
  const text = whole.replaceAll(FORMULA, "'")
  return /[",\r\n;]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
