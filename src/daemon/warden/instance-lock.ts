/**
 * One ghostport at a time over a thing that has no lock of its own. Node has no flock(2); SQLite locks files well, and
 * the kernel lets go of its locks with the process, however it dies: no stale lock is ever left to be judged by age or
 * by whether some process of that number lives. The number in the file beside it is for the message alone.
 */
import { closeSync, openSync } from 'node:fs'
import { resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { sqliteFault } from '../../replay/sqlite-failure.ts'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import { systemReason } from '../../system/errno.ts'
import {
  type FileIdentity,
  judgeOurFile,
  prepareOurFile,
  readOurFile,
  removeOurFile,
  replaceOurFile,
} from '../../system/our-file.ts'

/** A connection that nobody refers to any more is closed when it is swept up, and lets go of its lock. */
const keptAlive = new Set<DatabaseSync>()

export interface InstanceLock {
  /** Lets go. Calling it again does nothing. The lock file stays: removing it would let two others each lock their own. */
  release(): void
}

/**
 * @param path of the lock file, made with mode 0600 where there is none; `PATH.pid` names its holder.
 * @returns INSTANCE_RUNNING: another holds it, with its process id if known. CONFIG_EXPOSED: strangers could change
 *   the file. CONFIG_UNREADABLE: it can be neither made nor locked.
 */
export function acquireInstanceLock(
  path: string,
): Result<InstanceLock, Failure<'INSTANCE_RUNNING' | 'CONFIG_EXPOSED' | 'CONFIG_UNREADABLE'>> {
  const file = resolve(path)
  const holder = `${file}.pid`
  let db: DatabaseSync | undefined
  let named: FileIdentity
  try {
    const exposed = prepareOurFile(file) ?? judgeOurFile(holder)
    if (exposed !== undefined) return { ok: false, failure: exposed }
    makeIfMissing(file)
    db = new DatabaseSync(file)
    // Nothing is ever written: the open transaction is the lock, and no journal appears.
    db.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE')
    named = replaceOurFile(holder, `${process.pid}\n`, 0o600)
  } catch (error) {
    close(db)
    const { kind, reason } = sqliteFault(error)
    if (kind === 'busy') return refuse('INSTANCE_RUNNING', `${nameOfHolder(holder)}: it holds ${file}`)
    return refuse('CONFIG_UNREADABLE', `${file}: ${reason}`)
  }

  const held = db
  keptAlive.add(held)
  let released = false
  return ok({
    release() {
      if (released) return
      released = true
      removeOurFile(holder, named)
      close(held)
      keptAlive.delete(held)
    },
  })
}

/** Opened only where it is not there yet: closing any descriptor of a locked file would drop our own lock on it. */
function makeIfMissing(file: string): void {
  try {
    closeSync(openSync(file, 'wx', 0o600))
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
  }
}

function nameOfHolder(file: string): string {
  try {
    const read = readOurFile(file, 20)
    const pid = read.ok ? (read.value?.trim() ?? '') : ''
    return /^[0-9]{1,10}$/.test(pid) ? `pid ${pid}` : 'pid unknown'
  } catch (error) {
    return `pid unknown (${systemReason(error)})`
  }
}

function close(db: DatabaseSync | undefined): void {
  try {
    db?.close()
  } catch {
    // It never opened.
  }
}
