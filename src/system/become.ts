/**
 * How a receiver gives up its privilege, from inside. It starts as root with few capabilities, and loads its code. Then
 * it changes user, before it gets a key or looks at a packet. A process *started* as that user would be open to the
 * user's other processes until it closes its memory. A process that *changes* user is closed from that moment
 * (docs/THREAT-MODEL.md). The user need not be able to read the program.
 */

import { type Failure, ok, type Result, refuse } from '../result.ts'
import { libc, PR_SET_NO_NEW_PRIVS } from './libc.ts'
import { forbidInspector, shutInspector } from './own-process.ts'
import { type Account, assertUnprivileged, type Privileges } from './privilege.ts'

export type Identity = Pick<Account, 'uid' | 'gid'>

const PR_CAPBSET_DROP = 24
/** More than any kernel has. Dropping a capability that does not exist fails, without effect. */
const LAST_CAPABILITY = 63

/**
 * The first thing that a receiver does.
 *
 * @param become the user to become; undefined for a receiver that is its own user already.
 * @returns PRIVILEGE_MISSING if it cannot change; PRIVILEGE_EXCESSIVE if any privilege is left; PROCESS_EXPOSED if an
 * inspector is open; RECEIVER_GONE if the kernel does not say what is left.
 */
export async function becomeUnprivileged(
  become: Identity | undefined,
): Promise<
  Result<
    Privileges | undefined,
    Failure<'PRIVILEGE_MISSING' | 'PRIVILEGE_EXCESSIVE' | 'PROCESS_EXPOSED' | 'RECEIVER_GONE'>
  >
> {
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

/**
 * `--become UID:GID` of a receiver's arguments. @returns undefined if it is absent; VALUE_INVALID if it is not two
 * numbers.
 */
export function parseBecome(argv: readonly string[]): Result<Identity | undefined, Failure<'VALUE_INVALID'>> {
  const at = argv.indexOf('--become')
  if (at < 0) return ok(undefined)
  const [, uid, gid] = /^([0-9]{1,10}):([0-9]{1,10})$/.exec(argv[at + 1] ?? '') ?? []
  if (uid === undefined || gid === undefined) return refuse('VALUE_INVALID', '--become needs UID:GID')
  return ok({ uid: Number(uid), gid: Number(gid) })
}

/** Threads that start later inherit this. */
function renouncePrivileges(): void {
  const native = libc()
  for (let capability = 0; capability <= LAST_CAPABILITY; capability++)
    native.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)
  native.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
}

/** Becomes the user, with all threads (the C library changes them together). This also clears every capability. */
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
