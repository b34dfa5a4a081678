/**
 * `fwknopd` without `-f`: the server in the background. It is a process in a session of its own, without a terminal,
 * whose working directory is the root. Its parent ends when packets are being received, or when the start has failed:
 * so the exit status tells which.
 *
 * Two pipes lead from the server to its parent. On standard error come the messages of the start, which the parent
 * shows. On {@link READY_DESCRIPTOR} comes one byte when the server is ready. Then the server closes both.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, writeFileSync } from 'node:fs'
import type { Readable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { milliseconds } from '../../units.ts'
import type { Terminal } from '../terminal/terminal.ts'

const READY_DESCRIPTOR = 3
const LAST_WORDS_TIME = milliseconds(1000)

/** This is a source file, or a part of dist/cli/fwknopd-main.js. */
const PROGRAM = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? '../fwknopd-background.ts' : './fwknopd-background.js', import.meta.url),
)

/** The parent. @returns its exit status: 0 when packets are being received. */
export async function startInBackground(argv: readonly string[], terminal: Terminal): Promise<number> {
  const child = spawn(process.execPath, [...process.execArgv, PROGRAM, ...argv], {
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
  })
  // Until it is ready, it ends with its parent.
  const forward = (signal: NodeJS.Signals): void => void child.kill(signal)
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, forward)
  let said = ''
  const messages = child.stdio[2] as Readable
  messages.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  const ended = once(messages, 'end')
  const status = await outcome(child)
  // What it said before comes by the other pipe.
  await Promise.race([ended, delay(LAST_WORDS_TIME)])
  if (said !== '') terminal.note(said.replace(/\n$/, '').split('\n'))
  messages.destroy()
  child.unref()
  return status
}

function outcome(child: ChildProcess): Promise<number> {
  return new Promise((resolve) => {
    const ready = child.stdio[READY_DESCRIPTOR] as Readable
    ready.once('data', () => {
      ready.destroy()
      resolve(0)
    })
    // After its end, and after all that it said. It was not ready. Its status says nothing about that.
    child.once('close', () => resolve(1))
    child.once('error', () => resolve(1))
  })
}

/** In the server: all that leads to the parent is closed, which then ends. */
export function tellReady(): void {
  closeSync(2)
  // The lowest free descriptor: from now on, standard error is the null device too.
  openSync('/dev/null', 'w')
  writeFileSync(READY_DESCRIPTOR, '+')
  closeSync(READY_DESCRIPTOR)
}
