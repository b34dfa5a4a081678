/** What is left to the GnuPG process, and to gpg and gpg-agent, from the moment that strangers' packets come. */
import { readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import { describeErrno } from '../../system/errno.ts'
import { restrictFiles } from '../../system/landlock.ts'
import { libc } from '../../system/libc.ts'
import { hasIoUring, installFilter } from '../../system/seccomp.ts'
import { architectures } from '../../system/seccomp-numbers.ts'
import { gnupgFilter } from './seccomp-filter.ts'

/** Programs and libraries. No configuration, no home directory, no /proc. */
const PROGRAMS = ['/usr', '/bin', '/sbin', '/lib', '/lib32', '/lib64', '/etc/ld.so.cache', '/etc/ld.so.conf']
const RANDOM = ['/dev/urandom', '/dev/random', '/dev/zero']
const NULL = '/dev/null'

// linux/resource.h, the same on every processor that libc.ts accepts.
const RLIMIT_FSIZE = 1
const RLIMIT_DATA = 2
const RLIMIT_CORE = 4
const RLIMIT_NPROC = 6
const RLIMIT_NOFILE = 7

/** Of each process: bytes beyond what this one has when it begins. */
const MORE_MEMORY = 256 * 1024 ** 2
const LARGEST_FILE = 64 * 1024 ** 2
/** Of the user, threads included: this process has about a dozen. */
const MOST_PROCESSES = 96
const MOST_DESCRIPTORS = 128

/**
 * @param home the folder with the copies of the keyrings
 * @param programs paths of gpg
 * @returns PRIVILEGE_EXCESSIVE with what could not be taken away. The rest is taken away all the same.
 */
export function confineGnupg(home: string, programs: readonly string[]): Result<void, Failure<'PRIVILEGE_EXCESSIVE'>> {
  const ring = hasIoUring()
  const files = restrictFiles({
    read: [...PROGRAMS, ...RANDOM, ...programs.map((program) => dirname(program))],
    write: [home, NULL],
    // Its own, at its end.
    removeFoldersIn: [dirname(home)],
  })
  const calls = installFilter('the system calls of the GnuPG process cannot be confined', () => {
    const architecture = architectures[process.arch]
    if (architecture === undefined) throw new Error(`there is no filter for ${process.arch} processors`)
    return gnupgFilter(architecture)
  })
  if (ring) return refuse('PRIVILEGE_EXCESSIVE', 'the GnuPG process has an io_uring, which no filter sees')
  return !files.ok ? files : calls
}

/** To be called before {@link confineGnupg}, which takes /proc away. */
export function limitGnupg(): Result<void, Failure<'PRIVILEGE_EXCESSIVE'>> {
  try {
    const [, kilobytes] = /^VmData:\s+([0-9]+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? []
    limit(RLIMIT_DATA, Number(kilobytes) * 1024 + MORE_MEMORY)
    limit(RLIMIT_CORE, 0)
    limit(RLIMIT_FSIZE, LARGEST_FILE)
    limit(RLIMIT_NPROC, MOST_PROCESSES)
    limit(RLIMIT_NOFILE, MOST_DESCRIPTORS)
    return ok(undefined)
  } catch (error) {
    return refuse('PRIVILEGE_EXCESSIVE', `the GnuPG process cannot be limited: ${(error as Error).message}`)
  }
}

/** @throws Error with a sentence. */
function limit(resource: number, most: number): void {
  const native = libc()
  const set = new BigUint64Array([BigInt(most), BigInt(most)])
  if (native.prlimit(0, resource, new Uint8Array(set.buffer), null) < 0) throw new Error(describeErrno(native.errno()))
}
