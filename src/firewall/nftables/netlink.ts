/** The netlink sockets of netfilter (NETLINK_NETFILTER), over the C library. Numbers are those of Linux's headers. */
import { readdirSync } from 'node:fs'
import { constants } from 'node:os'
import { filterOf, type Instruction, JEQ_K, LD_W_ABS, RET_K, SOCK_FPROG_LENGTH } from '../../system/bpf.ts'
import { describeErrno } from '../../system/errno.ts'
import {
  type Libc,
  libc,
  MSG_DONTWAIT,
  SO_ATTACH_FILTER,
  SO_RCVBUFFORCE,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOCK_RAW,
  SOL_SOCKET,
} from '../../system/libc.ts'
import { AF_NETLINK, PORT_ID_AT } from '../../system/netlink.ts'

/** A value, or the reason why there is none. */
export type Called<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly failure: string }

// linux/netfilter/nfnetlink.h and linux/netfilter.h
export const NFNL_SUBSYS_NFTABLES = 10
export const NFPROTO_INET = 1
/** struct nfgenmsg: the family first. It precedes the attributes of each message. */
export const NFGENMSG_LENGTH = 4
/** Holds the name of the table, for every kind of object of nf_tables. */
export const ATTR_TABLE = 1
// The attributes of a message about elements, and of each element in it.
export const ATTR_SET = 2
export const ATTR_ELEMENTS = 3
export const ELEMENT_KEY = 1
export const ELEMENT_DATA = 2
export const ELEMENT_TIMEOUT = 4
export const ELEMENT_EXPIRATION = 5
export const ELEMENT_USERDATA = 6
/** The other end of a range, for each field of the key. */
export const ELEMENT_KEY_END = 10
/** The type of a comment in the user data of an element (libnftnl/udata.h). */
export const COMMENT = 0

const NETLINK_NETFILTER = 12
const SO_PROTOCOL = 38
/** Multicast group of nf_tables (NFNLGRP_NFTABLES = 7), as the bit that bind(2) takes. */
const NFTABLES_GROUP_BIT = 1 << 6
/** struct sockaddr_nl: family 0, padding, port id 4 (0: the kernel's choice), groups 8. */
const SOCKADDR_NL_LENGTH = 12
/** Bytes of kernel memory for notifications that wait. */
const INBOX = 4 << 20
/** Longer than any datagram of the kernel. */
const LONGEST = 1 << 16
/** fcntl(2): another descriptor of the same socket, closed on exec. */
const F_DUPFD_CLOEXEC = 1030
const { EAGAIN, EINTR, ENOBUFS } = constants.errno

/** The type of a message to or from nf_tables. @param kind of enum nf_tables_msg_types. */
export function nftablesType(kind: number): number {
  return (NFNL_SUBSYS_NFTABLES << 8) | kind
}

/** Made at the first use, for all sockets: each datagram is copied out of it. */
let inbox: Uint8Array | undefined

/** A netfilter netlink socket, not blocking, closed on exec. */
export class NetfilterSocket {
  readonly fd: number
  readonly #native: Libc

