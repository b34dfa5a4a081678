/** A row of results, and the table that is made of rows. */

export interface Row {
  /** What was measured: the same text for every server that it was measured on. */
  readonly what: string
  readonly server: string
  /** The median, or the only figure, with its unit. */
  readonly figure: string
  /** How many values it is the median of. */
  readonly count?: number
  readonly p95?: string
  /** Compared with the reference: fwknopd's UDP mode, or the same server without the load. */
  readonly ratio?: string
  readonly target?: string
  /** Whether the target is met; absent if there is none. */
  readonly met?: boolean
  /** Other observations. */
  readonly note?: string
}

const HEADINGS = ['measured', 'server', 'median', 'p95', 'n', 'ratio', 'target', 'met', 'also seen'] as const

/** A table in Markdown. A measurement is named in its first row only. */
export function formatTable(rows: readonly Row[]): string {
  const cells = rows.map((row, i) => [
    row.what === rows[i - 1]?.what ? '' : row.what,
    row.server,
    row.figure,
    row.p95 ?? '',
    row.count?.toString() ?? '',
    row.ratio ?? '',
    row.target ?? '',
    row.met === undefined ? '' : row.met ? 'yes' : '**no**',
    row.note ?? '',
  ])
  const line = (texts: readonly string[]): string => `| ${texts.join(' | ')} |`
  return [line(HEADINGS), line(HEADINGS.map(() => '---')), ...cells.map(line)].join('\n')
}

/** `0.74 ms`, `12.3 ms`, `107 ms`: three digits that mean something. */
export function formatMilliseconds(value: number): string {
  return `${threeDigits(value)} ms`
}

/** `0.11x`. */
export function formatRatio(value: number): string {
  return `${threeDigits(value)}x`
}

export function threeDigits(value: number): string {
  const magnitude = Math.abs(value)
  return value.toFixed(magnitude >= 100 ? 0 : magnitude >= 10 ? 1 : magnitude >= 1 ? 2 : 3)
}
