/**
 * seccomp(2) for our processes: the receiver's own filter (seccomp-filter.ts), and what its parent does beforehand. A filter is on
 * the whole process, with all its threads and all that it starts, for good.
 */
import { readdirSync, readlinkSync } from 'node:fs'
import { encodeProgram, type Instruction } from '../capture/bpf.ts'
import { describeErrno, libc, PR_SET_NO_NEW_PRIVS } from '../capture/libc.ts'
import { type Failure, ok, type Result, refuse } from '../result.ts'
import { type FilterOptions, ioUringFilter, receiverFilter } from './seccomp-filter.ts'
import { architectures } from './seccomp-numbers.ts'

const SECCOMP_SET_MODE_FILTER = 1
const SECCOMP_FILTER_FLAG_TSYNC = 1

/**
 * Takes io_uring(7) away from this process and from all that it starts from now on. A ring carries out calls that no filter sees.
 * libuv makes one for each event loop, before any code of ours runs: only the parent of a receiver can keep it from having one.
 * libuv then does without.
 *
 * @returns PRIVILEGE_EXCESSIVE where the kernel or the processor has no filters
 */
export function forbidIoUring(): Result<void, Failure<'PRIVILEGE_EXCESSIVE'>> {
  return install('io_uring cannot be forbidden', () => ioUringFilter)
}

/**
 * From here on this process may only do what the receiver's filter allows.
 *
 * @returns PRIVILEGE_EXCESSIVE where the kernel or the processor has no filters, or where an io_uring is open
 */
export function confineReceiver(options: FilterOptions): Result<void, Failure<'PRIVILEGE_EXCESSIVE'>> {
  const what = 'the system calls of the receiver cannot be confined'
  if (hasIoUring()) return refuse('PRIVILEGE_EXCESSIVE', `${what}: it has an io_uring, which no filter sees`)
  return install(what, () => {
    const architecture = architectures[process.arch]
    if (architecture === undefined) throw new Error(`there is no filter for ${process.arch} processors`)
    return receiverFilter(architecture, options)
  })
}

function install(what: string, program: () => readonly Instruction[]): Result<void, Failure<'PRIVILEGE_EXCESSIVE'>> {
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
  // Without it the kernel takes filters from root alone. It also keeps set-uid programs from undoing what is dropped here.
  native.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
  const code = encodeProgram(program)
  const filter = new Uint8Array(16) // struct sock_fprog: length, padding, pointer
  const view = new DataView(filter.buffer)
  view.setUint16(0, program.length, true)
  view.setBigUint64(8, native.address(code), true)
  const thread = native.syscall(call, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, filter)
  if (thread < 0) throw new Error(describeErrno(native.errno()))
  if (thread > 0) throw new Error(`thread ${thread} has another filter`)
}

function hasIoUring(): boolean {
  return readdirSync('/proc/self/fd').some((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`) === 'anon_inode:[io_uring]'
    } catch {
      return false // the descriptor that lists the others
    }
  })
}
