/** `ghostport help [COMMAND]`: the overview, or what `ghostport COMMAND --help` says. The texts come from the tables. */
import { nearest } from '../config/nearest.ts'
import { refuse } from '../result.ts'
import type { Command, CommandTable } from './command.ts'
import { unexpectedArgument } from './options.ts'
import type { Style, Terminal } from './terminal.ts'

/** The command `help` over these commands, which it is one of. */
export function helpFor(commands: CommandTable): Command {
  return { run: (argv, terminal) => help(commands, argv, terminal) }
}

async function help(commands: CommandTable, argv: readonly string[], terminal: Terminal): Promise<number> {
  const [name, stray] = argv
  if (stray !== undefined) return terminal.fail(refuse('CLI_USAGE', unexpectedArgument(stray)).failure)
  if (name === undefined) {
    terminal.print(overview(commands, terminal.style))
    return 0
  }
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined
  if (command === undefined) {
    const meant = nearest(name, Object.keys(commands))
    const more = meant === undefined ? {} : { suggestion: `ghostport help ${meant}` }
    return terminal.fail(refuse('CLI_USAGE', `there is no command “${name}”`, more).failure)
  }
  return (await command.load()).run(['--help'], terminal)
}

/** What `ghostport` alone shows. */
export function overview(commands: CommandTable, style: Style): string {
  const width = Math.max(...Object.keys(commands).map((name) => name.length))
  const lines = Object.entries(commands).map(([name, { summary }]) => `  ${style.bold(name.padEnd(width))}  ${summary}`)
  return [
    'ghostport: Single Packet Authorization. One packet opens a port that nobody else can see.',
    '',
    'usage: ghostport COMMAND [options]',
    '',
    ...lines,
    '',
    'ghostport COMMAND --help tells the options of each.',
  ].join('\n')
}
