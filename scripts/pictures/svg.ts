/**
 * Helpers for the pictures: SVG 1.1 as text, with the reader's fonts and no external parts, in a light and a dark
 * scheme. All lengths are in the units of the picture, which are pixels at its own size.
 */

/** What is drawn, as SVG. */
export type Drawing = string

export interface TextStyle {
  readonly kind?: 'strong' | 'code' | 'quiet'
  /** Height of the font. Default 14. */
  readonly size?: number
  readonly anchor?: 'start' | 'middle' | 'end'
}

/** Of a wide font: the average width of a letter, as a share of the font's height. */
const LETTER_WIDTH = { prose: 0.58, strong: 0.64, code: 0.61 }

/**
 * One line of text that has `room` for its width.
 *
 * @throws Error if the text could be wider than its room in some font
 */
export function text(x: number, y: number, room: number, words: string, style: TextStyle = {}): Drawing {
  const { kind, size = 14, anchor = 'start' } = style
  const font = kind === 'code' || kind === 'strong' ? kind : 'prose'
  const width = words.length * size * LETTER_WIDTH[font]
  if (width > room) throw new Error(`“${words}” needs a width of ${Math.ceil(width)}, and has ${room}`)
  const anchored = anchor === 'start' ? '' : ` text-anchor="${anchor}"`
  const preserved = words.includes('  ') ? ' xml:space="preserve"' : ''
  return `<text x="${x}" y="${y}" font-size="${size}"${anchored}${preserved} class="${kind === undefined ? 'ink' : `ink ${kind}`}">${escaped(words)}</text>`
}

export function box(x: number, y: number, width: number, height: number, kind: string, radius = 6): Drawing {
  return `<rect x="${x}" y="${y}" width="${round(width)}" height="${height}" rx="${radius}" class="${kind}"/>`
}

/** A line through points. */
export function line(points: readonly (readonly [number, number])[], kind: string, more = ''): Drawing {
  return `<polyline points="${points.map((point) => point.join(',')).join(' ')}" class="line ${kind}"${more}/>`
}

/** A line with an arrow head. */
export function arrow(points: readonly (readonly [number, number])[], kind: string): Drawing {
  const [[fromX, fromY] = [0, 0], [x, y] = [0, 0]] = points.slice(-2)
  const angle = Math.atan2(y - fromY, x - fromX)
  const at = (turn: number) => `${round(x + 11 * Math.cos(angle + turn))},${round(y + 11 * Math.sin(angle + turn))}`
  // The line ends within its head, so that its blunt end is not visible.
  const end = [round(x - 6 * Math.cos(angle)), round(y - 6 * Math.sin(angle))] as const
  const head = `<polygon points="${x},${y} ${at(Math.PI - 0.45)} ${at(Math.PI + 0.45)}" class="head ${kind}"/>`
  return line([...points.slice(0, -1), end], kind) + head
}

export interface Picture {
  readonly width: number
  readonly height: number
  readonly title: string
  /** A text that describes the picture, for readers who cannot see it. */
  readonly description: string
  readonly drawings: readonly Drawing[]
}

export function picture({ width, height, title, description, drawings }: Picture): string {
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-labelledby="title description">`,
    `<title id="title">${escaped(title)}</title>`,
    `<desc id="description">${escaped(description)}</desc>`,
    `<style>${STYLE}</style>`,
    box(0.5, 0.5, width - 1, height - 1, 'paper', 8),
    ...drawings,
    '</svg>',
  ].join('\n')}\n`
}

interface Scheme {
  readonly paper: string
  readonly panel: string
  readonly edge: string
  readonly ink: string
  readonly quiet: string
  readonly ours: string
  readonly oursToo: string
  readonly theirs: string
  readonly theirsToo: string
  readonly wall: string
}

// Each ink has a contrast of 4.5 or more to paper and panel.
const LIGHT: Scheme = {
  ...{ paper: '#ffffff', panel: '#f3f5f8', edge: '#c8ced6', ink: '#1c2330', quiet: '#56606e', wall: '#56606e' },
  ...{ ours: '#0b6b4f', oursToo: '#3f8f76', theirs: '#a1501a', theirsToo: '#b9743f' },
}
const DARK: Scheme = {
  ...{ paper: '#11161d', panel: '#1b222c', edge: '#3a4451', ink: '#e6eaf0', quiet: '#a3adba', wall: '#8b96a5' },
  ...{ ours: '#4fc79d', oursToo: '#37997a', theirs: '#e0955c', theirsToo: '#b47443' },
}

function colours({ paper, panel, edge, ink, quiet, ours, oursToo, theirs, theirsToo, wall }: Scheme): string {
  const inks = { ours, 'ours-too': oursToo, theirs, 'theirs-too': theirsToo, wall, quiet }
  return [
    `.paper{fill:${paper};stroke:${edge}}.panel{fill:${panel};stroke:${edge}}.ink{fill:${ink}}`,
    ...Object.entries(inks).map(([kind, colour]) => `.${kind}{fill:${colour}}.line.${kind}{stroke:${colour}}`),
  ].join('')
}

const STYLE = [
  'text{font-family:system-ui,sans-serif}.code{font-family:ui-monospace,monospace}.strong{font-weight:600}',
  colours(LIGHT),
  `@media(prefers-color-scheme:dark){${colours(DARK)}}`,
  // After the colours, which would fill a line.
  'polyline.line{fill:none;stroke-width:2.5;stroke-linejoin:round}.line.dashed{stroke-dasharray:7 5}',
].join('')

function escaped(words: string): string {
  return words.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}

function round(value: number): number {
  return Math.round(value * 10) / 10
}
