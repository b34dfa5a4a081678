/**
 * Locks of open files (F_OFD_SETLK of fcntl(2)). The kernel ends such a lock when the last descriptor of its opening is
 * closed, however that comes about. It conflicts with the locks of lockf(3).
 */
import { constants as system } from 'node:os'
import { describeErrno } from './errno.ts'
import { libc } from './libc.ts'

const F_OFD_GETLK = 36
const F_OFD_SETLK = 37
export const F_RDLCK = 0
export const F_WRLCK = 1
const { EACCES, EAGAIN } = system.errno

/** Locks the whole file for writing. @returns `held` if another opening has a lock; else why it cannot be locked. */
export function tryLock(descriptor: number): 'taken' | 'held' | { readonly why: string } {
  const native = libc()
  if (native.fcntlLock(descriptor, F_OFD_SETLK, wholeFile()) === 0) return 'taken'
  const errno = native.errno()
  return errno === EAGAIN || errno === EACCES ? 'held' : { why: describeErrno(errno) }
}

/** @returns the type of a lock that others hold, F_UNLCK if they hold none; undefined if the kernel does not say. */
export function lockTypeOf(descriptor: number): number | undefined {
  const range = wholeFile()
  if (libc().fcntlLock(descriptor, F_OFD_GETLK, range) !== 0) return undefined
  return new DataView(range.buffer).getInt16(0, true)
}

/** A `struct flock` for a lock of all bytes, to write. */
function wholeFile(): Uint8Array<ArrayBuffer> {
  const range = new Uint8Array(new ArrayBuffer(32)) // type 0, whence 2, start 8, length 16, pid 24
  new DataView(range.buffer).setInt16(0, F_WRLCK, true)
  return range
}
