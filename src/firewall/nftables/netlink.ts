/** The few calls of the C library that the nftables netlink needs, through koffi. Numbers are those of Linux's ABI. */
import { readdirSync } from 'node:fs'
import koffi from 'koffi'
import { LITTLE_ENDIAN as LITTLE } from './notification.ts'

/** A value, or what errno(3) says. */
export type Called<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly failure: string }

const AF_NETLINK = 16
const SOCK_RAW = 3
const SOCK_NONBLOCK = 0o4000
const SOCK_CLOEXEC = 0o2000000
const NETLINK_NETFILTER = 12
const SOL_SOCKET = 1
const SO_RCVBUFFORCE = 33
const SO_ATTACH_FILTER = 26
const SO_PROTOCOL = 38
/** Multicast group of nf_tables (NFNLGRP_NFTABLES = 7), as the bit that bind(2) takes. */
const NFTABLES_GROUP_BIT = 1 << 6
const EFD_NONBLOCK = SOCK_NONBLOCK
const EFD_CLOEXEC = SOCK_CLOEXEC
const POLLIN = 1
const POLLNVAL = 0x20
const CLOCK_MONOTONIC = 1
const CLOCK_BOOTTIME = 7
const EAGAIN = 11
const EINTR = 4
const ENOBUFS = 105

export interface NetlinkCalls {
  /** A netfilter netlink socket, not blocking, closed on exec. */
  openNetfilter(): Called<number>
  /** Makes it hear every nf_tables transaction, but for those from these port ids. */
  subscribe(fd: number, ignoring: ReadonlySet<number>): Called<void>
  /** To the kernel. */
  send(fd: number, bytes: Uint8Array): Called<void>
  /** One datagram; `empty` where none waits; `lost` where the kernel had to throw some away. */
  receive(fd: number): Called<Uint8Array | 'empty' | 'lost'>
  /** A counter to wake a {@link wait} with. */
  openWaker(): Called<number>
  wake(waker: number): void
  /** Resolves when either can be read; holds one thread of libuv's pool meanwhile, and no processor. */
  wait(fd: number, waker: number): Promise<Called<void>>
  close(fd: number): void
  /** Milliseconds since the machine started, those in which it was suspended included or not. */
  sinceBoot(suspended: 'counted' | 'not counted'): number
  /** The port id of a netfilter netlink socket; `undefined` for any other descriptor. */
  portId(fd: number): number | undefined
}

let loaded: NetlinkCalls | undefined

/** Loaded on first use. @throws where there is no C library as Linux has it. */
export function netlinkCalls(): NetlinkCalls {
  loaded ??= load()
  return loaded
}

/** The port ids of all netfilter sockets that this process has open. */
export function portIdsOfNetfilterSockets(calls: NetlinkCalls): ReadonlySet<number> {
  const ids = new Set<number>()
  for (const fd of readdirSync('/proc/self/fd')) {
    const id = calls.portId(Number(fd))
    if (id !== undefined && id !== 0) ids.add(id)
  }
  return ids
}

