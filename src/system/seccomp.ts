/**
 * seccomp(2): the kernel refuses a process some of its system calls. A filter applies to the whole process, with all
 * its threads and all that it starts, and cannot be removed.
 */

import { readdirSync, readlinkSync } from 'node:fs'
import { constants } from 'node:os'
import { type Failure, ok, type Result, refuse } from '../result.ts'
import { filterOf, type Instruction, JEQ_K, LD_W_ABS, RET_K } from './bpf.ts'
import { describeErrno } from './errno.ts'
import { libc, PR_SET_NO_NEW_PRIVS } from './libc.ts'
import { architectures } from './seccomp-numbers.ts'

// linux/seccomp.h
export const RET_KILL_PROCESS = 0x80000000
export const RET_ERRNO = 0x00050000
export const RET_ALLOW = 0x7fff0000
/** Offset of the call's number in the data of a program (struct seccomp_data). */
export const NUMBER_AT = 0
const SECCOMP_SET_MODE_FILTER = 1
const SECCOMP_FILTER_FLAG_TSYNC = 1

/**
 * Takes io_uring(7) away from this process and from all that it starts from now on: a ring carries out calls that no
 * filter sees. libuv makes a ring for each event loop before any code of ours runs. So only the parent of a receiver
 * can prevent it. libuv works without it.
 *
 * @returns PRIVILEGE_EXCESSIVE if the kernel or the processor has no filters
 */
export function forbidIoUring(): Result<void, Failure<'PRIVILEGE_EXCESSIVE'>> {
  return installFilter('io_uring cannot be forbidden', () => ioUringFilter)
}

/** The same on every architecture: newer calls share their numbers. */
const IO_URING_SETUP = 425
const { EACCES, ENOSYS } = constants.errno

/** Refuses io_uring_setup as a kernel without it does, and allows all other calls. */
const ioUringFilter: readonly Instruction[] = [
  { code: LD_W_ABS, jt: 0, jf: 0, k: NUMBER_AT },
  { code: JEQ_K, jt: 0, jf: 1, k: IO_URING_SETUP },
  { code: RET_K, jt: 0, jf: 0, k: RET_ERRNO | ENOSYS },
  { code: RET_K, jt: 0, jf: 0, k: RET_ALLOW },
]

/**
 * Puts a filter on this process.
 *
 * @param what the subject of the error sentence: what could not be done
 * @param program makes the filter; if it throws, its message is the reason
 * @returns PRIVILEGE_EXCESSIVE if the kernel or the processor has no filters
 */
export function installFilter(
  what: string,
  program: () => readonly Instruction[],
): Result<void, Failure<'PRIVILEGE_EXCESSIVE'>> {
  try {
    setFilter(program())
    return ok(undefined)
  } catch (error) {
    return refuse('PRIVILEGE_EXCESSIVE', `${what}: ${(error as Error).message}`)
  }
}

/** @throws Error with a sentence, where it cannot be set. */
function setFilter(program: readonly Instruction[]): void {
  const call = architectures[process.arch]?.numbers.seccomp
  if (call === undefined) throw new Error(`there is no filter for ${process.arch} processors`)
  const native = libc()
  const filter = filterOf(native, program)
  const put = (): number => native.syscall(call, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, filter)
  // The kernel takes it from a process with CAP_SYS_ADMIN as that is, and from others only if set-user-id programs have
  // no effect in them. The executor needs such programs (sudo), and inherits this from the warden.
  let thread = put()
  if (thread < 0 && native.errno() === EACCES) {
    native.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    thread = put()
  }
  if (thread < 0) throw new Error(describeErrno(native.errno()))
  if (thread > 0) throw new Error(`thread ${thread} has another filter`)
}

/** Whether this process has a ring: no filter sees what it asks for through one. */
export function hasIoUring(): boolean {
  return readdirSync('/proc/self/fd').some((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`) === 'anon_inode:[io_uring]'
    } catch {
      return false // the descriptor that lists the others
    }
  })
}
