// One set-up at a time. The lock is flock(1), held by a child that lives until our end of its standard input is closed.
// The kernel frees it however we end. So there is no stale lock, and no guessing about process ids.
import { spawn } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { Socket } from 'node:net'
import { dirname } from 'node:path'
import { say } from './terminal.mjs'

/**
 * Runs `task` while this process alone holds the lock at `path`. Waits for the process that holds it now.
 *
 * @template T
 * @param {string} path
 * @param {() => Promise<T>} task
 * @returns {Promise<T>} what `task` gave
 */
export async function withLock(path, task) {
  mkdirSync(dirname(path), { recursive: true })
  const release = await acquire(path)
  try {
    return await task()
  } finally {
    release()
  }
}

/**
 * @param {string} path
 * @returns {Promise<() => void>} what lets go of the lock
 */
function acquire(path) {
  return new Promise((resolve, reject) => {
    // A group of its own: Ctrl-C must reach us and not the child, so that the lock is held until we let go.
    const holder = spawn('flock', [path, 'sh', '-c', 'echo held; exec cat'], {
      stdio: ['pipe', 'pipe', 'inherit'],
      detached: true,
    })
    const waiting = setTimeout(() => say(`set-up: another one is under way (${path}); waiting for it`), 300)
    holder.stdin.on('error', () => {})
    holder.once('error', (/** @type {NodeJS.ErrnoException} */ error) => {
      clearTimeout(waiting)
      // util-linux is not everywhere (macOS). There, two set-ups at once may disturb each other.
      if (error.code === 'ENOENT') resolve(() => {})
      else reject(error)
    })
    holder.stdout.once('data', () => {
      clearTimeout(waiting)
      holder.unref()
      if (holder.stdout instanceof Socket) holder.stdout.unref()
      resolve(() => holder.stdin.end())
    })
    holder.once('exit', (status) => {
      clearTimeout(waiting)
      if (status !== 0) reject(new Error(`flock ${path} ended with status ${status}`))
    })
  })
}
