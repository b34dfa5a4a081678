/** Puts the receiver's filter (seccomp-filter.ts) on this process, with all its threads, for good. */
import { encodeProgram } from '../capture/bpf.ts'
import { describeErrno, libc } from '../capture/libc.ts'
import { type Failure, ok, type Result, refuse } from '../result.ts'
import { type FilterOptions, receiverFilter } from './seccomp-filter.ts'
import { architectures } from './seccomp-numbers.ts'

const SECCOMP_SET_MODE_FILTER = 1
const SECCOMP_FILTER_FLAG_TSYNC = 1

/**
 * From here on this process may only what the filter allows. Needs no_new_privs, which the receiver has.
 *
 * @returns PRIVILEGE_EXCESSIVE where the kernel or the processor has no such filter: the receiver could do more than it should.
 */
export function confineReceiver(options: FilterOptions): Result<void, Failure<'PRIVILEGE_EXCESSIVE'>> {
  const architecture = architectures[process.arch]
  const call = architecture?.numbers.seccomp
  if (architecture === undefined || call === undefined) return unconfined(`there is no filter for ${process.arch}`)
  try {
    const native = libc()
    const code = encodeProgram(receiverFilter(architecture, options))
    const program = new Uint8Array(16) // struct sock_fprog: length, padding, pointer
    const view = new DataView(program.buffer)
    view.setUint16(0, code.length / 8, true)
    view.setBigUint64(8, native.address(code), true)
    const thread = native.syscall(call, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, program)
    if (thread < 0) return unconfined(describeErrno(native.errno()))
    if (thread > 0) return unconfined(`thread ${thread} has another filter`)
    return ok(undefined)
  } catch (error) {
    return unconfined((error as Error).message)
  }
}

function unconfined(why: string): Result<never, Failure<'PRIVILEGE_EXCESSIVE'>> {
  return refuse('PRIVILEGE_EXCESSIVE', `the receiver's system calls cannot be confined: ${why}`)
}
