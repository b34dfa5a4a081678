/** What all subcommands have in common: options and operands are parsed, `--help` is shown, refusals are told. */
import { type Failure, refuse } from '../result.ts'
import { type Command, hasJson, withHelp } from './command.ts'
import { failWithJson } from './terminal/failure-json.ts'
import { parseCommandLine } from './terminal/parse-command-line.ts'
import type { Terminal } from './terminal/terminal.ts'

/**
 * @param name of the command, for messages.
 * @param argv the words after it.
 * @returns the exit status: the command's own, or that of the failure shown (failure-codes.ts).
 */
export async function runCommand(
  name: string,
  command: Command,
  argv: readonly string[],
  terminal: Terminal,
): Promise<number> {
  const fail = hasJson(command) ? failWithJson(argv, terminal) : (failure: Failure) => terminal.fail(failure)
  const parsed = parseCommandLine(withHelp(command.options), command.operands, argv)
  if (!parsed.ok) return fail(parsed.failure)
  const { options, operands } = parsed.value
  if (Number(options['help']) > 0) {
    const { commandHelp } = await import('./help.ts')
    terminal.print(commandHelp(name, command, terminal.style))
    return 0
  }
  const { required = [] } = command.operands
  const missing = required[operands.length]
  if (missing !== undefined) {
    const usage = `ghostport ${name} ${required.join(' ')}`
    return fail(refuse('CLI_USAGE', `missing argument ${missing}: ${usage}`).failure)
  }
  const outcome = await command.run(parsed.value, terminal)
  return typeof outcome === 'number' ? outcome : fail(outcome.failure)
}
