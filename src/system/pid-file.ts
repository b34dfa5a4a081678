/**
 * A process id file that its process keeps locked, as fwknopd does. The lock says whether the process runs; the number
 * in the file says which one it is. The kernel releases the lock when the process ends in any way: an old file is never
 * mistaken for a running process, even if another process has its number now.
 *
 * The lock is of the whole file, by fcntl(2). It belongs to the open file (F_OFD_SETLK), and conflicts with the lock
 * that fwknopd takes with lockf(3). Both are locks for writing. A user who may only read the file can lock it for
 * reading: that says nothing about a server.
 */
import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { type Failure, ok, type Result, refuse } from '../result.ts'
import { describeErrno, errorCode, systemReason } from './errno.ts'
import { F_RDLCK, F_WRLCK, lockTypeOf, tryLock } from './file-lock.ts'
import type { Exposed } from './file-trust.ts'
import { libc } from './libc.ts'
import { judgeServerFile, prepareServerFile, readServerFile } from './server-file.ts'
import { systemPath } from './system-path.ts'

/** A process id has at most seven digits on Linux. */
const LONGEST = 20
/** Each turn means that a server ended between two of our steps, or that a reader held an old file. */
const MOST_TRIES = 10

export interface PidFile {
  /** Releases the lock. The file stays, with its number, as fwknopd leaves it. */
  release(): void
}

/** Whose process the file names. */
export type Holder = { readonly runs: false } | { readonly runs: true; readonly pid: number | undefined }

export type PidFileFailure = Exposed | Failure<'CONFIG_UNREADABLE' | 'CONFIG_UNWRITABLE'>

/**
 * Locks the file and writes the number of this process into it. Missing folders are made, with mode 0700.
 * @returns the holder of the lock if that is another process. CONFIG_EXPOSED: others could change the file.
 * CONFIG_UNWRITABLE: it cannot be made, locked or written, or is another kind of file.
 */
export function takePidFile(path: string): Result<PidFile | (Holder & { runs: true }), PidFileFailure> {
  try {
    const exposed = prepareServerFile(path)
    if (exposed !== undefined) return { ok: false, failure: exposed }
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      const descriptor = openSync(
        systemPath(path),
        constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY,
        0o600,
      )
      const taken = lockAndWrite(path, descriptor)
      if (taken.ok && taken.value === 'mine') return ok({ release: () => closeSync(descriptor) })
      closeSync(descriptor)
      if (!taken.ok) return taken
      if (taken.value === 'held') return ok({ runs: true, pid: numberIn(path) })
    }
    return refuse('CONFIG_UNWRITABLE', `${path}: other programs replace it all the time`)
  } catch (error) {
    return refuse('CONFIG_UNWRITABLE', `${path}: ${systemReason(error)}`)
  }
}

/** Asks, and changes nothing. @returns CONFIG_EXPOSED and CONFIG_UNREADABLE as {@link readServerFile}. */
export function holderOf(path: string): Result<Holder, PidFileFailure> {
  let descriptor: number | undefined
  try {
    const exposed = judgeServerFile(path)
    if (exposed !== undefined) return { ok: false, failure: exposed }
    descriptor = openSync(
      systemPath(path),
      constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY,
    )
    if (!fstatSync(descriptor).isFile()) return refuse('CONFIG_UNREADABLE', `${path} is not a regular file`)
    const type = lockTypeOf(descriptor)
    if (type === undefined)
      return refuse('CONFIG_UNREADABLE', `${path}: its lock cannot be read: ${describeErrno(libc().errno())}`)
    return ok(type === F_WRLCK ? { runs: true, pid: numberIn(path) } : { runs: false })
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return ok({ runs: false })
    return refuse('CONFIG_UNREADABLE', `${path}: ${systemReason(error)}`)
  } finally {
    if (descriptor !== undefined) closeSync(descriptor)
  }
}

function lockAndWrite(
  path: string,
  descriptor: number,
): Result<'mine' | 'held' | 'replaced', Failure<'CONFIG_UNWRITABLE'>> {
  const opened = fstatSync(descriptor, { bigint: true })
  if (!opened.isFile()) return refuse('CONFIG_UNWRITABLE', `${path} is not a regular file`)
  const lock = tryLock(descriptor)
  if (lock === 'held') {
    const type = lockTypeOf(descriptor)
    if (type === F_WRLCK) return ok('held')
    // A new file is nobody's to read, so no reader can lock it.
    if (type === F_RDLCK) unlinkSync(systemPath(path))
    return ok('replaced')
  }
  if (lock !== 'taken') return refuse('CONFIG_UNWRITABLE', `${path} cannot be locked: ${lock.why}`)
  // Another process may have removed the file since it was opened. A lock that no one can find keeps no one out.
  const named = statSync(systemPath(path), { bigint: true, throwIfNoEntry: false })
  if (named?.ino !== opened.ino || named.dev !== opened.dev) return ok('replaced')
  if (numberIn(path) === undefined && opened.size > 0n)
    return refuse('CONFIG_UNWRITABLE', `${path} exists and holds no process id: remove it, or name another path`)
  const text = `${process.pid}\n`
  fchmodSync(descriptor, 0o600)
  ftruncateSync(descriptor, 0)
  writeFileSync(descriptor, text)
  fsyncSync(descriptor)
  return ok('mine')
}

function numberIn(path: string): number | undefined {
  const read = readServerFile(path, LONGEST)
  const [, digits] = /^\s*([0-9]{1,10})\s*$/.exec((read.ok ? read.value : undefined) ?? '') ?? []
  const pid = Number(digits)
  return digits === undefined || pid < 1 ? undefined : pid
}
