/**
 * Lets only one ghostport at a time use a thing that has no lock of its own. The kernel releases this fcntl(2) lock
 * when the process ends in any way. So there is never a stale lock whose age or process id must be judged. The number
 * in the file beside it is only for the message.
 *
 * It is a lock of an open file (F_OFD_SETLK) and not flock(2): in earlier versions SQLite locked the file, with
 * fcntl(2) on some of its bytes. The same bytes are locked here, so an earlier version and this one cannot run
 * together.
 */
import { closeSync, constants, fstatSync, openSync } from 'node:fs'
import { resolve } from 'node:path'
import { type Failure, ok, type Result, refuse } from '../result.ts'
import { systemReason } from './errno.ts'
import { tryLock } from './file-lock.ts'
import {
  type FileIdentity,
  judgeServerFile,
  prepareServerFile,
  readServerFile,
  removeServerFile,
  replaceServerFile,
} from './server-file.ts'
import { systemPath } from './system-path.ts'

export interface InstanceLock {
  /**
   * Releases the lock. Calling it again does nothing. The lock file stays: if it were removed, two others could each
   * lock their own.
   */
  release(): void
}

type LockFailure = Failure<'INSTANCE_RUNNING' | 'CONFIG_EXPOSED' | 'CONFIG_UNREADABLE'>

/** The bytes that SQLite locks: PENDING, RESERVED and SHARED of its os.h. The file need not be that long. */
const LOCKED_BYTES = { start: 0x4000_0000n, length: 512n }

/**
 * @param path of the lock file, made with mode 0600 where there is none; `PATH.pid` names its holder.
 * @returns INSTANCE_RUNNING: another holds it, with its process id if known. CONFIG_EXPOSED: strangers could change
 *   the file. CONFIG_UNREADABLE: it can be neither made nor locked, or is another program's file.
 */
export function acquireInstanceLock(path: string): Result<InstanceLock, LockFailure> {
  const file = resolve(path)
  const holder = `${file}.pid`
  let descriptor: number | undefined
  try {
    const exposed = prepareServerFile(file) ?? judgeServerFile(holder)
    if (exposed !== undefined) return { ok: false, failure: exposed }
    descriptor = openSync(systemPath(file), constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600)
    const failure = lock(file, descriptor, holder)
    if (failure === undefined) return ok(held(descriptor, holder, writeHolder(holder)))
    closeSync(descriptor)
    return { ok: false, failure }
  } catch (error) {
    if (descriptor !== undefined) closeSync(descriptor)
    return refuse('CONFIG_UNREADABLE', `${file}: ${systemReason(error)}`)
  }
}

/** @throws Error where there is no C library that can be asked (`libc.ts`). */
function lock(file: string, descriptor: number, holder: string): LockFailure | undefined {
  const found = fstatSync(descriptor)
  // No version ever wrote into it.
  if (!found.isFile() || found.size > 0)
    return { code: 'CONFIG_UNREADABLE', detail: `${file} is not a lock file of ghostport: it is not empty` }
  const taken = tryLock(descriptor, LOCKED_BYTES)
  if (taken === 'taken') return undefined
  return taken === 'held'
    ? { code: 'INSTANCE_RUNNING', detail: `${nameOfHolder(holder)}: it holds ${file}` }
    : { code: 'CONFIG_UNREADABLE', detail: `${file} cannot be locked: ${taken.why}` }
}

/** @returns undefined if it cannot be written: on a full disk too, changes must be taken back. */
function writeHolder(file: string): FileIdentity | undefined {
  try {
    return replaceServerFile(file, `${process.pid}\n`, 0o600)
  } catch {
    return undefined
  }
}

function held(descriptor: number, holder: string, named: FileIdentity | undefined): InstanceLock {
  let released = false
  return {
    release() {
      if (released) return
      released = true
      if (named !== undefined) removeServerFile(holder, named)
      closeSync(descriptor)
    },
  }
}

function nameOfHolder(file: string): string {
  try {
    const read = readServerFile(file, 20)
    const pid = read.ok ? (read.value?.trim() ?? '') : ''
    return /^[0-9]{1,10}$/.test(pid) ? `pid ${pid}` : 'pid unknown'
  } catch (error) {
    return `pid unknown (${systemReason(error)})`
  }
}
