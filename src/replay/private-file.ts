/**
 * A path fit for a file that only we may change. Whoever could write to its directory could put another file, or a
 * write-ahead log of his own, in its place: so symbolic links, strangers' files and open directories are refused.
 *
 * Nothing here opens a file that exists. POSIX record locks belong to the process: closing any descriptor of a locked
 * file drops the lock that another part of the same process holds on it.
 */
import { type BigIntStats, closeSync, existsSync, fsyncSync, lstatSync, mkdirSync, openSync } from 'node:fs'
import { dirname, resolve } from 'node:path'

const WRITABLE_BY_OTHERS = 0o022
const WRITABLE_BY_ALL = 0o002

/**
 * Makes the directory of `path`, mode 0700, where there is none, and judges directory and file.
 * @returns what is wrong with it, for the operator; nothing where all is well.
 */
export function preparePrivatePath(path: string): string | undefined {
  const directory = dirname(resolve(path))
  try {
    makeDirectory(directory)
  } catch (error) {
    return `${directory}: ${systemReason(error)}`
  }
  return judgePrivatePath(path)
}

/** The same without making anything: a directory that is not there yet is well. */
export function judgePrivatePath(path: string): string | undefined {
  const directory = dirname(resolve(path))
  try {
    if (!existsSync(directory)) return undefined
    const at = lstatSync(directory, { bigint: true })
    // A link such as /var/run is the system's own: what it leads to is judged, unless a stranger made the link.
    if (at.isSymbolicLink() && !isOurs(at)) return `${directory} is a symbolic link of another user`
    const real = at.isSymbolicLink() ? lstatSync(`${directory}/.`, { bigint: true }) : at
    if (!real.isDirectory()) return `${directory} is not a directory`
    if (!isOurs(real)) return `${directory} belongs to another user`
    if ((Number(real.mode) & WRITABLE_BY_ALL) !== 0) return `everyone may write to ${directory}`
  } catch (error) {
    return `${directory}: ${systemReason(error)}`
  }
  return judgeFile(path)
}

/** Judges one file as {@link preparePrivatePath} does. A file that is not there is well. */
export function judgeFile(path: string): string | undefined {
  try {
    const file = lstatSync(path, { bigint: true, throwIfNoEntry: false })
    if (file === undefined) return undefined
    if (file.isSymbolicLink()) return `${path} is a symbolic link`
    if (!file.isFile()) return `${path} is not a plain file`
    if (!isOurs(file)) return `${path} belongs to another user`
    if ((Number(file.mode) & WRITABLE_BY_OTHERS) !== 0) return `others may write to ${path}`
    return undefined
  } catch (error) {
    return `${path}: ${systemReason(error)}`
  }
}

/**
 * One level at a time: `mkdirSync` with `recursive` never returns where a parent exists and a child cannot be made for
 * want of a parent, as in /proc (seen with Node 24.21).
 */
function makeDirectory(directory: string): void {
  if (existsSync(directory)) return
  const parent = dirname(directory)
  if (parent !== directory) makeDirectory(parent)
  try {
    mkdirSync(directory, { mode: 0o700 })
  } catch (error) {
    // Another process of ours may have been quicker.
    if (!existsSync(directory)) throw error
    return
  }
  syncDirectory(parent)
}

/** What makes a file itself and no other, also when another takes its name. */
export function fileIdentity(path: string): string | undefined {
  const file = lstatSync(path, { bigint: true, throwIfNoEntry: false })
  return file === undefined ? undefined : `${file.dev}:${file.ino}`
}

/** Makes the names in a directory as durable as the files are. */
export function syncDirectory(directory: string): void {
  const descriptor = openSync(directory, 'r')
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

/** `no such file or directory` and the like, without the call and the path that Node puts around it. */
export function systemReason(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return /^[A-Z0-9]+: ([^,]+)/.exec(error.message)?.[1] ?? error.message
}

function isOurs(file: BigIntStats): boolean {
  const self = process.geteuid?.()
  return self === undefined || file.uid === BigInt(self) || file.uid === 0n
}
