/** The options of a command as its help shows them: one or more lines for each. */
import { type Line, line, type Style } from './line.ts'
import type { OptionTable } from './parse-command-line.ts'

export interface OptionHelp {
  /** In the order of the table; options without a help text are left out. */
  readonly shown: readonly Line[]
  /** Names those of fwknop that ghostport does not have. Empty where there are none. */
  readonly unsupported: readonly Line[]
}

export function optionHelp(table: OptionTable, style: Style): OptionHelp {
  const rows = Object.entries(table)
    .filter(([, spec]) => spec.help !== undefined && spec.unsupported === undefined)
    .map(([name, spec]) => {
      const short = spec.short === undefined ? '    ' : `-${spec.short}, `
      return { flags: `${short}--${name}${spec.value === undefined ? '' : ` ${spec.value}`}`, help: spec.help ?? '' }
    })
  const width = Math.min(34, Math.max(0, ...rows.map(({ flags }) => flags.length)))
  const shown = rows.flatMap(({ flags, help }) => {
    const [first = '', ...more] = wrap(help, 118 - width - 4)
    const indent = ' '.repeat(width + 4)
    const head =
      flags.length > width
        ? [line`  ${style.bold(flags)}`, indent + first]
        : [line`  ${style.bold(flags)}${' '.repeat(width - flags.length + 2)}${first}`]
    return [...head, ...more.map((line) => indent + line)]
  })
  const names = Object.entries(table).flatMap(([name, spec]) => (spec.unsupported === undefined ? [] : [`--${name}`]))
  const unsupported = names.length === 0 ? [] : wrap(`fwknop's, not supported yet: ${names.join(' ')}`, 116)
  return { shown, unsupported }
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
