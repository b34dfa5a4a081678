/**
 * Changing user from inside: for the receiver whose user cannot read the program (a checkout under /root, a home directory with mode
 * 0700). What starts as root here loads its code, starts its threads, and is nobody before it looks at the first packet.
 */
import { statSync } from 'node:fs'
import { dirname } from 'node:path'
import { libc } from '../capture/libc.ts'
import { type Failure, ok, type Result, refuse } from '../result.ts'
import type { Account } from './privilege.ts'

export type Identity = Pick<Account, 'uid' | 'gid'>

const PR_CAPBSET_DROP = 24
const PR_SET_NO_NEW_PRIVS = 38
/** More than any kernel has; dropping one that does not exist fails and means nothing. */
const LAST_CAPABILITY = 63

/** First of all, while there is one thread only: what threads are started later inherit it. */
export function renouncePrivileges(): void {
  const native = libc()
  for (let capability = 0; capability <= LAST_CAPABILITY; capability++)
    native.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)
  native.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
}

/** Becomes the user, with all threads (the C library changes them together), which also clears every capability. */
export function becomeAccount({ uid, gid }: Identity): Result<void, Failure<'PRIVILEGE_MISSING'>> {
  try {
    process.setgroups?.([])
    process.setgid?.(gid)
    process.setuid?.(uid)
    return ok(undefined)
  } catch (error) {
    return refuse('PRIVILEGE_MISSING', `cannot become user ${uid}: ${(error as Error).message}`)
  }
}

/** Whether a user without capabilities can read a file: by the modes of the file and of every folder above it. */
export function canRead({ uid, gid }: Identity, file: string): boolean {
  const may = (path: string, bit: 4 | 1): boolean => {
    const stat = statSync(path, { throwIfNoEntry: false })
    if (stat === undefined) return false
    const shift = stat.uid === uid ? 6 : stat.gid === gid ? 3 : 0
    return ((stat.mode >> shift) & bit) !== 0
  }
  if (!may(file, 4)) return false
  for (let folder = dirname(file); ; folder = dirname(folder)) {
    if (!may(folder, 1)) return false
    if (folder === dirname(folder)) return true
  }
}
