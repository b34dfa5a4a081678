/**
 * The network interfaces of this network namespace and their addresses, as the kernel tells them over rtnetlink(7). One
 * interface is asked for by its name; so a host with thousands of them costs nothing here. Addresses are listed.
 */
import { constants } from 'node:os'
import { interfaceName } from './interface-name.ts'
import { type Libc, libc, MSG_DONTWAIT, SOCK_CLOEXEC, SOCK_NONBLOCK, SOCK_RAW } from './libc.ts'
import {
  AF_NETLINK,
  encodeAttribute,
  encodeMessage,
  errnoOf,
  type NetlinkMessage,
  NLM_F_DUMP,
  NLM_F_REQUEST,
  NLMSG_DONE,
  NLMSG_ERROR,
  readAttributes,
  readMessages,
} from './netlink.ts'

const NETLINK_ROUTE = 0
const SOL_NETLINK = 270
const NETLINK_GET_STRICT_CHK = 12
// linux/rtnetlink.h
const RTM_NEWLINK = 16
const RTM_GETLINK = 18
const RTM_NEWADDR = 20
const RTM_GETADDR = 22
/** struct ifinfomsg: family 0, type 2, index 4, flags 8, change 12 */
const LINK_LENGTH = 16
/** struct ifaddrmsg: family 0, prefix length 1, flags 2, scope 3, index 4 */
const ADDRESS_LENGTH = 8
// linux/if_link.h
const IFLA_IFNAME = 3
/** struct rtnl_link_stats64: packets received 0, sent 8; bytes received 16, sent 24; … */
const IFLA_STATS64 = 23
const RX_BYTES_AT = 16
const TX_BYTES_AT = 24
// linux/if.h
const IFF_UP = 1
const IFF_RUNNING = 0x40
// linux/if_addr.h
const IFA_ADDRESS = 1
const IFA_LOCAL = 2
const IFA_FLAGS = 8
const IFA_F_TEMPORARY = 1
const IFA_F_TENTATIVE = 0x40
/** linux/rtnetlink.h: this and higher ones are for one link, or for this host alone. */
const RT_SCOPE_LINK = 253
/** Longer than any datagram of the kernel. */
const ROOM = 64 * 1024
/** Of one answer: hundreds of thousands of addresses. */
const MOST_DATAGRAMS = 4096
const { EINTR, ENODEV, EIO } = constants.errno

export interface Link {
  readonly index: number
  /** Its real name: the kernel also finds it by an alternative one. */
  readonly name: string
  /** An administrator wants it to work. */
  readonly isUp: boolean
  /** It works: it is up and has a carrier, as far as its kind has one. */
  readonly isRunning: boolean
  readonly rxBytes: number
  readonly txBytes: number
}

export interface LinkAddress {
  /** Of its interface. */
  readonly index: number
  /** 4 or 16 bytes. */
  readonly bytes: Uint8Array
}

/** @param body of a message RTM_NEWLINK. @returns undefined if it is not complete. */
export function parseLink(body: Uint8Array): Link | undefined {
  if (body.length < LINK_LENGTH) return undefined
  const view = viewOf(body)
  const attributes = readAttributes(body.subarray(LINK_LENGTH))
  const name = attributes.get(IFLA_IFNAME)
  const counters = attributes.get(IFLA_STATS64)
  if (name === undefined || counters === undefined || counters.length < TX_BYTES_AT + 8) return undefined
  const flags = view.getUint32(8, true)
  return {
    index: view.getInt32(4, true),
    name: textOf(name),
    isUp: (flags & IFF_UP) !== 0,
    isRunning: (flags & IFF_UP) !== 0 && (flags & IFF_RUNNING) !== 0,
    rxBytes: Number(viewOf(counters).getBigUint64(RX_BYTES_AT, true)),
    txBytes: Number(viewOf(counters).getBigUint64(TX_BYTES_AT, true)),
  }
}

/**
 * @param body of a message RTM_NEWADDR.
 * @returns undefined if it is not complete, or is no address that other hosts could send to for long: one of the link
 *   or of this host alone, one that IPv6 changes every day, or one that it is still testing.
 */
export function parseLinkAddress(body: Uint8Array): LinkAddress | undefined {
  if (body.length < ADDRESS_LENGTH) return undefined
  const attributes = readAttributes(body.subarray(ADDRESS_LENGTH))
  const flagBytes = attributes.get(IFA_FLAGS)
  const flags = flagBytes !== undefined && flagBytes.length >= 4 ? viewOf(flagBytes).getUint32(0, true) : (body[2] ?? 0)
  // On a point-to-point link IFA_ADDRESS is the other end.
  const bytes = attributes.get(IFA_LOCAL) ?? attributes.get(IFA_ADDRESS)
  if (bytes === undefined || (bytes.length !== 4 && bytes.length !== 16)) return undefined
  // Over IPv4 the flag of temporary addresses means a secondary address.
  const passing = bytes.length === 16 ? IFA_F_TEMPORARY | IFA_F_TENTATIVE : 0
  if ((body[3] ?? 0) >= RT_SCOPE_LINK || (flags & passing) !== 0) return undefined
  return { index: viewOf(body).getInt32(4, true), bytes: bytes.slice() }
}

