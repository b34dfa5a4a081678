/** `ghostport help [COMMAND]`: the overview, or what `ghostport COMMAND --help` says. The texts come from the tables. */
import { nearest } from '../config/reading/nearest.ts'
import { refuse } from '../result.ts'
import type { Command, CommandTable } from './command.ts'
import { commandHelp } from './terminal/command-help.ts'
import { type Line, line, type Style } from './terminal/line.ts'
import { parseCommandLine } from './terminal/options.ts'
import type { Terminal } from './terminal/terminal.ts'

const options = { help: { short: 'h', help: 'show this text' } } as const

const ownHelp = {
  usage: 'ghostport help [COMMAND]',
  about: ['Lists the commands. With COMMAND: shows what “ghostport COMMAND --help” shows.'],
  table: options,
} as const

/** The command `help`; it is one of `commands` itself. */
export function helpFor(commands: CommandTable): Command {
  return { run: (argv, terminal) => help(commands, argv, terminal) }
}

async function help(commands: CommandTable, argv: readonly string[], terminal: Terminal): Promise<number> {
  const parsed = parseCommandLine(options, { names: ['COMMAND'] }, argv)
  if (!parsed.ok) return terminal.fail(parsed.failure)
  if (parsed.value.options.help > 0) {
    terminal.print(commandHelp(ownHelp, terminal.style))
    return 0
  }
  const [name] = parsed.value.operands
  if (name === undefined) {
    terminal.print(overview(commands, terminal.style))
    return 0
  }
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined
  if (command === undefined) {
    const meant = nearest(name, Object.keys(commands))
    const suggestion = meant === undefined ? 'ghostport help' : `ghostport help ${meant}`
    return terminal.fail(refuse('CLI_USAGE', `there is no command “${name}”`, { suggestion }).failure)
  }
  return (await command.load()).run(['--help'], terminal)
}

/** What `ghostport` alone shows. */
export function overview(commands: CommandTable, style: Style): readonly Line[] {
  const width = Math.max(...Object.keys(commands).map((name) => name.length))
  const lines = Object.entries(commands).map(
    ([name, { summary }]) => line`  ${style.bold(name.padEnd(width))}  ${summary}`,
  )
  return [
    'ghostport: Single Packet Authorization. One packet opens a port for you; for everybody else the port stays closed.',
    '',
    'usage: ghostport COMMAND [options]',
    '',
    ...lines,
    '',
    '“ghostport COMMAND --help” shows the options of a command.',
  ]
}
