/**
 * What a receiver may still ask of the kernel once it captures, as a seccomp(2) program: a list of what is allowed; all
 * else is refused with EPERM. It reads its sockets, writes to its channel and its standard error, waits, and manages
 * its own memory. It starts no program and no thread, opens no file and no socket, sends nothing, changes no socket's
 * settings, and sees no other process (docs/THREAT-MODEL.md).
 */

import { constants } from 'node:os'
import { type Instruction, JEQ_K, JGE_K, JGT_K, LD_W_ABS, RET_K } from '../../system/bpf.ts'
import { SIOCGIFNAME } from '../../system/interface-name.ts'
import { NUMBER_AT, RET_ALLOW, RET_ERRNO, RET_KILL_PROCESS } from '../../system/seccomp.ts'
import type { Architecture, SystemCall } from '../../system/seccomp-numbers.ts'

const { EPERM } = constants.errno

// struct seccomp_data
const ARCHITECTURE = 4
/** The lower half of the n-th argument, on little-endian machines. */
const argumentLow = (n: number): number => 16 + 8 * n
const argumentHigh = (n: number): number => 20 + 8 * n

/**
 * Allowed with any arguments. Those of the packet path come first, since the program is walked from the top. A thread
 * of V8 waits by `epoll_`. The end of the process needs `epoll_ctl`, `fstat` and `close`, and `fsync` for koffi.
 */
const ALWAYS: readonly SystemCall[] = [
  ...([
    'recvmmsg',
    'poll',
    'ppoll',
    'read',
    'futex',
    'getsockopt',
    'clock_gettime',
    'epoll_wait',
    'epoll_pwait',
  ] as const),
  ...(['madvise', 'mprotect', 'pkey_mprotect', 'munmap', 'mmap', 'mremap', 'brk', 'riscv_flush_icache'] as const),
  ...(['pread64', 'getrandom', 'gettimeofday', 'time', 'clock_nanosleep', 'nanosleep', 'sched_yield'] as const),
  // V8's locks ask for the priority of their thread when many wait. Refused, they complain on standard error.
  ...(['sched_getparam', 'sched_getscheduler'] as const),
  ...(['rt_sigaction', 'rt_sigprocmask', 'rt_sigreturn', 'sigaltstack', 'restart_syscall'] as const),
  ...(['getpid', 'gettid', 'epoll_ctl', 'fstat', 'fsync', 'close', 'exit', 'exit_group'] as const),
]

/** What Node's event loop needs besides. */
const FOR_EVENTS: readonly SystemCall[] = ['recvmsg', 'recvfrom', 'readv', 'getsockname', 'getpeername', 'epoll_pwait2']

/** What a TCP server needs besides `accept4`. */
const FOR_CONNECTIONS: readonly SystemCall[] = ['recvfrom', 'getsockname']

/** Of one instruction. */
const LONGEST_JUMP = 255

const FIONBIO = 0x5421
/** F_GETFD, F_SETFD, F_GETFL, F_SETFL. Never F_DUPFD: a socket under another number could be written to. */
const FCNTL_COMMANDS = [1, 2, 3, 4]
/** PR_SET_NAME, and PR_SET_VMA with which V8 names its memory. Never PR_SET_DUMPABLE. */
const PRCTL_OPTIONS = [15, 0x53564d41]

export interface FilterOptions {
  /** Descriptors of the capture sockets: to write to one is to send. */
  readonly captureSockets: readonly number[]
  /** Those of them that accept connections. What it accepts it may read, and not write to. */
  readonly listening?: readonly number[]
  /** Numbers of no descriptor yet, both ends included: what gets such a number is not to be written to. */
  readonly freeNumbers?: readonly (readonly [first: number, last: number])[]
  /** How it waits: in a loop over poll(2), or in Node's event loop. */
  readonly waitsBy: 'poll' | 'events'
  /** The receiver's own process id: it may signal itself (abort), and nobody else. */
  readonly pid: number
}

/** @returns the program for `architecture`. A call by another architecture's table (32-bit) ends the process. */
export function receiverFilter(
  { audit, numbers }: Architecture,
  { captureSockets, waitsBy, pid, listening = [], freeNumbers = [] }: FilterOptions,
): readonly Instruction[] {
  const program: Instruction[] = []
  const add = (code: number, k: number, jt = 0, jf = 0): void => void program.push({ code, jt, jf, k: k >>> 0 })
  const give = (verdict: number): void => add(RET_K, verdict)

  add(LD_W_ABS, ARCHITECTURE)
  add(JEQ_K, audit, 1, 0)
  give(RET_KILL_PROCESS)
  add(LD_W_ABS, NUMBER_AT)

  /** `body` judges the arguments of one call. It ends with a verdict in every branch. */
  const forCall = (call: SystemCall, body: () => void): void => {
    const number = numbers[call]
    if (number === undefined) return
    const from = program.length
    add(JEQ_K, number, 0, 0)
    body()
    if (program.length - from - 1 > LONGEST_JUMP) throw new Error('the filter of the receiver became too long')
    program[from] = { code: JEQ_K, jt: 0, jf: program.length - from - 1, k: number }
  }
  /** Allows where the argument is one of `values` (below 2³²). */
  const allowOneOf = (argument: number, values: readonly number[]): void => {
    add(LD_W_ABS, argumentHigh(argument))
    add(JEQ_K, 0, 1, 0)
    give(RET_ERRNO | EPERM)
    add(LD_W_ABS, argumentLow(argument))
    for (const value of values) {
      add(JEQ_K, value, 0, 1)
      give(RET_ALLOW)
    }
    give(RET_ERRNO | EPERM)
  }

  for (const call of ['write', 'writev'] as const)
    forCall(call, () => {
      // The kernel takes a descriptor as 32 bits: the upper half of the register does not count.
      add(LD_W_ABS, argumentLow(0))
      for (const [first, last] of freeNumbers) {
        add(JGE_K, first, 0, 2)
        add(JGT_K, last, 1, 0)
        give(RET_ERRNO | EPERM)
      }
      for (const fd of captureSockets) {
        add(JEQ_K, fd, 0, 1)
        give(RET_ERRNO | EPERM)
      }
      give(RET_ALLOW)
    })
  for (const call of waitsBy === 'poll' ? ALWAYS : [...ALWAYS, ...FOR_EVENTS]) forCall(call, () => give(RET_ALLOW))
  if (listening.length > 0) {
    forCall('accept4', () => allowOneOf(0, listening))
    for (const call of FOR_CONNECTIONS) forCall(call, () => give(RET_ALLOW))
  }
  forCall('ioctl', () => {
    // A request is 32 bits as well, and so is one that a terminal would take.
    add(LD_W_ABS, argumentLow(1))
    for (const request of waitsBy === 'poll' ? [SIOCGIFNAME] : [FIONBIO]) {
      add(JEQ_K, request, 0, 1)
      give(RET_ALLOW)
    }
    give(RET_ERRNO | EPERM)
  })
  forCall('fcntl', () => allowOneOf(1, FCNTL_COMMANDS))
  forCall('prctl', () => allowOneOf(0, PRCTL_OPTIONS))
  forCall('tgkill', () => allowOneOf(0, [pid]))
  give(RET_ERRNO | EPERM)
  return program
}
