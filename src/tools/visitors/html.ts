/** A report as one page of HTML, to keep: no script, nothing from elsewhere. */
import { summaryLines } from './layout.ts'
import { type Report, type Section, valueText } from './report.ts'
import { escapeMarkup, svgLines } from './svg.ts'

const STYLE = `:root{color-scheme:light dark;font:16px/1.5 system-ui,sans-serif}
body{max-width:64rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.6rem}h2{font-size:1.2rem;margin-top:2.5rem}
table{border-collapse:collapse;width:100%}
th,td{padding:.25rem .75rem;border-bottom:1px solid #8884;text-align:left;overflow-wrap:anywhere;vertical-align:top}
.number{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.note{color:#777}svg{width:100%;height:auto}`

export function* htmlLines({ summary, sections }: Report): Iterable<readonly string[]> {
  yield [
    '<!doctype html>',
    '<html lang="en">',
    '<head>',
    '<meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    `<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">`,
    '<title>Visitors</title>',
    ...`<style>${STYLE}</style>`.split('\n'),
    '</head>',
    '<body>',
    '<h1>Visitors</h1>',
    ...[...summaryLines(summary), ...summary.problems].map((text) => `<p class="note">${escapeMarkup(text)}</p>`),
  ]
  for (const section of sections) yield sectionLines(section)
  yield ['</body>', '</html>']
}

function sectionLines(section: Section): readonly string[] {
  const { title, columns, rows, notes, chart } = section
  const cell = (name: 'td' | 'th', text: string, i: number): string => {
    const isNumber = columns[i]?.kind !== 'text'
    return `<${name}${name === 'th' ? ' scope="col"' : ''}${isNumber ? ' class="number"' : ''}>${escapeMarkup(text)}</${name}>`
  }
  const row = (cells: readonly string[]): string => `<tr>${cells.join('')}</tr>`
  return [
    `<h2>${escapeMarkup(title)}</h2>`,
    ...(chart === undefined || rows.length === 0 ? [] : svgLines(section)),
    '<table>',
    `<thead>${row(columns.map(({ name }, i) => cell('th', name, i)))}</thead>`,
    '<tbody>',
    ...rows.map((values) => row(columns.map((column, i) => cell('td', valueText(values[i] ?? '', column), i)))),
    '</tbody>',
    '</table>',
    ...notes.map((note) => `<p class="note">${escapeMarkup(note)}</p>`),
  ]
}
