/** The chart of a report as SVG: no script, no link, no font from elsewhere. */
import { printable } from '../../bytes/text.ts'
import { greatest, numberOf } from './layout.ts'
import type { Section } from './report.ts'

const WIDTH = 960
const HEIGHT = 320
const LEFT = 80
const TOP = 40
const BOTTOM = 60
/** More bars than this are no wider than a pixel. */
const MOST_LABELS = 24

/** Text for XML and HTML, with nothing in it that ends or begins anything there. */
export function escapeMarkup(text: string): string {
  return printable(text).replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}

export function svgLines({ title, rows, columns, chart = 1 }: Section): readonly string[] {
  const values = rows.map((row) => numberOf(row[chart]))
  const names = rows.map(([name]) => String(name))
  const most = nice(greatest(values))
  const height = HEIGHT - TOP - BOTTOM
  const step = rows.length === 0 ? 0 : (WIDTH - LEFT - 10) / rows.length
  const y = (value: number): number => TOP + height - (height * value) / most
  const every = Math.max(1, Math.ceil(rows.length / MOST_LABELS))
  const grid = [0, 0.25, 0.5, 0.75, 1].map((part) => part * most)
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" font-family="sans-serif" font-size="12">`,
    `<title>${escapeMarkup(title)}</title>`,
    '<style>.bar{fill:#2b6cb0}.grid{stroke:#8888;stroke-width:.5}.text{fill:#666}</style>',
    `<text class="text" x="${LEFT}" y="20" font-size="15">${escapeMarkup(title)}</text>`,
    ...grid.flatMap((value) => [
      `<line class="grid" x1="${LEFT}" x2="${WIDTH - 10}" y1="${fixed(y(value))}" y2="${fixed(y(value))}"/>`,
      `<text class="text" x="${LEFT - 6}" y="${fixed(y(value) + 4)}" text-anchor="end">${shortNumber(value)}</text>`,
    ]),
    ...values.map((value, i) => {
      const label = `${names[i]}: ${value} ${columns[chart]?.name ?? ''}`
      const bar = `x="${fixed(LEFT + i * step + step * 0.1)}" y="${fixed(y(value))}" width="${fixed(step * 0.8)}" height="${fixed((height * value) / most)}"`
      return `<rect class="bar" ${bar}><title>${escapeMarkup(label)}</title></rect>`
    }),
    ...names.flatMap((name, i) => {
      if (i % every !== 0) return []
      const x = fixed(LEFT + (i + 0.5) * step)
      const at = `x="${x}" y="${HEIGHT - BOTTOM + 16}" transform="rotate(-35 ${x} ${HEIGHT - BOTTOM + 16})"`
      return [`<text class="text" ${at} text-anchor="end">${escapeMarkup(name)}</text>`]
    }),
    '</svg>',
  ]
}

/** The next number that looks round, above 0. */
function nice(value: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(1, value)))
  return [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((round) => round >= value) ?? 10 * power
}

function fixed(value: number): string {
  return String(Number(value.toFixed(2)))
}

function shortNumber(value: number): string {
  return String(Number(value.toFixed(2)))
}
