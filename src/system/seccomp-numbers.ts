/**
 * Numbers of system calls (linux, arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h). The
 * generic table is that of arm64, riscv64 and loong64. A call that an architecture lacks is left out.
 */

/** System calls that the receiver's filter names. */
export type SystemCall = keyof typeof X64

const X64 = {
  read: 0,
  write: 1,
  close: 3,
  fstat: 5,
  poll: 7,
  mmap: 9,
  mprotect: 10,
  munmap: 11,
  brk: 12,
  rt_sigaction: 13,
  rt_sigprocmask: 14,
  rt_sigreturn: 15,
  ioctl: 16,
  pread64: 17,
  readv: 19,
  writev: 20,
  sched_yield: 24,
  mremap: 25,
  madvise: 28,
  nanosleep: 35,
  getpid: 39,
  recvfrom: 45,
  recvmsg: 47,
  getsockname: 51,
  getpeername: 52,
  getsockopt: 55,
  exit: 60,
  fcntl: 72,
  fsync: 74,
  gettimeofday: 96,
  sigaltstack: 131,
  prctl: 157,
  gettid: 186,
  time: 201,
  futex: 202,
  restart_syscall: 219,
  clock_gettime: 228,
  clock_nanosleep: 230,
  exit_group: 231,
  epoll_wait: 232,
  epoll_ctl: 233,
  tgkill: 234,
  ppoll: 271,
  epoll_pwait: 281,
  accept4: 288,
  recvmmsg: 299,
  seccomp: 317,
  getrandom: 318,
  pkey_mprotect: 329,
  epoll_pwait2: 441,
  riscv_flush_icache: undefined,
} as const

type Numbers = Readonly<Record<SystemCall, number | undefined>>

const GENERIC: Numbers = {
  read: 63,
  write: 64,
  close: 57,
  fstat: 80,
  poll: undefined,
  mmap: 222,
  mprotect: 226,
  munmap: 215,
  brk: 214,
  rt_sigaction: 134,
  rt_sigprocmask: 135,
  rt_sigreturn: 139,
  ioctl: 29,
  pread64: 67,
  readv: 65,
  writev: 66,
  sched_yield: 124,
  mremap: 216,
  madvise: 233,
  nanosleep: 101,
  getpid: 172,
  accept4: 242,
  recvfrom: 207,
  recvmsg: 212,
  getsockname: 204,
  getpeername: 205,
  getsockopt: 209,
  exit: 93,
  fcntl: 25,
  fsync: 82,
  gettimeofday: 169,
  sigaltstack: 132,
  prctl: 167,
  gettid: 178,
  time: undefined,
  futex: 98,
  restart_syscall: 128,
  clock_gettime: 113,
  clock_nanosleep: 115,
  exit_group: 94,
  epoll_wait: undefined,
  epoll_ctl: 21,
  tgkill: 131,
  ppoll: 73,
  epoll_pwait: 22,
  recvmmsg: 243,
  seccomp: 277,
  getrandom: 278,
  pkey_mprotect: 288,
  epoll_pwait2: 441,
  riscv_flush_icache: undefined,
}

/** An architecture as the kernel's filter sees it. */
export interface Architecture {
  /** AUDIT_ARCH_* of linux/audit.h. */
  readonly audit: number
  readonly numbers: Numbers
}

/** By Node's `process.arch`. */
export const architectures: Readonly<Record<string, Architecture>> = {
  x64: { audit: 0xc000003e, numbers: X64 },
  arm64: { audit: 0xc00000b7, numbers: GENERIC },
  riscv64: { audit: 0xc00000f3, numbers: { ...GENERIC, riscv_flush_icache: 259 } },
  loong64: { audit: 0xc0000102, numbers: GENERIC },
}
