/** Extended attributes of open files (xattr(7)), ACLs among them (acl(5)), and their times to the nanosecond. */
import { constants as system } from 'node:os'
import { describeErrno } from './errno.ts'
import { libc } from './libc.ts'

const { ENODATA, ENOTSUP } = system.errno
/** The ACL of a file. The kernel gives it as an attribute. */
export const ACCESS_ACL = 'system.posix_acl_access'

/** Where a file system has none: no names. Names are as latin1. @throws Error with the reason. */
export function attributeNames(fd: number): readonly string[] {
  const native = libc()
  const length = native.flistxattr(fd, null, 0)
  if (length < 0 && native.errno() === ENOTSUP) return []
  const names = new Uint8Array(Math.max(length, 0))
  const got = length <= 0 ? length : native.flistxattr(fd, names, length)
  if (got < 0) throw new Error(`the extended attributes cannot be listed: ${describeErrno(native.errno())}`)
  return Buffer.from(names.subarray(0, got))
    .toString('latin1')
    .split('\0')
    .filter((name) => name !== '')
}

/** @returns undefined if there is no such attribute. @throws Error with the reason. */
export function attributeOf(fd: number, name: string): Uint8Array | undefined {
  const native = libc()
  const length = native.fgetxattr(fd, cName(name), null, 0)
  if (length < 0) {
    if ([ENODATA, ENOTSUP].includes(native.errno())) return undefined
    throw new Error(`the extended attribute ${name} cannot be read: ${describeErrno(native.errno())}`)
  }
  // It may have grown meanwhile: then the call fails.
  const value = new Uint8Array(length)
  if (length > 0 && native.fgetxattr(fd, cName(name), value, length) !== length)
    throw new Error(`the extended attribute ${name} was changed meanwhile`)
  return value
}

/** @throws Error with the reason. */
export function setAttribute(fd: number, name: string, value: Uint8Array): void {
  const native = libc()
  if (native.fsetxattr(fd, cName(name), value, value.length, 0) !== 0)
    throw new Error(`the extended attribute ${name} cannot be kept: ${describeErrno(native.errno())}`)
}

/** @throws Error with the reason; not for one that is not there. */
export function removeAttribute(fd: number, name: string): void {
  const native = libc()
  if (native.fremovexattr(fd, cName(name)) === 0 || [ENODATA, ENOTSUP].includes(native.errno())) return
  throw new Error(`the extended attribute ${name} cannot be removed: ${describeErrno(native.errno())}`)
}

/** Nanoseconds since 1970. @throws Error with the reason. */
export function setTimes(fd: number, accessed: bigint, changed: bigint): void {
  const times = new Uint8Array(32)
  const view = new DataView(times.buffer)
  for (const [i, time] of [accessed, changed].entries()) {
    // Before 1970, nanoseconds still count upwards.
    const rest = BigInt.asUintN(64, ((time % SECOND) + SECOND) % SECOND)
    view.setBigInt64(16 * i, (time - rest) / SECOND, true)
    view.setBigInt64(16 * i + 8, rest, true)
  }
  const native = libc()
  if (native.futimens(fd, times) !== 0) throw new Error(`its times cannot be set: ${describeErrno(native.errno())}`)
}

const SECOND = 1_000_000_000n

function cName(name: string): Uint8Array {
  return Buffer.from(`${name}\0`, 'latin1')
}
