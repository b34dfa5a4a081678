/** Files that gpgdir itself keeps in the top folder: nothing else is ever opened in their place. */
import { closeSync, constants, fstatSync, openSync } from 'node:fs'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import { errorCode, fileReason } from '../../system/errno.ts'
import type { Folder } from './folder.ts'

const FLAGS = constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY

/**
 * @param flags of open(2), besides those that keep it from following links and from waiting.
 * @returns a descriptor; undefined if there is no such file; `GPGDIR_REFUSED` for anything but a regular file with one
 * name.
 */
export function openOwnFile(
  top: Folder,
  name: string,
  flags: number,
): Result<number | undefined, Failure<'GPGDIR_REFUSED'>> {
  let descriptor: number
  try {
    descriptor = openSync(top.path(name), flags | FLAGS, 0o600)
  } catch (error) {
    const code = errorCode(error)
    if (code === 'ENOENT' && (flags & constants.O_CREAT) === 0) return ok(undefined)
    // A link, or a pipe that nobody reads.
    return code === 'ELOOP' || code === 'ENXIO'
      ? notOurs(name)
      : refuse('GPGDIR_REFUSED', `${name}: ${fileReason(error)}`)
  }
  const stat = fstatSync(descriptor)
  if (stat.isFile() && stat.nlink <= 1) return ok(descriptor)
  closeSync(descriptor)
  return notOurs(name)
}

function notOurs(name: string): Result<never, Failure<'GPGDIR_REFUSED'>> {
  return refuse('GPGDIR_REFUSED', `${name} is not a regular file with one name`, { suggestion: 'remove it' })
}
