#!/usr/bin/env node
/** `fwknop`: the client behind the command line of fwknop’s client. It has to load on every Node.js since 18. */
import { startProgram } from './start-program.ts'
import type { Terminal } from './terminal/terminal.ts'

async function run(argv: readonly string[], terminal: Terminal): Promise<number> {
  const { runFwknop } = await import('./fwknop/fwknop-main.ts')
  return runFwknop(argv, terminal)
}

// fwknop has one exit status for all failures.
await startProgram({
  name: 'fwknop',
  title: () => 'fwknop',
  run: async (argv, terminal) => Math.min(1, await run(argv, terminal)),
  fail: async (failure, _argv, terminal) => Math.min(1, terminal.fail(failure)),
})
