/**
 * One gpgdir a tree: the kernel’s lock on a file in the top folder. The file also names the process, as that of gpgdir
 * 1.9.6 does.
 */
import { closeSync, constants, fstatSync, ftruncateSync, openSync, readFileSync, unlinkSync, writeSync } from 'node:fs'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import { systemReason } from '../../system/errno.ts'
import { tryLock } from '../../system/file-lock.ts'
import { readBounded } from '../../system/read-bounded.ts'
import type { Folder } from './folder.ts'
import { LOCK_NAME } from './names.ts'

const FLAGS = constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY
const LONGEST = 64

/** @returns what ends the lock, and removes its file; `GPGDIR_REFUSED` if another process works there. */
export function lockTree(top: Folder): Result<Disposable, Failure<'GPGDIR_REFUSED'>> {
  let descriptor: number | undefined
  try {
    descriptor = openSync(top.path(LOCK_NAME), FLAGS, 0o600)
    if (!fstatSync(descriptor).isFile()) return refuse('GPGDIR_REFUSED', `${LOCK_NAME} is not a regular file`)
    const pid = Number(/^\s*(\d{1,10})\s*$/.exec(readBounded(descriptor, LONGEST)?.toString('latin1') ?? '')?.[1] ?? 0)
    const isHeld = tryLock(descriptor) !== 'taken'
    // The original has no lock, and only its number there.
    if (isHeld || (pid > 0 && pid !== process.pid && isGpgdir(pid)))
      return refuse('GPGDIR_REFUSED', `another gpgdir works in this folder${pid > 0 ? `: process ${pid}` : ''}`)
    ftruncateSync(descriptor)
    writeSync(descriptor, `${process.pid}\n`, 0)
    const held = descriptor
    descriptor = undefined
    return ok({
      [Symbol.dispose]() {
        try {
          unlinkSync(top.path(LOCK_NAME))
        } catch {
          // Somebody removed it. The lock is what counts.
        }
        closeSync(held)
      },
    })
  } catch (error) {
    return refuse('GPGDIR_REFUSED', `${LOCK_NAME}: ${systemReason(error)}`)
  } finally {
    if (descriptor !== undefined) closeSync(descriptor)
  }
}

function isGpgdir(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes('gpgdir')
  } catch {
    return false
  }
}
