/**
 * A process under the receiver's filter. It tries what an attacker in it would try, directly at the kernel, and reports
 * each result on standard output. Then it goes on with a receiver's own work. With `--unconfined`, it has the limits
 * alone, and tries to start a process.
 */
import { createHmac } from 'node:crypto'
import { writeSync } from 'node:fs'
import { createRequire } from 'node:module'
import { setTimeout as delay } from 'node:timers/promises'
import { confineReceiver } from '../../src/daemon/receiver/confine.ts'
import { limitReceiver } from '../../src/daemon/receiver/limits.ts'

const koffi: typeof import('koffi') = createRequire(import.meta.url)('koffi')
const library = koffi.load(null)
const syscall = library.func('long syscall(long, long, long, long, long, long, long)')
const text = (value: string): number => Number(koffi.address(Buffer.from(`${value}\0`)))

const CAPTURE_SOCKET = 3
// Numbers of x86-64, where this runs.
const attempts: Readonly<Record<string, readonly number[]>> = {
  'execve a program': [59, text('/bin/true'), 0, 0],
  'execveat a program': [322, -100, text('/bin/true'), 0, 0, 0],
  fork: [57],
  vfork: [58],
  'clone a process': [56, 17],
  // Flags that the kernel would refuse, so that a thread without a stack never runs.
  'clone a thread': [56, 0x10000],
  clone3: [435, 0, 0],
  'shut a capture socket down': [48, CAPTURE_SOCKET, 0],
  'clone with a new user namespace': [56, 0x10000000 | 17],
  unshare: [272, 0x10000000],
  setns: [308, 0, 0],
  'open a file to read': [257, -100, text('/etc/passwd'), 0],
  'open a file to write': [257, -100, text('/tmp/ghostport-confined'), 0o101, 0o600],
  open: [2, text('/etc/passwd'), 0],
  openat2: [437, -100, text('/etc/passwd'), 0, 24],
  'make an unnamed file': [319, text('x'), 0],
  unlink: [87, text('/tmp/ghostport-confined')],
  rename: [82, text('/tmp/a'), text('/tmp/b')],
  chmod: [90, text('/tmp'), 0o777],
  socket: [41, 2, 2, 0],
  socketpair: [53, 1, 1, 0, 0],
  connect: [42, CAPTURE_SOCKET, 0, 0],
  bind: [49, CAPTURE_SOCKET, 0, 0],
  listen: [50, CAPTURE_SOCKET, 1],
  sendto: [44, CAPTURE_SOCKET, text('x'), 1, 0, 0, 0],
  sendmsg: [46, CAPTURE_SOCKET, 0, 0],
  sendmmsg: [307, CAPTURE_SOCKET, 0, 0, 0],
  'write to a capture socket': [1, CAPTURE_SOCKET, text('x'), 1],
  'writev to a capture socket': [20, CAPTURE_SOCKET, 0, 0],
  'setsockopt PACKET_RX_RING': [54, CAPTURE_SOCKET, 263, 5, 0, 16],
  'setsockopt PACKET_ADD_MEMBERSHIP (promiscuous)': [54, CAPTURE_SOCKET, 263, 1, 0, 16],
  'ioctl TIOCSTI': [16, 2, 0x5412, text('x')],
  'ioctl TIOCSTI with more bits above': [16, 2, 0x5412 + 2 ** 32, text('x')],
  'ioctl TCGETS': [16, 2, 0x5401, 0],
  dup: [32, CAPTURE_SOCKET],
  dup2: [33, CAPTURE_SOCKET, 1],
  'fcntl F_DUPFD': [72, CAPTURE_SOCKET, 0, 20],
  ptrace: [101, 0, 0, 0, 0],
  process_vm_readv: [310, process.ppid, 0, 0, 0, 0],
  pidfd_open: [434, process.ppid, 0],
  'kill the parent': [62, process.ppid, 0],
  'tgkill the parent': [234, process.ppid, process.ppid, 0],
  'prctl PR_SET_DUMPABLE': [157, 4, 1, 0, 0],
  io_uring_setup: [425, 8, 0],
  io_uring_enter: [426, 0, 0, 0, 0, 0],
  bpf: [321, 0, 0, 0],
  perf_event_open: [298, 0, 0, 0, 0, 0],
  userfaultfd: [323, 0],
  keyctl: [250, 0, 0],
  mount: [165, 0, 0, 0, 0, 0],
  setuid: [105, 0],
  setpriority: [141, 0, 0, -5],
  'a filter of its own': [317, 1, 0, 0],
  eventfd2: [290, 0, 0],
  epoll_create1: [291, 0],
  timerfd_create: [283, 1, 0],
  'ioctl SIOCGIFCONF': [16, CAPTURE_SOCKET, 0x8912, 0],
  sysinfo: [99, 0],
  uname: [63, 0],
}

