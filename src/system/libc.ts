/**
 * The few calls of the C library that Node does not offer, through koffi. It is loaded on first use. So it costs
 * nothing, and cannot fail, where it is not needed: a plain UDP socket, the relay, the client, other systems.
 *
 * A wrong prototype would crash the process. Each is copied from its manual page. The layouts of structures passed as
 * bytes are those of 64-bit little-endian Linux, the only kind accepted.
 */
import { createRequire } from 'node:module'
import { endianness } from 'node:os'

/** A C pointer argument: the bytes are read and written in place. */
type Bytes = Uint8Array | null

export interface Libc {
  socket(domain: number, type: number, protocol: number): number
  /** @param fds two 4-byte integers, which it writes. */
  socketpair(domain: number, type: number, protocol: number, fds: Bytes): number
  connect(fd: number, address: Bytes, length: number): number
  bind(fd: number, address: Bytes, length: number): number
  listen(fd: number, backlog: number): number
  /** @param length a 4-byte in-out integer. */
  accept4(fd: number, address: Bytes, length: Bytes, flags: number): number
  setsockopt(fd: number, level: number, option: number, value: Bytes, length: number): number
  /** @param length a 4-byte in-out integer. */
  getsockopt(fd: number, level: number, option: number, value: Bytes, length: Bytes): number
  ioctl(fd: number, request: number, argument: Bytes): number
  /** @param timeout in milliseconds; negative waits for ever. */
  poll(fds: Bytes, count: number, timeout: number): number
  /** The same in a thread of libuv's pool, which is busy meanwhile. The caller must keep `fds` alive. */
  pollAside(fds: Bytes, count: number, timeout: number): Promise<number>
  eventfd(initial: number, flags: number): number
  /** @param ends two 32-bit numbers: the descriptor to read from, and the one to write to. */
  pipe2(ends: Bytes, flags: number): number
  /** @param time a `struct timespec`. */
  clockGettime(clock: number, time: Bytes): number
  /** @param time a `struct timex`. Its first member says what to set: 0 only reads. @returns the state of the clock. */
  adjtimex(time: Uint8Array): number
  getsockname(fd: number, address: Bytes, length: Bytes): number
  recvmmsg(fd: number, messages: Bytes, count: number, flags: number, timeout: Bytes): number
  sendto(fd: number, message: Uint8Array, length: number, flags: number, address: Bytes, addressLength: number): number
  /** @param message a `struct msghdr`. */
  sendmsg(fd: number, message: Uint8Array, flags: number): number
  recvmsg(fd: number, message: Uint8Array, flags: number): number
  /** Makes `number` another name of `fd`. What it was before is closed. */
  dup2(fd: number, number: number): number
  recv(fd: number, into: Uint8Array, length: number, flags: number): number
  fcntl(fd: number, command: number, argument: number): number
  /** The commands for locks. @param lock a `struct flock`. */
  fcntlLock(fd: number, command: number, lock: Bytes): number
  close(fd: number): number
  /** @param names where they go, each ends with a 0 byte; null asks for the length. @returns bytes, or -1. */
  flistxattr(fd: number, names: Bytes, size: number): number
  /** @param name ends with a 0 byte. @param value null asks for the length. @returns bytes, or -1. */
  fgetxattr(fd: number, name: Uint8Array, value: Bytes, size: number): number
  fsetxattr(fd: number, name: Uint8Array, value: Uint8Array, size: number, flags: number): number
  fremovexattr(fd: number, name: Uint8Array): number
  /** @param times two `struct timespec`: of the last access, and of the last change. */
  futimens(fd: number, times: Uint8Array): number
  /** @returns the address, or -1. */
  mmap(at: null, length: number, protection: number, flags: number, fd: number, offset: number): bigint | number
  munmap(at: bigint | number, length: number): number
  /** `_exit`: ends the process without any more steps. It waits for no thread. */
  exitNow(status: number): void
  prctl(option: number, a: number, b: number, c: number, d: number): number
  landlockCreateRuleset(attributes: Bytes, size: number, flags: number): number
  landlockAddRule(ruleset: number, type: number, attributes: Uint8Array, flags: number): number
  landlockRestrictSelf(ruleset: number, flags: number): number
  /** @returns a descriptor of this process. */
  pidfdOpen(pid: number): number
  pidfdSendSignal(pidfd: number, signal: number): number
  /** A system call by its number; the last argument is a pointer. */
  syscall(number: number, a: number, b: number, c: Bytes): number
  /** bpf(2). @param attributes a `union bpf_attr`. */
  bpf(command: number, attributes: Uint8Array, size: number): number
  /**
   * Limits of a process, 0 for this one. Each limit is two 64-bit numbers: the current value and the highest allowed.
   */
  prlimit(pid: number, resource: number, limit: Uint8Array, old: Bytes): number
  /** Returns free memory of the C library to the system. Only glibc has it. @param keep bytes to keep at the top. */
  readonly mallocTrim: ((keep: number) => number) | undefined
  /** newlocale(3): whether this host has a locale of this name. It is not set. */
  hasLocale(name: string): boolean
  /** The error of the last call in this thread. */
  errno(): number
  /** The address of these bytes, for structures that hold pointers. The memory of an ArrayBuffer does not move. */
  address(bytes: Uint8Array): bigint
}

