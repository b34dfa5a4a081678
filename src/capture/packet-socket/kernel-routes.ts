/**
 * Asks the kernel what it does with a packet, by the very lookup that it makes for each packet that comes in:
 * RTM_GETROUTE with an incoming interface (rtnetlink(7); `ip route get TO from FROM iif DEV`). Its answer knows all
 * addresses, policy routing, `rp_filter` and `accept_local`. For IPv6 the kernel checks no source; here a second
 * question finds the host's own addresses.
 *
 * Not known to it: marks that the host's firewall puts on packets, and what its prerouting chains change or drop.
 */
import { closeSync } from 'node:fs'
import { constants } from 'node:os'
import { addressBytes, familyOf, type IpAddress } from '../../packet/address.ts'
import { ok, type Result, refuse } from '../../result.ts'
import { describeErrno } from '../../system/errno.ts'
import { interfaceName } from '../../system/interface-name.ts'
import {
  AF_INET,
  AF_INET6,
  type Libc,
  libc,
  MSG_DONTWAIT,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOCK_RAW,
} from '../../system/libc.ts'
import {
  AF_NETLINK,
  encodeAttribute,
  encodeMessage,
  errnoOf,
  NLM_F_REQUEST,
  NLMSG_ERROR,
  readMessages,
} from '../../system/netlink.ts'
import type { Port } from '../../units.ts'
import type { CaptureFailure, Way } from '../capture.ts'
import { type Disbelief, LOOPBACK_INDEX, unbelieved } from '../disbelief.ts'
import { ICMP, ICMP6, TCP, UDP } from './ip-header.ts'

/** A packet as the kernel routes it. */
export interface RoutedPacket {
  readonly source: IpAddress
  readonly sourcePort: Port
  readonly destination?: IpAddress
  readonly destinationPort: Port
  readonly interfaceIndex?: number
  /** Absent for UDP. */
  readonly way?: Way
}

export interface KernelRoutes {
  /**
   * Why the kernel would not deliver this packet here. A packet without interface or destination came from a UDP
   * socket: the kernel has delivered it.
   */
  doubt(packet: RoutedPacket): Disbelief | undefined
  close(): void
}

const NETLINK_ROUTE = 0

// linux/rtnetlink.h
const RTM_NEWROUTE = 24
const RTM_GETROUTE = 26
const RTMSG_LENGTH = 12
/** In a struct rtmsg: `rtm_type`. */
const ROUTE_TYPE_AT = 7
const RTA = { dst: 1, src: 2, iif: 3, ipProto: 27, sport: 28, dport: 29 } as const
const RTN_LOCAL = 2
/** Local, broadcast, anycast: what is delivered to this host. */
const DELIVERED = new Set([RTN_LOCAL, 3, 4])

const { EINTR, EAGAIN, ENODEV, EINVAL, EXDEV, ENETUNREACH, EHOSTUNREACH } = constants.errno
/** Longer than any answer about one route. */
const ANSWER_ROOM = 8192
/** Answers to questions that were given up before, at most. */
const LATE_ANSWERS = 8

/**
 * @param isForAnyHost whether packets to other hosts are welcome (ENABLE_PCAP_PROMISC). The kernel does not judge the
 *   source of such a packet. Here it is still not believed if it is this host's own.
 * @returns CAPTURE_FAILED where the system has no netlink sockets, or forbids them. Needs no privilege.
 */
export function openKernelRoutes(isForAnyHost = false): Result<KernelRoutes, CaptureFailure> {
  let native: Libc
  try {
    native = libc()
  } catch (error) {
    return refuse('CAPTURE_FAILED', `netlink: ${(error as Error).message}`)
  }
  const fd = native.socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE)
  if (fd < 0) return refuse('CAPTURE_FAILED', `no netlink socket to ask for routes (${describeErrno(native.errno())})`)
  const ask = asker(native, fd)
  // For people: a number where it has no name any more.
  const nameOf = (index: number): string => interfaceName(fd, index) ?? `interface ${index}`
  let isOpen = true
  return ok({
    // Another file may have the number of a descriptor that is closed.
    doubt: (packet) =>
      isOpen ? doubtOf(packet, ask, nameOf, isForAnyHost) : unbelieved('capture is being opened anew'),
    close: () => {
      if (isOpen) closeSync(fd)
      isOpen = false
    },
  })
}

/** The type of the route that a packet takes, or the errno with which the kernel drops it. */
type Answer = { readonly type: number } | { readonly errno: number }
type Ask = (question: Question) => Answer

interface Question {
  readonly from?: IpAddress
  readonly to: IpAddress
  readonly interfaceIndex: number
  /** What the packet is, for rules about protocols and ports. */
  readonly flow?: { readonly protocol: number; readonly ports?: readonly [Port, Port] }
}

