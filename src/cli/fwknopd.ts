#!/usr/bin/env node
/** `fwknopd`: the server behind the command line of fwknop’s server. It has to load on every Node.js since 18. */
import { startProgram } from './start-program.ts'
import type { Terminal } from './terminal/terminal.ts'

async function run(argv: readonly string[], terminal: Terminal): Promise<number> {
  const { runFwknopd } = await import('./fwknopd/fwknopd-main.ts')
  return runFwknopd(argv, terminal)
}

// fwknopd has one exit status for all failures.
await startProgram({
  name: 'fwknopd',
  title: () => 'fwknopd command',
  run: async (argv, terminal) => Math.min(1, await run(argv, terminal)),
  fail: async (failure, _argv, terminal) => Math.min(1, terminal.fail(failure)),
})