// Numbers of the system's headers that several files need, the same on every processor accepted below. Those of
// errno(3) are in node:os.
export const AF_UNIX = 1
export const AF_INET = 2
export const AF_INET6 = 10
export const SOCK_STREAM = 1
export const SOCK_DGRAM = 2
export const SOCK_RAW = 3
export const SOCK_NONBLOCK = 0o4000
export const SOCK_CLOEXEC = 0o2000000
export const O_CLOEXEC = 0o2000000
export const SOL_SOCKET = 1
export const SO_ATTACH_FILTER = 26
export const SOL_PACKET = 263
export const PACKET_AUXDATA = 8
export const MSG_DONTWAIT = 0x40
const SO_RCVBUF = 8
export const SO_RCVBUFFORCE = 33
export const PR_SET_NO_NEW_PRIVS = 38

// linux/landlock.h and asm/unistd.h
const CREATE_RULESET = 444
const ADD_RULE = 445
const RESTRICT_SELF = 446
// asm-generic/unistd.h, the same on every processor
const PIDFD_SEND_SIGNAL = 424
const PIDFD_OPEN = 434
const BPF_X64 = 321
const BPF_OTHERS = 280

/** All categories of glibc. */
const LC_ALL_MASK = 0x1fbf

let loaded: Libc | undefined

/** @throws Error with a sentence for the operator if this system or processor is not supported. */
export function libc(): Libc {
  loaded ??= load()
  return loaded
}

/** @returns undefined where nothing has needed it so far. */
export function libcIfLoaded(): Libc | undefined {
  return loaded
}

