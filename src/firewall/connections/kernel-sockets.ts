/** The sockets through which connections are listed and ended: netlink, packets as they arrive, and packets as made. */
import { constants } from 'node:os'
import { type AddressFamily, addressBytes, familyOf } from '../../packet/address.ts'
import { ok, type Result, refuse } from '../../result.ts'
import {
  filterOf,
  type Instruction,
  JEQ_K,
  LD_W_IND,
  LDX_IMM,
  LDX_MSH,
  RET_K,
  SOCK_FPROG_LENGTH,
} from '../../system/bpf.ts'
import { describeErrno } from '../../system/errno.ts'
import {
  AF_INET,
  AF_INET6,
  type Libc,
  libc,
  MSG_DONTWAIT,
  SO_ATTACH_FILTER,
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  SOCK_NONBLOCK,
  SOCK_RAW,
  SOL_SOCKET,
} from '../../system/libc.ts'
import {
  AF_NETLINK,
  errnoOf,
  type NetlinkMessage,
  NLMSG_DONE,
  NLMSG_ERROR,
  readMessages,
} from '../../system/netlink.ts'
import type { FirewallFailure } from '../firewall.ts'
import { type Heard, hear, type Leg } from './segments.ts'

const NETLINK_SOCK_DIAG = 4
const NETLINK_NETFILTER = 12
const AF_PACKET = 17
const IPPROTO_RAW = 255
const ETH_P_IP = 0x0800
const ETH_P_IPV6 = 0x86dd
/** Longer than any datagram of the kernel. */
const LONGEST = 1 << 16
/** Of a packet: its heads. */
const SNAP = 256
/** Packets that are read at once. More wait for the next turn. */
const MOST_AT_ONCE = 2000
const { EINTR } = constants.errno

/** A netlink socket that is asked one question after the other. */
export class Asked {
  readonly #native: Libc
  readonly #fd: number
  readonly #room = new Uint8Array(new ArrayBuffer(LONGEST))

  /** @returns `FIREWALL_UNAVAILABLE` without the C library, or without permission. */
  static open(about: 'connections' | 'sockets'): Result<Asked, FirewallFailure> {
    const protocol = about === 'connections' ? NETLINK_NETFILTER : NETLINK_SOCK_DIAG
    const opened = openSocket(AF_NETLINK, SOCK_RAW, protocol)
    if (!opened.ok) return opened
    return ok(new Asked(opened.value.native, opened.value.fd))
  }

  private constructor(native: Libc, fd: number) {
    this.#native = native
    this.#fd = fd
  }