  /** @returns the reason if there is no usable C library, no netfilter in the kernel, or no permission. */
  static open(): Called<NetfilterSocket> {
    let native: Libc
    try {
      native = libc()
    } catch (error) {
      return { ok: false, failure: (error as Error).message }
    }
    const fd = native.socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_NETFILTER)
    return fd < 0 ? failed(native) : { ok: true, value: new NetfilterSocket(native, fd) }
  }

  /** A socket of somebody else in this process, by a descriptor of its own. The port id is the same. */
  static sharing(fd: number): Called<NetfilterSocket> {
    const native = libc()
    const own = native.fcntl(fd, F_DUPFD_CLOEXEC, 0)
    return own < 0 ? failed(native) : { ok: true, value: new NetfilterSocket(native, own) }
  }

  private constructor(native: Libc, fd: number) {
    this.#native = native
    this.fd = fd
  }

  /** Subscribes to every nf_tables transaction, except those from these port ids. */
  subscribe(ignoring: ReadonlySet<number>): Called<void> {
    const native = this.#native
    // Best effort: a bigger inbox needs CAP_NET_ADMIN, and an overflow is reported.
    native.setsockopt(this.fd, SOL_SOCKET, SO_RCVBUFFORCE, int32(INBOX), 4)
    const filter = filterOf(native, ignorePortIds(ignoring))
    if (native.setsockopt(this.fd, SOL_SOCKET, SO_ATTACH_FILTER, filter, SOCK_FPROG_LENGTH) !== 0) return failed(native)
    const address = new Uint8Array(SOCKADDR_NL_LENGTH)
    const view = new DataView(address.buffer)
    view.setUint16(0, AF_NETLINK, true)
    view.setUint32(8, NFTABLES_GROUP_BIT, true)
    return native.bind(this.fd, address, address.length) === 0 ? { ok: true, value: undefined } : failed(native)
  }

  /** To the kernel. */
  send(bytes: Uint8Array): Called<void> {
    const sent = this.#native.sendto(this.fd, bytes, bytes.length, MSG_DONTWAIT, null, 0)
    return sent === bytes.length ? { ok: true, value: undefined } : failed(this.#native)
  }

  /** One datagram; `empty` if none waits; `lost` if the kernel had to discard some. */
  receive(): Called<Uint8Array | 'empty' | 'lost'> {
    inbox ??= new Uint8Array(new ArrayBuffer(LONGEST))
    for (;;) {
      const length = this.#native.recv(this.fd, inbox, inbox.length, MSG_DONTWAIT)
      if (length >= 0) return { ok: true, value: inbox.slice(0, length) }
      const errno = this.#native.errno()
      if (errno === EINTR) continue
      if (errno === EAGAIN) return { ok: true, value: 'empty' }
      if (errno === ENOBUFS) return { ok: true, value: 'lost' }
      return { ok: false, failure: describeErrno(errno) }
    }
  }

  close(): void {
    this.#native.close(this.fd)
  }
}

/** The netfilter sockets that this process has open: port id → descriptor. */
export function netfilterSockets(): ReadonlyMap<number, number> {
  const native = libc()
  const sockets = new Map<number, number>()
  for (const name of readdirSync('/proc/self/fd')) {
    const id = portIdOf(native, Number(name))
    if (id !== undefined && id !== 0) sockets.set(id, Number(name))
  }
  return sockets
}

/** The port id of a netfilter netlink socket; `undefined` for any other descriptor. */
function portIdOf(native: Libc, fd: number): number | undefined {
  const address = new Uint8Array(SOCKADDR_NL_LENGTH)
  // An address of another family is longer and is truncated; a descriptor that is not a socket fails.
  if (native.getsockname(fd, address, int32(address.length)) !== 0) return undefined
  const view = new DataView(address.buffer)
  if (view.getUint16(0, true) !== AF_NETLINK) return undefined
  const protocol = new Uint8Array(4)
  if (native.getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, protocol, int32(4)) !== 0) return undefined
  return new DataView(protocol.buffer).getInt32(0, true) === NETLINK_NETFILTER ? view.getUint32(4, true) : undefined
}

function failed(native: Libc): { readonly ok: false; readonly failure: string } {
  return { ok: false, failure: describeErrno(native.errno()) }
}

function int32(value: number): Uint8Array {
  return new Uint8Array(new Int32Array([value]).buffer)
}

/** Makes the kernel drop what was sent on behalf of these ports, by the first header of a datagram. */
function ignorePortIds(ids: ReadonlySet<number>): readonly Instruction[] {
  const known = [...ids]
  return [
    { code: LD_W_ABS, jt: 0, jf: 0, k: PORT_ID_AT },
    // The filter reads big-endian; the header has the host's byte order.
    ...known.map((id, i) => ({ code: JEQ_K, jt: known.length - i, jf: 0, k: swap(id) })),
    { code: RET_K, jt: 0, jf: 0, k: 0xffff_ffff },
    { code: RET_K, jt: 0, jf: 0, k: 0 },
  ]
}

function swap(word: number): number {
  const view = new DataView(new ArrayBuffer(4))
  view.setUint32(0, word, true)
  return view.getUint32(0, false)
}
