#!/usr/bin/env node
/**
 * The `ghostport` command: which subcommand is meant, and its exit status. What is imported here, and by that in turn, has
 * to load on every Node.js since 18, or an old one says `SyntaxError` where it should be told that it is old.
 */
import { nearest } from '../config/nearest.ts'
import { refuse } from '../result.ts'
import { commandLineWords } from './arguments.ts'
import { commands } from './commands.ts'
import { nodeIsTooOld } from './node-version.ts'
import { systemTerminal, type Terminal } from './terminal.ts'

async function main(argv: readonly string[], terminal: Terminal): Promise<number> {
  const tooOld = nodeIsTooOld(process.versions.node)
  if (tooOld !== undefined) {
    terminal.note(tooOld)
    return 69 // EX_UNAVAILABLE, as for whatever else the machine does not have
  }
  const [word, ...rest] = argv
  if (word === undefined) {
    const { overview } = await import('./help.ts')
    terminal.note(overview(commands, terminal.style))
    return 64
  }
  const name = { '-h': 'help', '--help': 'help', '-V': 'version', '--version': 'version' }[word] ?? word
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined
  if (command !== undefined) return (await command.load()).run(rest, terminal)

  if (word.startsWith('-')) {
    // What fwknop's users type: options right away. They may hold a key: say no more of them than the first name.
    const option = word.replace(/=.*/, '')
    const suggestion = `ghostport knock ${option} …`
    return terminal.fail(refuse('CLI_USAGE', `${option} comes before a command`, { suggestion }).failure)
  }
  const meant = nearest(word, Object.keys(commands))
  const more = meant === undefined ? {} : { suggestion: `ghostport ${meant}` }
  return terminal.fail(refuse('CLI_USAGE', `there is no command “${word}”`, more).failure)
}

process.exitCode = await main(commandLineWords(), systemTerminal())
