/** A subcommand is data: what it may be given, what its help says, and what it does. `run-command.ts` does the rest. */
import { nearest } from '../config/reading/nearest.ts'
import { type Failure, type Refused, refuse } from '../result.ts'
import type { OperandRule, OptionTable, ParsedCommandLine } from './terminal/parse-command-line.ts'
import type { Terminal } from './terminal/terminal.ts'

/**
 * How a command ends: its exit status, or the refusal that kept it from its end. The refusal is shown by the caller, as
 * JSON too where the command has the option `--json` and that was given.
 */
export type Outcome = number | Refused

/** One subcommand with the options `Table`. */
export interface CommandOf<Table extends OptionTable> {
  /** All but `--help`, which each command has. */
  readonly options: Table
  readonly operands: OperandRule
  /** Lines of the help before the options: what the command does. */
  readonly about: readonly string[]
  /** Lines of the help after the options: examples. */
  readonly after?: readonly string[]
  /** @param line the words after the subcommand, understood: all operands that are required are there. */
  run(line: ParsedCommandLine<Table>, terminal: Terminal): Promise<Outcome>
}

/** Any subcommand. {@link defineCommand} makes one. */
export interface Command extends Omit<CommandOf<OptionTable>, 'run'> {
  run(line: ParsedCommandLine<OptionTable>, terminal: Terminal): Promise<Outcome>
}

/** Hides the type of the options. That is safe, since run-command.ts parses the line by the command's own table. */
export function defineCommand<const Table extends OptionTable>(command: CommandOf<Table>): Command {
  return command as unknown as Command
}

/** A subcommand in the list of all. */
export interface CommandEntry {
  /** A line of the overview. */
  readonly summary: string
  /** Imports the command's module, so that no command costs another one's start. */
  readonly load: () => Promise<{ readonly command: Command }>
}

/** By name, in the order in which the help lists them. */
export type CommandTable = Readonly<Record<string, CommandEntry>>

/** @returns the options of a command as they are parsed and shown. */
export function withHelp(options: OptionTable): OptionTable {
  return { ...options, help: { short: 'h', help: 'show this text' } }
}

/** Whether a failure of the command is told as JSON too, where that is asked for. */
export function hasJson(command: Command): boolean {
  return Object.hasOwn(command.options, 'json')
}

/** @returns the command of that name, or CLI_USAGE with the nearest name. @param lead what to type before the name. */
export function findCommand(
  commands: CommandTable,
  name: string,
  lead = 'ghostport',
): CommandEntry | Refused<Failure<'CLI_USAGE'>> {
  const entry = Object.hasOwn(commands, name) ? commands[name] : undefined
  if (entry !== undefined) return entry
  const meant = nearest(name, Object.keys(commands))
  const suggestion = meant === undefined ? 'ghostport help' : `${lead} ${meant}`
  return refuse('CLI_USAGE', `there is no command “${name}”`, { suggestion })
}
