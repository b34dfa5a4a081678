/** What the kernel refuses a receiver from the moment that strangers have a word. */
import { readdirSync, readlinkSync } from 'node:fs'
import { type Failure, type Result, refuse } from '../../result.ts'
import { installFilter } from '../../system/seccomp.ts'
import { architectures } from '../../system/seccomp-numbers.ts'
import { type FilterOptions, receiverFilter } from './seccomp-filter.ts'

/**
 * From here on this process may only do what the receiver's filter allows.
 *
 * @returns PRIVILEGE_EXCESSIVE where the kernel or the processor has no filters, or where an io_uring is open
 */
export function confineReceiver(options: FilterOptions): Result<void, Failure<'PRIVILEGE_EXCESSIVE'>> {
  const what = 'the system calls of the receiver cannot be confined'
  if (hasIoUring()) return refuse('PRIVILEGE_EXCESSIVE', `${what}: it has an io_uring, which no filter sees`)
  return installFilter(what, () => {
    const architecture = architectures[process.arch]
    if (architecture === undefined) throw new Error(`there is no filter for ${process.arch} processors`)
    return receiverFilter(architecture, options)
  })
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
