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
export const F_UNLCK = 2
const { EACCES, EAGAIN } = system.errno

/** Bytes of a file, which need not be that long. */
export interface LockedBytes {
  readonly start: bigint
  /** 0: up to the end, however long the file becomes. */
  readonly length: bigint
}

const WHOLE_FILE: LockedBytes = { start: 0n, length: 0n }

/** Locks for writing. @returns `held` if another opening has a lock there; else why it cannot be locked. */
export function tryLock(
  descriptor: number,
  bytes: LockedBytes = WHOLE_FILE,
): 'taken' | 'held' | { readonly why: string } {
  const native = libc()
  if (native.fcntlLock(descriptor, F_OFD_SETLK, toWrite(bytes)) === 0) return 'taken'
  const errno = native.errno()
  return errno === EAGAIN || errno === EACCES ? 'held' : { why: describeErrno(errno) }
}

/**
 * @returns the type of a lock that others hold on any byte, F_UNLCK if they hold none; undefined if the kernel does not
 * say.
 */
export function lockTypeOf(descriptor: number): number | undefined {
  const range = toWrite(WHOLE_FILE)
  if (libc().fcntlLock(descriptor, F_OFD_GETLK, range) !== 0) return undefined
  return new DataView(range.buffer).getInt16(0, true)
}

/** A `struct flock`: type at 0, whence 2, start 8, length 16, pid 24. */
function toWrite({ start, length }: LockedBytes): Uint8Array<ArrayBuffer> {
  const range = new Uint8Array(new ArrayBuffer(32))
  const view = new DataView(range.buffer)
  view.setInt16(0, F_WRLCK, true)
  view.setBigInt64(8, start, true)
  view.setBigInt64(16, length, true)
  return range
}
