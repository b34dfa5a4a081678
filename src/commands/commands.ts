/** What admission needs of the part that runs commands. The real one is the warden’s `Commands`. */
import type { CommandRule } from '../access/command.ts'
import type { CycleRule } from '../access/cycle.ts'
import type { StanzaId } from '../access/stanza.ts'
import type { CommandAction, CycleAction } from '../access/verdict.ts'
import { type Failure, type Result, refuse } from '../result.ts'

export type CommandFailure = Failure<'COMMANDS_UNAVAILABLE' | 'COMMANDS_BUSY'>

export interface CommandRunner {
  /**
   * Has a command run, and waits for nothing.
   * @param stanza the stanza that allows it.
   * @returns the number of its job, with which its end is logged later.
   */
  runCommand(action: CommandAction, stanza: StanzaId, rule: CommandRule): Result<number, CommandFailure>

  /**
   * Has the open commands of a cycle run, one for each port, and each close when its time has come. All, or none.
   * @returns the numbers of the jobs.
   */
  runCycle(action: CycleAction, stanza: StanzaId, rule: CycleRule): Result<readonly number[], CommandFailure>
}

const REFUSED = refuse('COMMANDS_UNAVAILABLE', 'this process runs no commands')

/** Runs nothing: for a server without an executor, and for a trial of the configuration. */
export const noCommands: CommandRunner = {
  runCommand: () => REFUSED,
  runCycle: () => REFUSED,
}
