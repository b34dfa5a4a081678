#!/usr/bin/env node
/**
 * The server of `fwknopd` in the background. `fwknopd` starts it with its own words, in a session of its own, and waits
 * until it is ready (fwknopd/background.ts). Nobody else starts it.
 */
import { startProgram } from './start-program.ts'
import type { Terminal } from './terminal/terminal.ts'

async function run(argv: readonly string[], terminal: Terminal): Promise<number> {
  const { runFwknopd } = await import('./fwknopd/fwknopd-main.ts')
  return runFwknopd(argv, terminal, 'background')
}

await startProgram({
  name: 'fwknopd',
  title: () => 'fwknopd command',
  run: async (argv, terminal) => Math.min(1, await run(argv, terminal)),
  fail: async (failure, _argv, terminal) => Math.min(1, terminal.fail(failure)),
})
