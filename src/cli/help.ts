/** The help: `ghostport help [COMMAND]`, and what `ghostport COMMAND --help` shows. The texts come from the tables. */
import { type Command, type CommandTable, defineCommand, findCommand, withHelp } from './command.ts'
import { type Line, line, type Style } from './terminal/line.ts'
import { optionHelp } from './terminal/option-help.ts'

/** The command `help`; it is one of `commands` itself. */
export function helpFor(commands: CommandTable): Command {
  return defineCommand({
    options: {},
    operands: { optional: ['COMMAND'] },
    about: ['Lists the commands. With COMMAND: shows what “ghostport COMMAND --help” shows.'],
    run: async ({ operands: [name] }, { print, style }) => {
      if (name === undefined) {
        print(overview(commands, style))
        return 0
      }
      const entry = findCommand(commands, name, 'ghostport help')
      if ('ok' in entry) return entry
      const { command } = await entry.load()
      print(commandHelp(name, command, style))
      return 0
    },
  })
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

/** What `ghostport NAME --help` shows. */
export function commandHelp(name: string, command: Command, style: Style): readonly Line[] {
  const { options, operands, about, after } = command
  const { required = [], optional = [], rest } = operands
  const usage = [
    `usage: ghostport ${name}`,
    ...(Object.keys(options).length === 0 ? [] : ['[options]']),
    ...required,
    ...optional.map((operand) => `[${operand}]`),
    ...(rest === undefined ? [] : [`[${rest}]`]),
  ]
  const { shown, unsupported } = optionHelp(withHelp(options), style)
  const parts: readonly (readonly Line[])[] = [[usage.join(' ')], about, shown, after ?? [], unsupported]
  return parts.filter(({ length }) => length > 0).flatMap((part, n) => (n === 0 ? part : ['', ...part]))
}