/** What is asked over one netlink socket, one question after the other. The kernel answers at once. */
export class LinkQuestions {
  readonly #native: Libc
  readonly #fd: number
  #sequence = 0
  #isOpen = true
  /** The kernel can list the addresses of one interface alone (Linux 4.20). */
  readonly #canChoose: boolean

  /** @throws Error where the system has no such socket, or the native part cannot be loaded. Needs no privilege. */
  constructor() {
    this.#native = libc()
    this.#fd = this.#native.socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE)
    if (this.#fd < 0) throw Object.assign(new Error('no netlink socket'), { errno: -this.#native.errno() })
    const on = new Uint8Array(Int32Array.of(1).buffer)
    this.#canChoose = this.#native.setsockopt(this.#fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, on, on.length) === 0
  }

  /** @returns undefined if there is none; else the errno if the kernel did not answer. */
  link(name: string): Link | undefined | { readonly errno: number } {
    const bytes = new TextEncoder().encode(`${name}\0`)
    let found: Link | undefined
    const errno = this.#ask(
      RTM_GETLINK,
      0,
      new Uint8Array(LINK_LENGTH),
      [encodeAttribute(IFLA_IFNAME, bytes)],
      (message) => {
        if (message.type !== RTM_NEWLINK) return false
        found = parseLink(message.body)
        return true
      },
    )
    if (errno === ENODEV) return undefined
    if (errno !== 0) return { errno }
    return found ?? { errno: EIO }
  }

  /**
   * Those that other hosts can send to.
   * @param of indexes of interfaces, or all.
   * @param most how many to read at most.
   * @returns the errno if the kernel did not list them.
   */
  addresses(of: 'all' | readonly number[], most: number): readonly LinkAddress[] | { readonly errno: number } {
    const found: LinkAddress[] = []
    const isWanted = of === 'all' ? () => true : (index: number) => of.includes(index)
    // 0 stands for all interfaces. An older kernel lists all in any case.
    for (const index of of === 'all' || (!this.#canChoose && of.length > 0) ? [0] : of) {
      const fixed = new Uint8Array(ADDRESS_LENGTH)
      viewOf(fixed).setInt32(4, index, true)
      const errno = this.#ask(RTM_GETADDR, NLM_F_DUMP, fixed, [], ({ type, body }) => {
        const address = type === RTM_NEWADDR && found.length < most ? parseLinkAddress(body) : undefined
        if (address !== undefined && isWanted(address.index)) found.push(address)
        return false
      })
      // It went away meanwhile.
      if (errno !== 0 && errno !== ENODEV) return { errno }
    }
    return found
  }

  /** @returns undefined where the interface is gone. */
  nameOf(index: number): string | undefined {
    return this.#isOpen ? interfaceName(this.#fd, index) : undefined
  }

  close(): void {
    if (this.#isOpen) this.#native.close(this.#fd)
    this.#isOpen = false
  }

  /**
   * Sends a question and reads its answer to the end.
   * @param take gets each message. @returns whether it was the last one.
   */
  #ask(
    type: number,
    flags: number,
    fixed: Uint8Array,
    attributes: readonly Uint8Array[],
    take: (message: NetlinkMessage) => boolean,
  ): number {
    this.#sequence = (this.#sequence + 1) >>> 0
    const sequence = this.#sequence
    const message = encodeMessage({ type, flags: flags | NLM_F_REQUEST, sequence }, fixed, attributes)
    const native = this.#native
    if (!this.#isOpen || native.sendto(this.#fd, message, message.length, 0, null, 0) < 0) return native.errno()
    // A look is rare: the memory is not kept.
    const room = new Uint8Array(new ArrayBuffer(ROOM))
    for (let datagrams = 0; datagrams < MOST_DATAGRAMS; datagrams++) {
      const length = native.recv(this.#fd, room, ROOM, MSG_DONTWAIT)
      if (length < 0 && native.errno() === EINTR) continue
      if (length < 0) return native.errno()
      for (const answer of readMessages(room.subarray(0, length))) {
        if (answer === undefined) return EIO
        // The rest of an answer that was given up.
        if (answer.sequence !== sequence) continue
        if (answer.type === NLMSG_DONE) return 0
        if (answer.type === NLMSG_ERROR) return errnoOf(answer)
        if (take(answer)) return 0
      }
    }
    return EIO
  }
}

/** A C string. */
function textOf(bytes: Uint8Array): string {
  const end = bytes.indexOf(0)
  return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end))
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
