/** Errors of the system in the operator's words, for all that says why something could not be done. */
import { getSystemErrorMessage, getSystemErrorName } from 'node:util'

/** “EPERM, operation not permitted”. @param errno as errno(3) has it, above 0. */
export function describeErrno(errno: number): string {
  return `${getSystemErrorName(-errno)}, ${getSystemErrorMessage(-errno)}`
}

/** `no such file or directory` and the like, without the call, the path and the address that Node puts around it. */
export function systemReason(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  // Below 0 in Node's errors.
  return 'errno' in error && typeof error.errno === 'number' && error.errno < 0
    ? getSystemErrorMessage(error.errno)
    : error.message
}

/** `ENOENT` and the like. Undefined for an error that has no such name. */
export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}

/** What {@link fileReason} says of a file that this user may not read, and of one that is not there. */
export const PERMISSION_DENIED = 'permission denied'
export const NO_SUCH_FILE = 'there is no such file'

const FILE_REASONS: Readonly<Record<string, string>> = {
  ENOENT: NO_SUCH_FILE,
  ENOTDIR: 'a part of the path is a file, not a folder',
  EACCES: PERMISSION_DENIED,
  EISDIR: 'is a folder',
  ELOOP: 'too many links lead to it',
}

/** Why a file that the operator named cannot be read. */
export function fileReason(error: unknown): string {
  return FILE_REASONS[errorCode(error) ?? ''] ?? systemReason(error)
}
