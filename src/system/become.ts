/**
 * How a receiver becomes nobody, from inside. It starts as root, with little of root's power, and loads its code;
 * then it changes user, before it is told one key and before it looks at one packet. Started as that user, it would be open to
 * other processes of the user until it can close its memory; a process that *changes* user is closed from that moment on
 * (docs/THREAT-MODEL.md). Its user need not even be able to read the program.
 */

import { type Failure, ok, type Result, refuse } from '../result.ts'
import { libc, PR_SET_NO_NEW_PRIVS } from './libc.ts'
import { forbidInspector, shutInspector } from './own-process.ts'
import { type Account, assertUnprivileged, type Privileges } from './privilege.ts'

export type Identity = Pick<Account, 'uid' | 'gid'>

const PR_CAPBSET_DROP = 24
/** More than any kernel has; dropping one that does not exist fails and means nothing. */
const LAST_CAPABILITY = 63

/**
 * The first thing that a receiver does.
 *
 * @param become whom to become; undefined for a receiver that is its own user already.
 * @returns PRIVILEGE_MISSING where it cannot change; PRIVILEGE_EXCESSIVE where anything is left;
 * PROCESS_EXPOSED where an inspector is open.
 */
export async function becomeUnprivileged(
  become: Identity | undefined,
): Promise<Result<Privileges | undefined, Failure<'PRIVILEGE_MISSING' | 'PRIVILEGE_EXCESSIVE' | 'PROCESS_EXPOSED'>>> {
  const forbidden = forbidInspector()
  if (!forbidden.ok) return forbidden
  const shut = await shutInspector()
  if (!shut.ok) return shut
  if (become !== undefined) renouncePrivileges()
  if (become !== undefined) {
    const became = becomeAccount(become)
    if (!became.ok) return became
  }
  return assertUnprivileged()
}

/** `--become UID:GID` of a receiver's arguments. @returns undefined where it is not there; VALUE_INVALID for no two numbers. */
export function parseBecome(argv: readonly string[]): Result<Identity | undefined, Failure<'VALUE_INVALID'>> {
  const at = argv.indexOf('--become')
  if (at < 0) return ok(undefined)
  const [, uid, gid] = /^([0-9]{1,10}):([0-9]{1,10})$/.exec(argv[at + 1] ?? '') ?? []
  if (uid === undefined || gid === undefined) return refuse('VALUE_INVALID', '--become needs UID:GID')
  return ok({ uid: Number(uid), gid: Number(gid) })
}

/** Threads that are started later inherit this. */
function renouncePrivileges(): void {
  const native = libc()
  for (let capability = 0; capability <= LAST_CAPABILITY; capability++)
    native.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)
  native.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
}

/** Becomes the user, with all threads (the C library changes them together), which also clears every capability. */
function becomeAccount({ uid, gid }: Identity): Result<void, Failure<'PRIVILEGE_MISSING'>> {
  try {
    process.setgroups?.([])
    process.setgid?.(gid)
    process.setuid?.(uid)
    return ok(undefined)
  } catch (error) {
    return refuse('PRIVILEGE_MISSING', `cannot become user ${uid}: ${(error as Error).message}`)
  }
}
