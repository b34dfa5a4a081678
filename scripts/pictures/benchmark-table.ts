/** The table of docs/BENCHMARKS.md, read back. */

export interface Measured {
  /** As in the table: `11.7 ms`, `58 of 1000`. */
  readonly text: string
  /** The number in it; for `58 of 1000` the share, 0.058. */
  readonly value: number
}

export interface BenchmarkTable {
  /** The first sentence above the table: date and machine. */
  readonly circumstances: string
  /** What was measured → server → median. */
  readonly rows: ReadonlyMap<string, ReadonlyMap<string, Measured>>
}

/** @throws Error if the page has no such table, or a median is not a number */
export function readBenchmarkTable(page: string): BenchmarkTable {
  const lines = page.split('\n')
  const header = lines.findIndex((line) => /^\| measured \| server \| median \|/.test(line))
  if (header < 0) throw new Error('there is no table that begins with “| measured | server | median |”')
  const circumstances = /^\d{4}-\d{2}-\d{2}; [^.]*(?:\.\d[^.]*)*\./m.exec(page)?.[0]
  if (circumstances === undefined) throw new Error('there is no line that begins with the date of the run')
  const rows = new Map<string, Map<string, Measured>>()
  let what = ''
  for (const line of lines.slice(header + 2)) {
    if (!line.startsWith('|')) break
    const [, name = '', server = '', median = ''] = line.split('|').map((cell) => cell.trim())
    // A row without a name continues the row above.
    if (name !== '') what = name
    const row = rows.get(what) ?? new Map<string, Measured>()
    rows.set(what, row.set(server, readMedian(median)))
  }
  return { circumstances, rows }
}

function readMedian(text: string): Measured {
  const [, number, total] = /^([\d.]+)(?: of ([\d.]+)| \S+(?: a packet)?)$/.exec(text) ?? []
  if (number === undefined) throw new Error(`“${text}” is no median`)
  return { text, value: Number(number) / (total === undefined ? 1 : Number(total)) }
}
