/** What the story prints: headings, commands as they run, their output, and whether it was as told. */
import { stripVTControlCharacters } from 'node:util'
import { printable } from '../../src/bytes/text.ts'

const isColoured = process.stdout.isTTY === true && process.env['NO_COLOR'] === undefined
const paint = (code: string) => (text: string) => (isColoured ? `\u001b[${code}m${text}\u001b[0m` : text)
const bold = paint('1')
const dim = paint('2')
const green = paint('32')
const red = paint('31')

const print = (line: string) => process.stdout.write(`${line}\n`)
/** Output of programs and errors: each line of it made printable. */
const shown = (text: string) => stripVTControlCharacters(text).split('\n').map(printable)

/** The longest answer that is shown whole. */
const LINES_SHOWN = 14

/** Thrown where the story is not as told. */
export class NotAsTold extends Error {}

export const narrator = {
  title: (text: string) => print(`\n${bold(text)}`),
  say: (text: string) => print(text),
  command: (host: string, line: string) => print(`\n${bold(`${host}$`)} ${line}`),
  /** The output of a command, below it. Control characters of programs that expect a terminal are removed. */
  answer(text: string) {
    const lines = shown(text.replaceAll('\r', ''))
      .map((line) => line.trimEnd())
      .filter((line) => line !== '')
    for (const line of lines.slice(0, LINES_SHOWN)) print(`    ${dim(line)}`)
    if (lines.length > LINES_SHOWN) print(`    ${dim(`… ${lines.length - LINES_SHOWN} more lines`)}`)
  },
  /** Prints that something holds, or ends the story. @param evidence shown if it does not hold. */
  check(holds: boolean, claim: string, evidence: string) {
    print(`  ${holds ? green('✔') : red('✖')} ${claim}`)
    if (!holds) throw new NotAsTold(`not as told: ${claim}\n${evidence}`)
  },
  failure: (text: string) => print(`\n${red('✖')} ${shown(text).join('\n')}`),
  table(rows: readonly (readonly [string, string])[]) {
    const width = Math.max(...rows.map(([name]) => name.length))
    for (const [name, value] of rows) print(`  ${name.padEnd(width)}  ${value}`)
  },
} as const
