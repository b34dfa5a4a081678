/**
 * One gpgdir a tree: the kernel’s lock on a file in the top folder. The file also names the process, as that of gpgdir
 * 1.9.6 does. A tree in another one is a part of it: each run takes its own lock first, and then looks for others above
 * (here) and below (`walk.ts`). So of two that start at once, one at least sees the other.
 */
import {
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  lstatSync,
  readFileSync,
  realpathSync,
  unlinkSync,
  writeSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { textFromBytes } from '../../bytes/text.ts'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import { systemReason } from '../../system/errno.ts'
import { F_UNLCK, lockTypeOf, tryLock } from '../../system/file-lock.ts'
import { readBounded } from '../../system/read-bounded.ts'
import { Folder } from './folder.ts'
import { LOCK_NAME } from './names.ts'
import { openOwnFile } from './own-file.ts'

const LONGEST = 64
/** How often the file may vanish while it is locked: each time another gpgdir has just ended. */
const MOST_TRIES = 20

/** @returns what ends the lock, and removes its file; `GPGDIR_REFUSED` if another process works there. */
export function lockTree(top: Folder): Result<Disposable, Failure<'GPGDIR_REFUSED'>> {
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    const locked = lockOnce(top)
    if (!locked.ok) return locked
    if (locked.value !== undefined) return ok(locked.value)
  }
  return refuse('GPGDIR_REFUSED', `${LOCK_NAME} was replaced again and again: others work in this folder`)
}

/** @returns undefined if the file was removed meanwhile: its lock would keep nobody away. */
function lockOnce(top: Folder): Result<Disposable | undefined, Failure<'GPGDIR_REFUSED'>> {
  const opened = openOwnFile(top, LOCK_NAME, constants.O_RDWR | constants.O_CREAT)
  if (!opened.ok) return opened
  if (opened.value === undefined) return ok(undefined)
  let descriptor: number | undefined = opened.value
  try {
    const pid = Number(/^\s*(\d{1,10})\s*$/.exec(readBounded(descriptor, LONGEST)?.toString('latin1') ?? '')?.[1] ?? 0)
    const lock = tryLock(descriptor)
    if (typeof lock === 'object') return refuse('GPGDIR_REFUSED', `${LOCK_NAME} cannot be locked: ${lock.why}`)
    // The original has no lock, and only its number there.
    if (lock === 'held' || (pid > 0 && pid !== process.pid && isGpgdir(pid)))
      return refuse('GPGDIR_REFUSED', `another gpgdir works in this folder${pid > 0 ? `: process ${pid}` : ''}`)
    if (lstatSync(top.path(LOCK_NAME), { throwIfNoEntry: false })?.ino !== fstatSync(descriptor).ino)
      return ok(undefined)
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

/** Whether another gpgdir works in this folder. What a run that was killed has left does not count. */
export function isWorkedIn(folder: Folder): boolean {
  const opened = openOwnFile(folder, LOCK_NAME, constants.O_RDONLY)
  if (!opened.ok || opened.value === undefined) return false
  try {
    return (lockTypeOf(opened.value) ?? F_UNLCK) !== F_UNLCK
  } finally {
    closeSync(opened.value)
  }
}

/** @returns the folder above, however far, in which another gpgdir works; undefined for none. */
export function workedInAbove(top: Folder): string | undefined {
  let at = textFromBytes(realpathSync(top.path('.'), { encoding: 'buffer' }))
  while (at !== dirname(at)) {
    at = dirname(at)
    try {
      using folder = Folder.top(at)
      if (isWorkedIn(folder)) return at
    } catch {
      // Who may not read it does not work in it.
    }
  }
  return undefined
}

function isGpgdir(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes('gpgdir')
  } catch {
    return false
  }
}
