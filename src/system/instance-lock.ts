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
import { constants as system } from 'node:os'
import { resolve } from 'node:path'
import { type Failure, ok, type Result, refuse } from '../result.ts'
import { describeErrno, systemReason } from './errno.ts'
import { libc } from './libc.ts'
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

const F_OFD_SETLK = 37
const F_WRLCK = 1
/** The bytes that SQLite locks: PENDING, RESERVED and SHARED of its os.h. The file need not be that long. */
const LOCKED_BYTES = { start: 0x4000_0000n, length: 512n }
const { EACCES, EAGAIN } = system.errno

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
  const native = libc()
  const range = new Uint8Array(new ArrayBuffer(32)) // struct flock: type 0, whence 2, start 8, length 16, pid 24
  const view = new DataView(range.buffer)
  view.setInt16(0, F_WRLCK, true)
  view.setBigInt64(8, LOCKED_BYTES.start, true)
  view.setBigInt64(16, LOCKED_BYTES.length, true)
  if (native.fcntlLock(descriptor, F_OFD_SETLK, range) === 0) return undefined
  const errno = native.errno()
  return errno === EAGAIN || errno === EACCES
    ? { code: 'INSTANCE_RUNNING', detail: `${nameOfHolder(holder)}: it holds ${file}` }
    : { code: 'CONFIG_UNREADABLE', detail: `${file} cannot be locked: ${describeErrno(errno)}` }
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
