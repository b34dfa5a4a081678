/**
 * Who is at the other end of a Unix socket, for the log: the kernel's word, and who logged in to become that user.
 * Neither is a permission.
 */
import { readFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import { peerOf } from './pass-descriptors.ts'

/** A process that asks. Each is absent where it is not known. */
export interface Asker {
  readonly uid?: number
  readonly pid?: number
  /**
   * The user who logged in, also where sudo or su has changed the user since. PAM sets it, and the kernel keeps it.
   * Absent: the process comes from no login.
   */
  readonly loginUid?: number
}

/** `(uid_t) -1`: no login. */
const UNSET = 0xffff_ffff

/** @param socket of the listening end. Never throws. */
export function askerAt(socket: Socket): Asker {
  const fd = descriptorOf(socket)
  if (fd === undefined) return {}
  try {
    const { uid, pid } = peerOf(fd)
    const loginUid = loginUidOf(pid)
    return { uid, pid, ...(loginUid !== undefined && { loginUid }) }
  } catch {
    // Without the C library.
    return {}
  }
}

/** Node has no name for it. */
function descriptorOf(socket: Socket): number | undefined {
  const { _handle: handle } = socket as Socket & { readonly _handle?: { readonly fd?: unknown } | null }
  return typeof handle?.fd === 'number' && handle.fd >= 0 ? handle.fd : undefined
}

/** @returns undefined for a process that has ended, that may not be seen, or that comes from no login. */
function loginUidOf(pid: number): number | undefined {
  try {
    const uid = Number(readFileSync(`/proc/${pid}/loginuid`, 'utf8'))
    return Number.isInteger(uid) && uid < UNSET ? uid : undefined
  } catch {
    return undefined
  }
}

/** `uid 0, who logged in as uid 1000`. */
export function describeAsker({ uid, loginUid }: Asker): string {
  if (uid === undefined) return 'an unknown user'
  return loginUid === undefined || loginUid === uid ? `uid ${uid}` : `uid ${uid}, who logged in as uid ${loginUid}`
}
