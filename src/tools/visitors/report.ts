/** What the reports say, as tables of values: `layout.ts`, `csv.ts`, `html.ts` and `svg.ts` show them. */
import type { ReportName } from './request.ts'

/** A count that may be higher: there was no room to count all. */
export interface AtLeast {
  readonly atLeast: number
}
/** Text as it came: it is made harmless where it is shown. */
export type Value = string | number | AtLeast

export interface Column {
  readonly name: string
  /** `percent`: two digits after the point. */
  readonly kind: 'text' | 'count' | 'percent'
}

export interface Section {
  readonly report: ReportName
  readonly title: string
  /** Absent: the whole time. */
  readonly period?: string
  readonly columns: readonly Column[]
  readonly rows: readonly (readonly Value[])[]
  /** The column that is shown as a chart. */
  readonly chart?: number
  /** Below the table. */
  readonly notes: readonly string[]
}

/** What was read, and what could not be. */
export interface Summary {
  readonly files: number
  readonly bytes: number
  readonly lines: number
  readonly visits: number
  /** Visits that the options leave. */
  readonly counted: number
  readonly first: string | undefined
  readonly last: string | undefined
  readonly malformed: number
  readonly tooLong: number
  /** Logs that were not read, or not to their end, with the reason. A table has them on standard error. */
  readonly problems: readonly string[]
  readonly notes: readonly string[]
}

export interface Report {
  readonly summary: Summary
  /** Made one after the other: there may be thousands, one for each day. */
  readonly sections: Iterable<Section>
}

export function isAtLeast(value: Value): value is AtLeast {
  return typeof value === 'object'
}

/** As text, for all but JSON. */
export function valueText(value: Value, { kind }: Column): string {
  if (isAtLeast(value)) return `≥${value.atLeast}`
  if (typeof value === 'string') return value
  return kind === 'percent' ? `${value.toFixed(2)}%` : String(value)
}
