/**
 * What the programs of the package have in common, from their first step to their exit status. What is imported here,
 * and by that in turn, has to load on every Node.js since 18: an old one must be told that it is old, and not fail with
 * a `SyntaxError`.
 */
import { type Failure, refuse } from '../result.ts'
import { forbidInspector, keepMemoryOutOfCores, setProcessTitle } from '../system/own-process.ts'
import { keepCompiledCode } from './compile-cache.ts'
import { nodeIsTooOld } from './node-version.ts'
import { commandLineWords } from './terminal/command-line-words.ts'
import { systemTerminal, type Terminal } from './terminal/terminal.ts'

export interface Program {
  /** What messages begin with. */
  readonly name: string
  /** What `ps` shows. It must hold nothing of the words but what is no secret. */
  title(argv: readonly string[]): string
  /** @returns the exit status. */
  run(argv: readonly string[], terminal: Terminal): Promise<number>
  /** Tells a failure that ends the program. Default: on standard error. @returns the exit status. */
  fail?(failure: Failure, argv: readonly string[], terminal: Terminal): Promise<number>
}

/** Runs the program of this process, and sets its exit status. */
export async function startProgram(program: Program): Promise<void> {
  const argv = commandLineWords()
  // Before anything else: from here on, the list of processes shows no key that the words hold.
  setProcessTitle(program.title(argv))
  const terminal = systemTerminal(program.name)
  const fail = async (failure: Failure): Promise<number> =>
    program.fail === undefined ? terminal.fail(failure) : await program.fail(failure, argv, terminal)
  const failUnexpectedly = async (error: unknown): Promise<number> => {
    const { internalFailure } = await import('./terminal/last-resort.ts')
    return fail(internalFailure(error))
  }
  // Errors of events and promises that nobody waits for. Nothing is known about what they left half done: the process
  // ends.
  let dying = false
  process.on('uncaughtException', async (error) => {
    if (dying) return // the first of them is told
    dying = true
    process.exit(await failUnexpectedly(error))
  })
  let status: number
  try {
    status = await guarded(program, argv, terminal, fail)
  } catch (error) {
    status = await failUnexpectedly(error)
  }
  const { outputLost } = terminal
  if (outputLost !== undefined) {
    const { failure } = refuse('OUTPUT_FAILED', `part of the text was not written to standard output (${outputLost})`)
    status = terminal.fail(failure)
  }
  process.exitCode = status
}

/** Nothing runs where others could look into this process, or on a Node.js that is too old. */
async function guarded(
  program: Program,
  argv: readonly string[],
  terminal: Terminal,
  fail: (failure: Failure) => Promise<number>,
): Promise<number> {
  keepMemoryOutOfCores()
  const forbidden = forbidInspector()
  if (!forbidden.ok) return fail(forbidden.failure)
  const tooOld = nodeIsTooOld(process.versions.node)
  if (tooOld !== undefined) {
    terminal.note(tooOld)
    return 69 // EX_UNAVAILABLE, as for anything else that the machine lacks
  }
  keepCompiledCode()
  return program.run(argv, terminal)
}
