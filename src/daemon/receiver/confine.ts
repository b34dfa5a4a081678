/** What the kernel refuses a receiver from the moment that strangers have a word. */
import { readdirSync } from 'node:fs'
import { type Failure, type Result, refuse } from '../../result.ts'
import { libc } from '../../system/libc.ts'
import { hasIoUring, installFilter } from '../../system/seccomp.ts'
import { architectures } from '../../system/seccomp-numbers.ts'
import { type FilterOptions, receiverFilter } from './seccomp-filter.ts'

const F_GETFD = 1
/** No descriptor has a larger number. */
const LARGEST = 0x7fff_ffff

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
    return receiverFilter(architecture, (options.listening ?? []).length > 0 ? withoutFreeNumbers(options) : options)
  })
}

/** A connection that is accepted gets a number that is free now: such a number is not to be written to. */
function withoutFreeNumbers(options: FilterOptions): FilterOptions {
  const native = libc()
  const used = readdirSync('/proc/self/fd')
    .map(Number)
    // One of them listed the others.
    .filter((fd) => native.fcntl(fd, F_GETFD, 0) >= 0)
    .sort((one, other) => one - other)
  const bounds = [...used, LARGEST + 1]
  const freeNumbers = bounds.flatMap((fd, i) => {
    const first = (used[i - 1] ?? -1) + 1
    return first < fd ? [[first, fd - 1] as const] : []
  })
  return { ...options, freeNumbers }
}
