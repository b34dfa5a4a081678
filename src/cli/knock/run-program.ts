/** Runs another program in the foreground, once the door is open: `ssh`, or the command of `ghostport exec`. */
import { spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { constants } from 'node:os'
import { errorCode, systemReason } from '../../system/errno.ts'
import type { Terminal } from '../terminal/terminal.ts'

/** Signals that end or tell a program something, and that are passed on. */
const PASSED = ['SIGTERM', 'SIGHUP', 'SIGUSR2', 'SIGCONT', 'SIGWINCH'] as const
/** Signals that the terminal itself sends to all programs of the foreground. */
const OF_TERMINAL = ['SIGINT', 'SIGQUIT'] as const

/**
 * @param more for the environment of the program.
 * @returns its exit status, as a shell tells it: 128 and the signal's number where one ended it; 127 where there is no
 * such program; 126 where it cannot be run.
 */
export function runProgram(
  program: string,
  argv: readonly string[],
  terminal: Terminal,
  more: Readonly<Record<string, string>> = {},
): Promise<number> {
  return new Promise((resolve) => {
    // Before the program runs, so that no signal finds us without a handler. Handlers run after this function.
    const pass = (signal: NodeJS.Signals): void => void child.kill(signal)
    for (const signal of PASSED) process.on(signal, pass)
    // Ctrl-C reaches the program without us; a second one could end it too early.
    const ofTerminal = hasTerminal() ? (): void => {} : pass
    for (const signal of OF_TERMINAL) process.on(signal, ofTerminal)
    const child = spawn(program, argv, { stdio: 'inherit', env: { ...process.env, ...more } })
    child.once('error', (error) => {
      const isMissing = errorCode(error) === 'ENOENT'
      const where = program.includes('/') ? 'there is no such file' : 'there is no such program in PATH'
      terminal.note(`ghostport: ${program} cannot be started: ${isMissing ? where : systemReason(error)}`)
      resolve(isMissing ? 127 : 126)
    })
    child.once('exit', (status, signal) => resolve(status ?? 128 + (signal === null ? 0 : constants.signals[signal])))
  })
}

/** Whether this process has a controlling terminal. */
function hasTerminal(): boolean {
  try {
    closeSync(openSync('/dev/tty', 'r'))
    return true
  } catch {
    return false
  }
}