function load(): Libc {
  if (process.platform !== 'linux') throw new Error(`this needs Linux, not ${process.platform}`)
  if (!['x64', 'arm64', 'riscv64', 'loong64'].includes(process.arch) || endianness() !== 'LE')
    throw new Error(`this is not supported on ${process.arch} processors`)
  const koffi = loadKoffi()
  const library = koffi.load(null)
  const poll = library.func('int poll(void *, unsigned long, int)')
  // The C library has no functions for these. The numbers are the same on every processor.
  const createRuleset = library.func('syscall', 'long', ['long', 'void *', 'size_t', 'uint32_t'])
  const addRule = library.func('syscall', 'long', ['long', 'int', 'int', 'void *', 'uint32_t'])
  const bpf = library.func('syscall', 'long', ['long', 'int', 'void *', 'uint32_t'])
  const restrictSelf = library.func('syscall', 'long', ['long', 'int', 'uint32_t'])
  // The same for glibc and musl. ioctl, fcntl and prctl are variadic, but on these processors they are called like any
  // other function.
  return {
    socket: library.func('int socket(int, int, int)'),
    socketpair: library.func('int socketpair(int, int, int, void *)'),
    connect: library.func('int connect(int, void *, uint32_t)'),
    bind: library.func('int bind(int, void *, uint32_t)'),
    listen: library.func('int listen(int, int)'),
    accept4: library.func('int accept4(int, void *, void *, int)'),
    setsockopt: library.func('int setsockopt(int, int, int, void *, uint32_t)'),
    getsockopt: library.func('int getsockopt(int, int, int, void *, void *)'),
    ioctl: library.func('int ioctl(int, unsigned long, void *)'),
    poll,
    pollAside: (fds, count, timeout) =>
      new Promise((resolve, reject) => {
        poll.async(fds, count, timeout, (error: Error | null, ready: number) =>
          error ? reject(error) : resolve(ready),
        )
      }),
    pipe2: library.func('int pipe2(void *, int)'),
    eventfd: library.func('int eventfd(unsigned int, int)'),
    clockGettime: library.func('int clock_gettime(int, void *)'),
    adjtimex: library.func('int adjtimex(void *)'),
    getsockname: library.func('int getsockname(int, void *, void *)'),
    recvmmsg: library.func('int recvmmsg(int, void *, unsigned int, int, void *)'),
    // koffi has no ssize_t; long is as wide here.
    sendto: library.func('long sendto(int, void *, size_t, int, void *, uint32_t)'),
    sendmsg: library.func('long sendmsg(int, void *, int)'),
    recvmsg: library.func('long recvmsg(int, void *, int)'),
    dup2: library.func('int dup2(int, int)'),
    recv: library.func('long recv(int, void *, size_t, int)'),
    fcntl: library.func('int fcntl(int, int, int)'),
    fcntlLock: library.func('fcntl', 'int', ['int', 'int', 'void *']),
    close: library.func('int close(int)'),
    flistxattr: library.func('long flistxattr(int, void *, size_t)'),
    fgetxattr: library.func('long fgetxattr(int, void *, void *, size_t)'),
    fsetxattr: library.func('int fsetxattr(int, void *, void *, size_t, int)'),
    fremovexattr: library.func('int fremovexattr(int, void *)'),
    futimens: library.func('int futimens(int, void *)'),
    mmap: library.func('long mmap(void *, size_t, int, int, int, long)'),
    munmap: library.func('int munmap(long, size_t)'),
    exitNow: library.func('_exit', 'void', ['int']),
    landlockCreateRuleset: (attributes, size, flags) => createRuleset(CREATE_RULESET, attributes, size, flags),
    landlockAddRule: (ruleset, type, attributes, flags) => addRule(ADD_RULE, ruleset, type, attributes, flags),
    landlockRestrictSelf: (ruleset, flags) => restrictSelf(RESTRICT_SELF, ruleset, flags),
    bpf: (command, attributes, size) => bpf(process.arch === 'x64' ? BPF_X64 : BPF_OTHERS, command, attributes, size),
    prctl: library.func('int prctl(int, unsigned long, unsigned long, unsigned long, unsigned long)'),
    pidfdOpen: (pid) => restrictSelf(PIDFD_OPEN, pid, 0),
    pidfdSendSignal: (pidfd, signal) => addRule(PIDFD_SEND_SIGNAL, pidfd, signal, null, 0),
    syscall: library.func('long syscall(long, unsigned long, unsigned long, void *)'),
    prlimit: library.func('int prlimit(int, int, void *, void *)'),
    mallocTrim: ifThere(() => library.func('int malloc_trim(size_t)')),
    // Its few bytes are not freed: it is asked once.
    hasLocale: (name) => library.func('void *newlocale(int, str, void *)')(LC_ALL_MASK, name, null) !== null,
    errno: () => koffi.errno(),
    address: (bytes) => koffi.address(bytes),
  }
}

/** @returns undefined where this C library has no such function. */
function ifThere<F>(declare: () => F): F | undefined {
  try {
    return declare()
  } catch {
    return undefined
  }
}

function loadKoffi(): typeof import('koffi') {
  try {
    return createRequire(import.meta.url)('koffi')
  } catch (error) {
    throw new Error(`the koffi package cannot be loaded: ${error instanceof Error ? error.message : String(error)}`)
  }
}

/**
 * Bytes of kernel memory for packets that wait, so that a burst is late and not lost: some 6 000 knocks at 1 280 bytes
 * each.
 */
export const DEFAULT_RECEIVE_BUFFER = 8 * 1024 * 1024

/** @param bytes to ask for. With CAP_NET_ADMIN all are given; without it, at most net.core.rmem_max. */
export function raiseReceiveBuffer(native: Libc, fd: number, bytes: number): void {
  const value = new Uint8Array(4)
  new DataView(value.buffer).setInt32(0, Math.floor(bytes / 2), true) // the kernel doubles what it is told
  if (native.setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, value, 4) === 0) return
  native.setsockopt(fd, SOL_SOCKET, SO_RCVBUF, value, 4)
}
