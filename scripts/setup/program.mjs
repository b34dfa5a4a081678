// Runs the program of an npm script with the Node.js of the set-up.
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { clone } from './clone.mjs'

/**
 * Runs a program of this clone on this terminal with the arguments of this process, and ends with its exit status. It
 * is waited for also after a signal, since it takes down what it made. A terminal signals it directly; kill(1) does
 * not.
 *
 * @param {string} node the Node.js to run it with
 * @param {string} program a path below the clone
 * @param {NodeJS.ProcessEnv} [environment] variables besides those of this process
 */
export function runProgram(node, program, environment = {}) {
  const words = ['--conditions=ghostport-source', join(clone, program), ...process.argv.slice(2)]
  const child = spawn(node, words, { stdio: 'inherit', env: { ...process.env, ...environment } })
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP']))
    process.on(signal, () => child.kill(signal))
  child.once('exit', (status) => process.exit(status ?? 1))
}
