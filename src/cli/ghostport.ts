#!/usr/bin/env node
/**
 * The `ghostport` command: finds the subcommand, runs it, and sets the exit status. What is imported here, and by that
 * in turn, has to load on every Node.js since 18: an old one must be told that it is old, and not fail with a
 * `SyntaxError`.
 */
import { type Failure, refuse } from '../result.ts'
import { forbidInspector, keepMemoryOutOfCores, setProcessTitle } from '../system/own-process.ts'
import { findCommand, hasJson } from './command.ts'
import { commands } from './commands.ts'
import { keepCompiledCode } from './compile-cache.ts'
import { nodeIsTooOld } from './node-version.ts'
import { runCommand } from './run-command.ts'
import { commandLineWords } from './terminal/command-line-words.ts'
import { failWithJson } from './terminal/failure-json.ts'
import type { OptionSpec } from './terminal/parse-command-line.ts'
import { systemTerminal, type Terminal } from './terminal/terminal.ts'

const shortForms: ReadonlyMap<string, string> = new Map([
  ['-h', 'help'],
  ['--help', 'help'],
  ['-V', 'version'],
  ['--version', 'version'],
])

async function main(argv: readonly string[], terminal: Terminal): Promise<number> {
  keepMemoryOutOfCores()
  const forbidden = forbidInspector()
  if (!forbidden.ok) return terminal.fail(forbidden.failure)
  const tooOld = nodeIsTooOld(process.versions.node)
  if (tooOld !== undefined) {
    terminal.note(tooOld)
    return 69 // EX_UNAVAILABLE, as for anything else that the machine lacks
  }
  keepCompiledCode()
  const [word, ...rest] = argv
  if (word === undefined) {
    const { overview } = await import('./help.ts')
    terminal.note(overview(commands, terminal.style))
    return 64
  }
  const name = shortForms.get(word) ?? word
  if (name.startsWith('-')) return terminal.fail(await optionBeforeCommand(name))
  const entry = findCommand(commands, name)
  if ('ok' in entry) return terminal.fail(entry.failure)
  const { command } = await entry.load()
  return runCommand(name, command, rest, terminal)
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

/** For an error that is a defect: tells it, as JSON too where that was asked for. @returns the exit status. */
async function failUnexpectedly(error: unknown, argv: readonly string[], terminal: Terminal): Promise<number> {
  const { internalFailure } = await import('./terminal/last-resort.ts')
  const failure = internalFailure(error)
  const [word = '', ...rest] = argv
  const entry = findCommand(commands, shortForms.get(word) ?? word)
  // Where the module itself is what fails, nothing is known of its options.
  const loaded = 'ok' in entry ? undefined : await entry.load().catch(() => undefined)
  if (loaded === undefined || !hasJson(loaded.command)) return terminal.fail(failure)
  return failWithJson(rest, terminal)(failure)
}

const argv = commandLineWords()
// Before anything else: from here on, the list of processes shows no key that the words hold.
const [first = ''] = argv
const firstName = shortForms.get(first) ?? first
setProcessTitle(Object.hasOwn(commands, firstName) ? `ghostport ${firstName}` : 'ghostport')
const terminal = systemTerminal()
// Errors of events and promises that nobody waits for. Nothing is known about what they left half done: the process
// ends.
let dying = false
process.on('uncaughtException', async (error) => {
  if (dying) return // the first of them is told
  dying = true
  process.exit(await failUnexpectedly(error, argv, terminal))
})
let status: number
try {
  status = await main(argv, terminal)
} catch (error) {
  status = await failUnexpectedly(error, argv, terminal)
}
const { outputLost } = terminal
if (outputLost !== undefined) {
  const { failure } = refuse('OUTPUT_FAILED', `part of the text was not written to standard output (${outputLost})`)
  status = terminal.fail(failure)
}
process.exitCode = status
