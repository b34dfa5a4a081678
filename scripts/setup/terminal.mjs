// The messages of the set-up, and how it runs programs.
import { spawn } from 'node:child_process'

/** @param {string} line */
export function say(line) {
  process.stdout.write(`${line}\n`)
}

/** A set-up step that failed. Its message is for the person at the terminal; no stack is shown. */
export class SetUpError extends Error {}

/** @import { SpawnOptions } from 'node:child_process' */

/**
 * Runs `command` with its output on this terminal. Rejects with what was run and how it ended.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {Pick<SpawnOptions, 'cwd' | 'env'>} [options]
 * @returns {Promise<void>}
 */
export function run(command, args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit'], ...options })
    child.once('error', (error) => reject(new SetUpError(`${command} cannot be run: ${error.message}`)))
    child.once('close', (status, signal) => {
      if (status === 0) resolve()
      else reject(new SetUpError(`${[command, ...args].join(' ')} ended with ${signal ?? `status ${status}`}`))
    })
  })
}

/**
 * Runs `command` and returns what it printed, with any exit status; `undefined` if there is no such program.
 *
 * @param {string} command
 * @param {readonly string[]} args
 */
export async function outputOf(command, args) {
  return (await resultOf(command, args))?.output
}

/**
 * Runs `command` with its output kept.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {Pick<SpawnOptions, 'cwd' | 'env'>} [options]
 * @returns {Promise<{ status: number | null, output: string, text: string } | undefined>} `output` is its standard
 * output, `text` that and its standard error, in their order; `undefined` where there is no such program
 */
export function resultOf(command, args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options })
    let output = ''
    let text = ''
    child.stdout.setEncoding('utf8').on('data', (chunk) => {
      output += chunk
      text += chunk
    })
    child.stderr.setEncoding('utf8').on('data', (chunk) => {
      text += chunk
    })
    child.once('error', (/** @type {NodeJS.ErrnoException} */ error) =>
      error.code === 'ENOENT' ? resolve(undefined) : reject(error),
    )
    child.once('close', (status) => resolve({ status, output, text }))
  })
}

/**
 * How a script ends when its set-up could not be done.
 *
 * @param {Error} error
 * @returns {never}
 */
export function reportAndExit(error) {
  say(`set-up failed: ${error instanceof SetUpError ? error.message : error.stack}`)
  process.exit(1)
}
