/**
 * Compiled code from one start to the next. By default Node keeps it below /tmp, in a directory of a name that is known
 * beforehand, and does not ask whose it is: another user could make that directory first, and so choose the code that
 * root runs. So it is kept where nobody else can write, or not at all.
 */
import { lstatSync, mkdirSync } from 'node:fs'
// Not by name: an old Node.js, which has no such function, would not load this file.
import nodeModule from 'node:module'
import { join } from 'node:path'
import { judgeFolderTrail } from '../system/file-trust.ts'

const OF_ROOT = '/var/cache/ghostport'

/**
 * Starts to keep compiled code, where this user may: about 30 ms of every later start of the server, 6 ms of a knock.
 */
export function keepCompiledCode(): void {
  const user = process.getuid?.() ?? 0
  const path = user === 0 ? OF_ROOT : inHome()
  const directory = path === undefined ? undefined : ownDirectory(path, user)
  if (directory !== undefined) nodeModule.enableCompileCache?.(directory)
}

/**
 * Keeps what has been compiled so far. By itself Node does that when the process ends; so a server that is killed would
 * leave nothing to the next start.
 */
export function storeCompiledCode(): void {
  nodeModule.flushCompileCache?.()
}

/** Where the user has a folder for such things. It is not made for them. */
function inHome(): string | undefined {
  const { HOME: home } = process.env
  return home?.startsWith('/') ? join(home, '.cache/ghostport') : undefined
}

/**
 * Makes the directory where there is none.
 * @returns `undefined` unless it is the user's own, and nobody else's to write to.
 */
export function ownDirectory(path: string, user: number): string | undefined {
  try {
    const owners = new Set([0, user])
    if (judgeFolderTrail(path, { owners }) !== undefined) return undefined
    if (lstatSync(path, { throwIfNoEntry: false }) === undefined) mkdirSync(path, { mode: 0o700 })
    const { uid, mode } = lstatSync(path)
    const isDirectory = (mode & 0o170000) === 0o040000
    const isOwn = isDirectory && uid === user && (mode & 0o022) === 0
    return isOwn && judgeFolderTrail(path, { owners }) === undefined ? path : undefined
  } catch {
    return undefined
  }
}
