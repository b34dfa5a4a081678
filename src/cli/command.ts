/** What a subcommand is to the dispatcher. */
import type { Terminal } from './terminal/terminal.ts'

/** What each subcommand's module exports. */
export interface Command {
  /**
   * @param argv the words after the subcommand.
   * @returns the exit status: 0, or that of the failure shown (failure-codes.ts).
   */
  run(argv: readonly string[], terminal: Terminal): Promise<number>
}

export interface CommandEntry {
  readonly summary: string
  /** Has the option `--json`: a failure is then told as JSON too. */
  readonly json?: true
  readonly load: () => Promise<Command>
}

/** By name, in the order in which the help lists them. */
export type CommandTable = Readonly<Record<string, CommandEntry>>
