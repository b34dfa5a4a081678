/** System errors in the operator's words: why something could not be done. */
import { getSystemErrorMessage, getSystemErrorName } from 'node:util'

/** “EPERM, operation not permitted”. @param errno as in errno(3), above 0. */
export function describeErrno(errno: number): string {
  return `${getSystemErrorName(-errno)}, ${getSystemErrorMessage(-errno)}`
}

/** `no such file or directory` and similar, without the call, path and address that Node adds. */
export function systemReason(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  // Below 0 in Node's errors.
  return 'errno' in error && typeof error.errno === 'number' && error.errno < 0
    ? getSystemErrorMessage(error.errno)
    : error.message
}

/** `ENOENT` and similar. Undefined for an error without such a name. */
export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}

/** The words of {@link fileReason} for a file that this user may not read, and for one that does not exist. */
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
