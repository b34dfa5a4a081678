/** What `ghostport COMMAND --help` shows, made from the table of the command's options. */

import { type Line, line, type Style } from './line.ts'
import type { OptionTable } from './options.ts'

export interface HelpText {
  /** `ghostport knock [options]`. */
  readonly usage: string
  /** What it does, in lines. */
  readonly about: readonly string[]
  readonly table: OptionTable
  /** After the options. */
  readonly after?: readonly string[]
}

/** The help of one command, its options in the order of the table, hidden ones left out. */
export function commandHelp({ usage, about, table, after }: HelpText, style: Style): readonly Line[] {
  const rows = Object.entries(table)
    .filter(([, spec]) => spec.help !== undefined && spec.unsupported === undefined)
    .map(([name, spec]) => {
      const short = spec.short === undefined ? '    ' : `-${spec.short}, `
      return { flags: `${short}--${name}${spec.value === undefined ? '' : ` ${spec.value}`}`, help: spec.help ?? '' }
    })
  const width = Math.min(34, Math.max(0, ...rows.map(({ flags }) => flags.length)))
  const lines = rows.flatMap(({ flags, help }) => {
    const [first = '', ...more] = wrap(help, 118 - width - 4)
    const indent = ' '.repeat(width + 4)
    const head =
      flags.length > width
        ? [line`  ${style.bold(flags)}`, indent + first]
        : [line`  ${style.bold(flags)}${' '.repeat(width - flags.length + 2)}${first}`]
    return [...head, ...more.map((line) => indent + line)]
  })
  const unsupported = Object.entries(table).filter(([, spec]) => spec.unsupported !== undefined)
  return [
    `usage: ${usage}`,
    '',
    ...about,
    '',
    ...lines,
    ...(after === undefined ? [] : ['', ...after]),
    ...(unsupported.length === 0
      ? []
      : ['', ...wrap(`fwknop's, not supported yet: ${unsupported.map(([name]) => `--${name}`).join(' ')}`, 116)]),
  ]
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line)
      line = ''
    }
    line = line === '' ? word : `${line} ${word}`
  }
  return [...lines, line]
}