/** Of a receiver that waits in poll(2): its packets come by recvmmsg(2) alone. */
const attemptsToPoll: Readonly<Record<string, readonly number[]>> = {
  recvmsg: [47, CAPTURE_SOCKET, 0, 0],
  recvfrom: [45, CAPTURE_SOCKET, 0, 0, 0, 0, 0],
  getsockname: [51, CAPTURE_SOCKET, 0, 0],
  'ioctl FIONBIO': [16, CAPTURE_SOCKET, 0x5421, 0],
}

/** With `--accepts`, it is a TCP server too: what it accepts has a number that is free now, or beyond those in use. */
const attemptsToAccept: Readonly<Record<string, readonly number[]>> = {
  'accept4 on its channel': [288, 4, 0, 0, 0],
  accept: [43, CAPTURE_SOCKET, 0, 0],
  'write to a free number': [1, 900, text('x'), 1],
  'writev to a free number': [20, 900, 0, 0],
  'shut a connection down': [48, 900, 0],
  'send over a connection': [44, 900, text('x'), 1, 0, 0, 0],
}

const say = (value: unknown): void => void writeSync(1, `${JSON.stringify(value)}\n`)
// Once before: V8 and the C library have then done what they do only once.
createHmac('sha256', 'key').update('x').digest()
await delay(1)

const limited = limitReceiver()
if (process.argv.includes('--unconfined')) {
  // Like a kernel without filters.
  const descriptors = until(500, [290, 0, 0], (fd) => [3, fd])
  const forked = Number(syscall(57, 0, 0, 0, 0, 0, 0))
  const errno = koffi.errno()
  if (forked !== 0) say({ limited: limited.ok, descriptors, fork: forked < 0 ? errnoName(errno) : `result ${forked}` })
  syscall(231, 0, 0, 0, 0, 0, 0)
}
const polls = process.argv.includes('--poll')
const accepts = process.argv.includes('--accepts')
const confined = confineReceiver({
  captureSockets: [CAPTURE_SOCKET],
  listening: accepts ? [CAPTURE_SOCKET] : [],
  waitsBy: polls ? 'poll' : 'events',
  pid: process.pid,
})
say({ limited: limited.ok ? true : limited.failure.detail })
say({ confined: confined.ok ? true : confined.failure.detail })
const came: Record<string, string> = {}
for (const [name, [number = 0, a = 0, b = 0, c = 0, d = 0, e = 0, f = 0]] of Object.entries({
  ...attempts,
  ...(polls && !accepts ? attemptsToPoll : {}),
  ...(accepts ? attemptsToAccept : {}),
})) {
  const result = Number(syscall(number, a, b, c, d, e, f))
  const errno = koffi.errno()
  came[name] = result < 0 ? errnoName(errno) : `result ${result}`
}
say({ came })

/** Calls until the kernel gives no more, and gives it all back. @returns the kernel's answer then. */
function until(most: number, call: readonly number[], giveBack: (given: number) => readonly number[]): string {
  const ask = ([number = 0, a = 0, b = 0, c = 0, d = 0, e = 0, f = 0]: readonly number[]): number =>
    Number(syscall(number, a, b, c, d, e, f))
  const all: number[] = []
  let said = `given ${most} times`
  while (all.length < most) {
    const given = ask(call)
    if (given < 0) {
      said = errnoName(koffi.errno())
      break
    }
    all.push(given)
  }
  for (const given of all) ask(giveBack(given))
  return said
}
const MAPPED = 256 * 1024 ** 2
const unmap = (at: number): readonly number[] => [11, at, MAPPED]
const [READ_WRITE, PRIVATE, SHARED, STACK] = [3, 0x4022, 0x4021, 0x4122]
say({
  // Only reserved, so that no memory is used if there is no limit.
  memory: until(40, [9, 0, MAPPED, READ_WRITE, PRIVATE, -1, 0], unmap),
  shared: until(40, [9, 0, MAPPED, READ_WRITE, SHARED, -1, 0], unmap),
  stacks: until(40, [9, 0, MAPPED, READ_WRITE, STACK, -1, 0], unmap),
})

// A receiver's further work: memory, the compiler, timers, digests, its log.
let made = 0
for (let round = 0; round < 30; round++) made += Array.from({ length: 100_000 }, (_, i) => ({ i })).length
if (!polls) await delay(10)
const digest = createHmac('sha256', 'key').update('x').digest('hex').slice(0, 8)
// sched_getscheduler: 0 is the policy of every process that asked for no other.
say({ made, digest, time: new Date().toISOString().length, scheduler: Number(syscall(145, 0, 0, 0, 0, 0, 0)) })

function errnoName(errno: number): string {
  return { 1: 'EPERM', 11: 'EAGAIN', 12: 'ENOMEM', 24: 'EMFILE', 38: 'ENOSYS' }[errno] ?? `errno ${errno}`
}