function load(): NetlinkCalls {
  const libc = koffi.load('libc.so.6')
  const socket = libc.func('int socket(int domain, int type, int protocol)')
  const bind = libc.func('int bind(int fd, const uint8_t *address, uint32_t length)')
  const getsockname = libc.func('int getsockname(int fd, uint8_t *address, _Inout_ uint32_t *length)')
  const getsockopt = libc.func('int getsockopt(int fd, int level, int name, uint8_t *value, _Inout_ uint32_t *length)')
  const setsockopt = libc.func('int setsockopt(int fd, int level, int name, const uint8_t *value, uint32_t length)')
  const recv = libc.func('intptr_t recv(int fd, uint8_t *into, size_t length, int flags)')
  const send = libc.func('intptr_t send(int fd, const uint8_t *from, size_t length, int flags)')
  const clockGettime = libc.func('int clock_gettime(int clock, int64_t *time)')
  const eventfd = libc.func('int eventfd(unsigned int initial, int flags)')
  const write = libc.func('intptr_t write(int fd, const uint8_t *from, size_t length)')
  const close = libc.func('int close(int fd)')
  const poll = libc.func('int poll(void *fds, unsigned long count, int timeout)')
  const strerror = libc.func('const char *strerror(int number)')
  const instruction = koffi.struct({ code: 'uint16_t', jt: 'uint8_t', jf: 'uint8_t', k: 'uint32_t' })
  const program = koffi.struct({ len: 'uint16_t', filter: koffi.pointer(instruction) })
  const attach = libc.func('setsockopt', 'int', ['int', 'int', 'int', koffi.pointer(program), 'uint32_t'])

  const failed = (): { ok: false; failure: string } => ({ ok: false, failure: strerror(koffi.errno()) as string })
  const inbox = new Uint8Array(1 << 16)
  const time = new BigInt64Array(2)

  return {
    openNetfilter: () => {
      const fd: number = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_NETFILTER)
      return fd < 0 ? failed() : { ok: true, value: fd }
    },
    subscribe: (fd, ignoring) => {
      // Best effort: a bigger inbox needs CAP_NET_ADMIN, and where it overflows we are told.
      setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, int32(4 << 20), 4)
      const filter = ignorePortIds(ignoring)
      if (attach(fd, SOL_SOCKET, SO_ATTACH_FILTER, { len: filter.length, filter }, koffi.sizeof(program)) !== 0) {
        return failed()
      }
      const address = new Uint8Array(12) // struct sockaddr_nl: family, padding, port id (0: the kernel's choice), groups
      const view = new DataView(address.buffer)
      view.setUint16(0, AF_NETLINK, LITTLE)
      view.setUint32(8, NFTABLES_GROUP_BIT, LITTLE)
      return bind(fd, address, address.length) === 0 ? { ok: true, value: undefined } : failed()
    },
    send: (fd, bytes) =>
      send(fd, bytes, bytes.length, 0) === bytes.length ? { ok: true, value: undefined } : failed(),
    receive: (fd) => {
      for (;;) {
        const length: number = recv(fd, inbox, inbox.length, 0)
        if (length >= 0) return { ok: true, value: inbox.slice(0, length) }
        const errno = koffi.errno()
        if (errno === EINTR) continue
        if (errno === EAGAIN) return { ok: true, value: 'empty' }
        if (errno === ENOBUFS) return { ok: true, value: 'lost' }
        return { ok: false, failure: strerror(errno) as string }
      }
    },
    openWaker: () => {
      const fd: number = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)
      return fd < 0 ? failed() : { ok: true, value: fd }
    },
    wake: (waker) => {
      const one = new Uint8Array(8)
      one[LITTLE ? 0 : 7] = 1
      write(waker, one, 8)
    },
    wait: (fd, waker) =>
      new Promise((resolve) => {
        const fds = new Uint8Array(16) // two of struct pollfd: descriptor, events, what happened
        const view = new DataView(fds.buffer)
        for (const [i, descriptor] of [fd, waker].entries()) {
          view.setInt32(8 * i, descriptor, LITTLE)
          view.setInt16(8 * i + 4, POLLIN, LITTLE)
        }
        poll.async(fds, 2, -1, (error: Error | null, count: number) => {
          // A signal may end it early (-1); the caller looks what is there either way. The field read here also keeps
          // the memory alive that the call writes to.
          const broken = error ?? (view.getInt16(6, LITTLE) & POLLNVAL ? 'the socket is closed' : undefined)
          resolve(
            broken === undefined || count < 0 ? { ok: true, value: undefined } : { ok: false, failure: String(broken) },
          )
        })
      }),
    close: (fd) => {
      close(fd)
    },
    sinceBoot: (suspended) => {
      // struct timespec of a 64-bit kernel.
      clockGettime(suspended === 'counted' ? CLOCK_BOOTTIME : CLOCK_MONOTONIC, time)
      return Number(time[0]) * 1_000 + Number(time[1]) / 1e6
    },
    portId: (fd) => {
      const protocol = new Uint8Array(4)
      const address = new Uint8Array(12)
      // An address of another family is longer and comes cut; a descriptor that is no socket fails.
      if (getsockname(fd, address, [address.length]) !== 0) return undefined
      const view = new DataView(address.buffer)
      if (view.getUint16(0, LITTLE) !== AF_NETLINK) return undefined
      if (getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, protocol, [4]) !== 0) return undefined
      return new DataView(protocol.buffer).getInt32(0, LITTLE) === NETLINK_NETFILTER
        ? view.getUint32(4, LITTLE)
        : undefined
    },
  }
}

function int32(value: number): Uint8Array {
  return new Uint8Array(new Int32Array([value]).buffer)
}

interface Instruction {
  readonly code: number
  readonly jt: number
  readonly jf: number
  readonly k: number
}

/** Drops, in the kernel, what was sent on behalf of these ports: `nlmsg_pid`, at 12 of the first header of a datagram. */
function ignorePortIds(ids: ReadonlySet<number>): Instruction[] {
  const [LOAD_WORD, JUMP_EQUAL, RETURN] = [0x20, 0x15, 0x06]
  const known = [...ids]
  return [
    { code: LOAD_WORD, jt: 0, jf: 0, k: 12 },
    // The filter reads big-endian, the header is in the host's order.
    ...known.map((id, i) => ({ code: JUMP_EQUAL, jt: known.length - i, jf: 0, k: LITTLE ? swap(id) : id })),
    { code: RETURN, jt: 0, jf: 0, k: 0xffff_ffff },
    { code: RETURN, jt: 0, jf: 0, k: 0 },
  ]
}

function swap(word: number): number {
  const view = new DataView(new ArrayBuffer(4))
  view.setUint32(0, word, true)
  return view.getUint32(0, false)
}