  /** @returns the errno of the answer; 0 for yes. */
  order(message: Uint8Array): number {
    let errno: number | undefined
    const failed = this.#exchange(message, (answer) => {
      if (answer.type === NLMSG_ERROR) errno = errnoOf(answer)
      return errno !== undefined
    })
    return failed ?? errno ?? constants.errno.EIO
  }

  /** Calls `onMessage` with each message of a list. @returns the errno; 0 if it was complete. */
  list(message: Uint8Array, onMessage: (message: NetlinkMessage) => void): number {
    let errno: number | undefined
    const failed = this.#exchange(message, (answer) => {
      if (answer.type === NLMSG_DONE) errno = 0
      else if (answer.type === NLMSG_ERROR) errno = errnoOf(answer)
      else onMessage(answer)
      return errno !== undefined
    })
    return failed ?? errno ?? constants.errno.EIO
  }

  close(): void {
    this.#native.close(this.#fd)
  }

  /** Sends, and reads until `isDone`. The kernel answers at once. @returns the errno of a system call that failed. */
  #exchange(message: Uint8Array, isDone: (answer: NetlinkMessage) => boolean): number | undefined {
    const native = this.#native
    if (native.sendto(this.#fd, message, message.length, 0, null, 0) !== message.length) return native.errno()
    for (;;) {
      const length = native.recv(this.#fd, this.#room, LONGEST, MSG_DONTWAIT)
      if (length < 0) {
        const errno = native.errno()
        if (errno === EINTR) continue
        return errno
      }
      for (const answer of readMessages(this.#room.subarray(0, length)))
        if (answer === undefined || isDone(answer)) return undefined
    }
  }
}

/** Hears the segments of some connections as they arrive at this host, before any rule, and sends what it is given. */
export class Interception {
  readonly #native: Libc
  readonly #packets: number
  readonly #raw: number
  readonly #room = new Uint8Array(new ArrayBuffer(SNAP))

  /** @param legs all of this family, at most {@link MOST_LEGS}. */
  static open(family: AddressFamily, legs: readonly Leg[]): Result<Interception, FirewallFailure> {
    const type = family === 4 ? ETH_P_IP : ETH_P_IPV6
    // Without a protocol until the filter is there: nothing else is heard.
    const packets = openSocket(AF_PACKET, SOCK_DGRAM, 0)
    if (!packets.ok) return packets
    const { native, fd } = packets.value
    const raw = openSocket(family === 4 ? AF_INET : AF_INET6, SOCK_RAW, IPPROTO_RAW)
    if (!raw.ok) {
      native.close(fd)
      return raw
    }
    const opened = new Interception(native, fd, raw.value.fd)
    const filter = filterOf(native, portsFilter(family, legs))
    const address = new Uint8Array(20) // struct sockaddr_ll: family, protocol in network order; any interface
    new DataView(address.buffer).setUint16(0, AF_PACKET, true)
    new DataView(address.buffer).setUint16(2, type)
    if (
      native.setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, filter, SOCK_FPROG_LENGTH) !== 0 ||
      native.bind(fd, address, address.length) !== 0
    ) {
      const why = describeErrno(native.errno())
      opened.close()
      return refuse('FIREWALL_UNAVAILABLE', `a packet socket cannot be used: ${why}`)
    }
    return ok(opened)
  }

  private constructor(native: Libc, packets: number, raw: number) {
    this.#native = native
    this.#packets = packets
    this.#raw = raw
  }

  /** What has arrived since the last call. */
  *heard(): Generator<Heard> {
    for (let i = 0; i < MOST_AT_ONCE; i++) {
      const length = this.#native.recv(this.#packets, this.#room, SNAP, MSG_DONTWAIT)
      if (length < 0) return
      const heard = hear(this.#room.subarray(0, length))
      if (heard !== undefined) yield heard
    }
  }

  /** @param packet with its IP header, to this end. It may come from any address. A failure is not reported. */
  send({ end }: Leg, packet: Uint8Array): void {
    const is4 = familyOf(end) === 4
    const address = new Uint8Array(is4 ? 16 : 28) // struct sockaddr_in, sockaddr_in6
    new DataView(address.buffer).setUint16(0, is4 ? AF_INET : AF_INET6, true)
    address.set(addressBytes(end), is4 ? 4 : 8)
    this.#native.sendto(this.#raw, packet, packet.length, MSG_DONTWAIT, address, address.length)
  }

  close(): void {
    this.#native.close(this.#packets)
    this.#native.close(this.#raw)
  }
}

/** As many as one filter has room for. */
export const MOST_LEGS = 1000

/** Passes what has the ports of one of these ends. Addresses are compared later. */
function portsFilter(family: AddressFamily, legs: readonly Leg[]): readonly Instruction[] {
  const pairs = [...new Set(legs.map(({ endPort, peerPort }) => ((endPort << 16) | peerPort) >>> 0))]
  return [
    family === 4 ? { code: LDX_MSH, jt: 0, jf: 0, k: 0 } : { code: LDX_IMM, jt: 0, jf: 0, k: 40 },
    { code: LD_W_IND, jt: 0, jf: 0, k: 0 },
    // A jump reaches 255 instructions: each comparison has its own way out.
    ...pairs.flatMap((k) => [
      { code: JEQ_K, jt: 0, jf: 1, k },
      { code: RET_K, jt: 0, jf: 0, k: SNAP },
    ]),
    { code: RET_K, jt: 0, jf: 0, k: 0 },
  ]
}

function openSocket(
  domain: number,
  type: number,
  protocol: number,
): Result<{ readonly native: Libc; readonly fd: number }, FirewallFailure> {
  let native: Libc
  try {
    native = libc()
  } catch (error) {
    return refuse('FIREWALL_UNAVAILABLE', (error as Error).message)
  }
  const fd = native.socket(domain, type | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol)
  if (fd >= 0) return ok({ native, fd })
  const why = describeErrno(native.errno())
  return refuse('FIREWALL_UNAVAILABLE', `connections cannot be ended: no socket of this kind (${why})`)
}