function doubtOf(
  packet: RoutedPacket,
  ask: Ask,
  nameOf: (index: number) => string,
  isForAnyHost: boolean,
): Disbelief | undefined {
  const { source, destination, interfaceIndex } = packet
  if (interfaceIndex === undefined || destination === undefined) return undefined
  // What comes by lo was sent by this host, and has been routed then.
  if (interfaceIndex === LOOPBACK_INDEX) return undefined

  const came = `${source} came in by ${nameOf(interfaceIndex)}`
  const to = ask({ from: source, to: destination, interfaceIndex, flow: flowOf(packet) })
  const isForAnother = 'errno' in to ? to.errno === EHOSTUNREACH || to.errno === ENETUNREACH : !DELIVERED.has(to.type)
  if (isForAnother && !isForAnyHost) return notForUs(destination)
  if ('errno' in to && !isForAnother) {
    if (to.errno === EINVAL || to.errno === EXDEV)
      return unbelieved(`${came}, and the kernel does not believe that (its own address, or rp_filter)`)
    if (to.errno === ENODEV) return unbelieved(`${came}, which is gone`)
    return unbelieved(`${came}, and the kernel could not be asked about that (${describeErrno(to.errno)})`)
  }
  if (familyOf(source) === 4 && !isForAnother) return undefined
  return isOwnAddress(source, interfaceIndex, ask) ? unbelieved(`${came}, and is an address of this host`) : undefined
}

/** Over IPv6 the kernel says where a packet to it goes. Over IPv4 it refuses a packet from it. */
function isOwnAddress(address: IpAddress, interfaceIndex: number, ask: Ask): boolean {
  const isFour = familyOf(address) === 4
  const answer = ask({ ...(isFour && { from: address }), to: address, interfaceIndex })
  if ('type' in answer) return answer.type === RTN_LOCAL
  return isFour && (answer.errno === EINVAL || answer.errno === EXDEV)
}

function flowOf({ sourcePort, destinationPort, way }: RoutedPacket): NonNullable<Question['flow']> {
  if (way === 'icmp') return { protocol: ICMP }
  if (way === 'icmp6') return { protocol: ICMP6 }
  return { protocol: way === 'tcp' ? TCP : UDP, ports: [sourcePort, destinationPort] }
}

function notForUs(destination: IpAddress): Disbelief {
  return { code: 'SPA_NOT_FOR_US', detail: `it was sent to ${destination}, which is not this host` }
}

function asker(native: Libc, fd: number): Ask {
  const answer = new Uint8Array(new ArrayBuffer(ANSWER_ROOM))
  let sequence = 0
  const receive = (): Answer => {
    for (let late = 0; late <= LATE_ANSWERS; ) {
      // The kernel answers before sendto returns.
      const length = native.recv(fd, answer, answer.length, MSG_DONTWAIT)
      if (length < 0) {
        const errno = native.errno()
        if (errno === EINTR) continue
        return { errno }
      }
      const [message] = readMessages(answer.subarray(0, length))
      if (message?.sequence === sequence) {
        const type = message.body[ROUTE_TYPE_AT]
        if (message.type === RTM_NEWROUTE && type !== undefined) return { type }
        if (message.type === NLMSG_ERROR) return { errno: errnoOf(message) }
      }
      late++
    }
    return { errno: EAGAIN }
  }
  return (question) => {
    sequence = (sequence + 1) >>> 0
    const message = encodeQuestion(question, sequence)
    return native.sendto(fd, message, message.length, 0, null, 0) < 0 ? { errno: native.errno() } : receive()
  }
}

function encodeQuestion({ from, to, interfaceIndex, flow }: Question, sequence: number): Uint8Array {
  const index = new Uint8Array(4)
  new DataView(index.buffer).setInt32(0, interfaceIndex, true)
  const attributes = [encodeAttribute(RTA.dst, addressBytes(to)), encodeAttribute(RTA.iif, index)]
  if (from !== undefined) attributes.push(encodeAttribute(RTA.src, addressBytes(from)))
  if (flow !== undefined) attributes.push(encodeAttribute(RTA.ipProto, Uint8Array.of(flow.protocol)))
  if (flow?.ports !== undefined)
    attributes.push(
      encodeAttribute(RTA.sport, Uint8Array.of(flow.ports[0] >> 8, flow.ports[0] & 0xff)),
      encodeAttribute(RTA.dport, Uint8Array.of(flow.ports[1] >> 8, flow.ports[1] & 0xff)),
    )
  const bits = familyOf(to) === 4 ? 32 : 128
  const route = new Uint8Array(RTMSG_LENGTH) // family, bits of the destination, bits of the source
  route.set([familyOf(to) === 4 ? AF_INET : AF_INET6, bits, from === undefined ? 0 : bits])
  return encodeMessage({ type: RTM_GETROUTE, flags: NLM_F_REQUEST, sequence }, route, attributes)
}
