/**
 * The benchmark beside fwknopd, drawn from the table in docs/BENCHMARKS.md: a panel for each measure, a bar for each
 * server.
 */
import { type BenchmarkTable, type Measured, readBenchmarkTable } from './benchmark-table.ts'
import { box, type Drawing, picture, text } from './svg.ts'

/** What is drawn: the row of the table, its words here, and which end is good. */
const PANELS = [
  ['knock to open door', 'From the knock to the open port', 'less is better'],
  ['1000 knocks at once, granted in 500 ms', '1000 at once: open in 500 ms', 'more is better'],
  ['knocks granted in 50 ms under junk', 'Knocks open in 50 ms, under junk', 'more is better'],
  ['open longer than the 5 s and one more', '5 s grants still open after 6 s', 'less is better'],
  ['start to ready', 'From the start to ready', 'less is better'],
  ['memory after 1000 grants', 'Memory after 1000 grants', 'less is better'],
] as const

const COLOURS: ReadonlyMap<string, string> = new Map([
  ['fwknopd, UDP', 'theirs'],
  ['fwknopd, pcap', 'theirs-too'],
  ['ghostport', 'ours'],
  ['ghostport, UDP', 'ours-too'],
])

const PANEL = { width: 440, height: 162, gap: 16, top: 84, left: 22 }
const LABEL_WIDTH = 112
const VALUE_WIDTH = 110
const BAR = { height: 18, step: 27 }

/** @param page docs/BENCHMARKS.md */
export function drawBenchmark(page: string): string {
  const table = readBenchmarkTable(page)
  const rows = Math.ceil(PANELS.length / 2)
  const height = PANEL.top + rows * (PANEL.height + PANEL.gap) + 6
  return picture({
    width: 940,
    height,
    title: 'ghostport beside fwknopd 2.6.10, measured in one run',
    description: PANELS.map(([row, title]) => `${title}: ${inWords(rowOf(table, row))}.`).join(' '),
    drawings: [
      text(PANEL.left, 36, 890, 'ghostport beside fwknopd 2.6.10, measured in one run', { kind: 'strong', size: 20 }),
      text(PANEL.left, 60, 896, `Medians. ${table.circumstances}`, { kind: 'quiet', size: 13 }),
      ...PANELS.flatMap(([row, title, good], index) => {
        const x = PANEL.left + (index % 2) * (PANEL.width + PANEL.gap)
        const y = PANEL.top + Math.floor(index / 2) * (PANEL.height + PANEL.gap)
        return panel(x, y, title, good, rowOf(table, row))
      }),
    ],
  })
}

function panel(
  x: number,
  y: number,
  title: string,
  good: string,
  row: ReadonlyMap<string, Measured>,
): readonly Drawing[] {
  const most = Math.max(...[...row.values()].map(({ value }) => value))
  const left = x + 16 + LABEL_WIDTH
  const room = PANEL.width - 32 - LABEL_WIDTH - VALUE_WIDTH
  return [
    box(x, y, PANEL.width, PANEL.height, 'panel'),
    text(x + 16, y + 27, PANEL.width - 32 - 100, title, { kind: 'strong', size: 15 }),
    text(x + PANEL.width - 16, y + 27, 110, good, { kind: 'quiet', size: 12, anchor: 'end' }),
    ...[...row].flatMap(([server, { text: median, value }], index) => {
      const top = y + 44 + index * BAR.step
      const width = value === 0 ? 0 : Math.max((value / most) * room, 2)
      const colour = COLOURS.get(server)
      if (colour === undefined) throw new Error(`no colour for the server “${server}”`)
      return [
        text(left - 10, top + 14, LABEL_WIDTH, server, { size: 13, anchor: 'end' }),
        ...(width === 0 ? [] : [box(left, top, width, BAR.height, colour, 3)]),
        text(left + Math.round(width) + 8, top + 14, VALUE_WIDTH, median, { size: 13 }),
      ]
    }),
  ]
}

function rowOf({ rows }: BenchmarkTable, name: string): ReadonlyMap<string, Measured> {
  const row = rows.get(name)
  if (row === undefined) throw new Error(`the table has no row “${name}”; it has: ${[...rows.keys()].join('; ')}`)
  return row
}

function inWords(row: ReadonlyMap<string, Measured>): string {
  return [...row].map(([server, { text: median }]) => `${server} ${median}`).join('; ')
}
