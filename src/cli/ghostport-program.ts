/**
 * The `ghostport` command: finds the subcommand and runs it. What is imported here, and by that in turn, has to load on
 * every Node.js since 18 (start-program.ts).
 */
import { type Failure, refuse } from '../result.ts'
import { type CommandTable, findCommand, hasJson } from './command.ts'
import { runCommand } from './run-command.ts'
import type { Program } from './start-program.ts'
import { failWithJson } from './terminal/failure-json.ts'
import type { OptionSpec } from './terminal/parse-command-line.ts'
import type { Terminal } from './terminal/terminal.ts'

const shortForms: ReadonlyMap<string, string> = new Map([
  ['-h', 'help'],
  ['--help', 'help'],
  ['-V', 'version'],
  ['--version', 'version'],
])

/** @param ofServer names of commands that exist, and that this package does not have. */
export function ghostportProgram(commands: CommandTable, ofServer: ReadonlySet<string> = new Set()): Program {
  async function run(argv: readonly string[], terminal: Terminal): Promise<number> {
    const [word, ...rest] = argv
    if (word === undefined) {
      const { overview } = await import('./help.ts')
      terminal.note(overview(commands, terminal.style))
      return 64
    }
    const name = shortForms.get(word) ?? word
    if (name.startsWith('-')) return terminal.fail(await optionBeforeCommand(name))
    if (ofServer.has(name)) return terminal.fail(notInstalled(name))
    const entry = findCommand(commands, name)
    if ('ok' in entry) return terminal.fail(entry.failure)
    const { command } = await entry.load()
    return runCommand(name, command, rest, terminal)
  }

  /** As JSON too where that was asked for. @returns the exit status. */
  async function fail(failure: Failure, argv: readonly string[], terminal: Terminal): Promise<number> {
    const [word = '', ...rest] = argv
    const entry = findCommand(commands, shortForms.get(word) ?? word)
    // Where the module itself is what fails, nothing is known of its options.
    const loaded = 'ok' in entry ? undefined : await entry.load().catch(() => undefined)
    if (loaded === undefined || !hasJson(loaded.command)) return terminal.fail(failure)
    return failWithJson(rest, terminal)(failure)
  }

  function title([first = '']: readonly string[]): string {
    const name = shortForms.get(first) ?? first
    return Object.hasOwn(commands, name) ? `ghostport ${name}` : 'ghostport'
  }

  return { name: 'ghostport', title, run, fail }
}

function notInstalled(name: string): Failure {
  const detail = `“ghostport ${name}” is part of the server: the package ghostport has it, ghostport-client does not`
  return refuse('CLI_USAGE', detail).failure
}

/** fwknop's users type options without a command. The option may hold a key: only its name is shown. */
async function optionBeforeCommand(word: string): Promise<Failure> {
  const { knockOptions } = await import('./knock/knock-flags.ts')
  const option = word.startsWith('--') ? word.replace(/=.*/s, '') : word.slice(0, 2)
  const names = Object.entries<OptionSpec>(knockOptions).flatMap(([name, { short, aliases = [] }]) => [
    ...[name, ...aliases].map((long) => `--${long}`),
    ...(short === undefined ? [] : [`-${short}`]),
  ])
  const isKeygen = ['-k', '-K', '--key-gen', '--key-gen-file', '--key-len', '--hmac-key-len'].includes(option)
  const isKnock = names.includes(option) && !isKeygen
  const suggestion = isKeygen ? 'ghostport keygen' : isKnock ? `ghostport knock ${option} …` : 'ghostport help'
  return refuse('CLI_USAGE', `there is no command before ${option}`, { suggestion }).failure
}
