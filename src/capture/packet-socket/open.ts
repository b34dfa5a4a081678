/**
 * The privileged half of passive capture: opens the packet sockets, arms the kernel filter, and binds. A process that
 * inherits the descriptors reads packets without any capability (`packet-socket.ts`).
 *
 * Some sockets are for IPv4 and others for IPv6, none for every protocol. A packet may come in through a bond, a bridge
 * or a VLAN. An ETH_P_ALL socket gets it once for each layer, and it would look like its own replay. An ETH_P_IP socket
 * gets it once, on the interface that owns the address. It also never gets what this machine sends.
 *
 * No interface is bound (ifindex 0): a socket bound to one goes deaf when the interface is deleted and made again.
 * SOCK_DGRAM leaves link-layer headers, their padding and their VLAN tags to the kernel.
 */
import { randomBytes } from 'node:crypto'
import { closeSync } from 'node:fs'
import { constants } from 'node:os'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import { filterOf, type Instruction, RET_K, SOCK_FPROG_LENGTH } from '../../system/bpf.ts'
import { describeErrno } from '../../system/errno.ts'
import { interfaceIndex, interfaceNames } from '../../system/interface-name.ts'
import {
  DEFAULT_RECEIVE_BUFFER,
  type Libc,
  libc,
  PACKET_AUXDATA,
  raiseReceiveBuffer,
  SO_ATTACH_FILTER,
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  SOCK_NONBLOCK,
  SOL_PACKET,
  SOL_SOCKET,
} from '../../system/libc.ts'
import type { CaptureBounds } from '../bounds.ts'
import type { CaptureFailure, OpenedCapture } from '../capture.ts'
import { carrierFilter } from './carrier-filter.ts'
import { fanOutProgram } from './fan-out.ts'
import { ETHERTYPES, spaFilter } from './spa-filter.ts'

export interface PacketSocketOptions extends CaptureBounds {
  /**
   * Bytes of kernel memory in which packets of each family wait, in all its sockets together. Without CAP_NET_ADMIN,
   * each socket has at most what the system's limit allows.
   */
  readonly receiveBuffer?: number
  /** How many sockets share the packets of each family out among them, by source. */
  readonly queues?: number
}

// From the system's headers; the same on every processor that libc.ts accepts.
const AF_PACKET = 17
const SO_LOCK_FILTER = 44
const SO_RCVBUF = 8
const PACKET_FANOUT = 18
const PACKET_FANOUT_DATA = 22
/** PACKET_FANOUT_CBPF and PACKET_FANOUT_FLAG_UNIQUEID, above the number of the group. */
const FANOUT_CBPF = 6 << 16
const FANOUT_UNIQUE_ID = 0x2000 << 16
const ETH_P_ALL = 0x0003
const PACKET_ADD_MEMBERSHIP = 1
const PACKET_MR_PROMISC = 1
/** struct packet_mreq: index 0, type 4, length 6, address 8 */
const MEMBERSHIP_LENGTH = 16
const SOCKADDR_LL_LENGTH = 20
const { EACCES, EPERM } = constants.errno

/**
 * Sockets for each family: a flooding source can fill one of them, and reaches an eighth of the other sources. More
 * sockets would cost more at the end (the kernel takes some 15 ms to close each) and leave less room for a burst from
 * one source. Within a socket the receiver itself is fair (`fair-share.ts`).
 */
const QUEUES = 8

/**
 * Opens the sockets for passive capture on all interfaces. Needs CAP_NET_RAW.
 *
 * @returns CAPTURE_DENIED without the privilege; CAPTURE_FAILED where the system has no packet sockets, the native part
 *   cannot be loaded, or the ports are too many for a kernel filter.
 */
export function openPacketSockets(options: PacketSocketOptions): Result<OpenedCapture, CaptureFailure> {
  if (options.ports.length === 0 && options.filter === undefined) return refuse('CAPTURE_FAILED', 'no port to capture')
  let native: Libc
  let incoming: Instruction[]
  let outgoing: Instruction[] | undefined
  try {
    native = libc()
    incoming = programFor({ ...options, outgoing: false })
    outgoing = options.outgoing === true ? programFor(options) : undefined
  } catch (error) {
    return refuse('CAPTURE_FAILED', `packet sockets: ${(error as Error).message}`)
  }
  const { queues = QUEUES, receiveBuffer = DEFAULT_RECEIVE_BUFFER } = options
  const fds: number[] = []
  const close = (): void => {
    for (const fd of fds.splice(0)) closeSync(fd)
  }
  for (const family of [4, 6] as const) {
    const failure = openGroup(native, family, ETHERTYPES[family], incoming, { queues, receiveBuffer }, fds)
    if (failure === undefined) continue
    close()
    return { ok: false, failure }
  }
  const { promiscuous } = options
  const listening = new Set<number>()
  const listen = (): CaptureFailure | undefined =>
    promiscuous && fds[0] !== undefined ? listenToAll(native, fds[0], promiscuous, listening) : undefined
  const failure = (outgoing && openGroup(native, 4, ETH_P_ALL, outgoing, { queues: 1, receiveBuffer }, fds)) ?? listen()
  // An interface that is gone again meanwhile is no failure.
  if (failure === undefined) return ok({ fds, close, ...(promiscuous && { renew: () => void listen() }) })
  close()
  return { ok: false, failure }
}

function programFor(options: PacketSocketOptions): Instruction[] {
  return options.filter === undefined ? spaFilter(options) : carrierFilter(options.filter, options)
}

/**
 * The interfaces of now: one that comes later does not listen to packets for other hosts until this is called again. It
 * ends with the socket, or with the interface.
 * @param listening the indexes for which it was done. Of named interfaces it is done again: one that was deleted and
 *   made again may have its old index.
 */
function listenToAll(
  native: Libc,
  fd: number,
  interfaces: 'any' | readonly string[],
  listening: Set<number>,
): CaptureFailure | undefined {
  const present = (interfaces === 'any' ? interfaceNames() : interfaces)
    .map((name) => interfaceIndex(fd, name))
    .filter((index) => index !== undefined)
  const known = new Set(interfaces === 'any' ? listening : [])
  let failure: CaptureFailure | undefined
  listening.clear()
  for (const index of present) {
    const membership = new Uint8Array(MEMBERSHIP_LENGTH)
    const fields = new DataView(membership.buffer)
    fields.setInt32(0, index, true)
    fields.setUint16(4, PACKET_MR_PROMISC, true)
    if (
      known.has(index) ||
      native.setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, membership, membership.length) === 0
    )
      listening.add(index)
    else failure ??= failed('an interface cannot listen to packets for other hosts', native.errno())
  }
  return failure
}

/** Sockets for one protocol of frames. @param fds gets each as soon as there is one. */
function openGroup(
  native: Libc,
  family: 4 | 6,
  protocol: number,
  program: readonly Instruction[],
  { queues, receiveBuffer }: Required<Pick<PacketSocketOptions, 'queues' | 'receiveBuffer'>>,
  fds: number[],
): CaptureFailure | undefined {
  const sockets: number[] = []
  let group: number | undefined
  for (let i = 0; i < queues; i++) {
    // Protocol 0 receives nothing: not one packet gets in before a filter stands.
    const fd = native.socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)
    if (fd < 0) return socketFailure(native.errno())
    fds.push(fd)
    sockets.push(fd)
    // A socket that is bound and not yet in the group gets a copy of each packet, which would look like its replay.
    if (!setProgram(native, fd, SOL_SOCKET, SO_ATTACH_FILTER, NOTHING))
      return failed('the kernel refused the packet filter', native.errno())
    // With each packet, whether its checksum has been checked, or is not even there yet.
    if (!setNumber(native, fd, SOL_PACKET, PACKET_AUXDATA, 1))
      return failed('the kernel does not tell about checksums', native.errno())
    raiseReceiveBuffer(native, fd, Math.floor(receiveBuffer / queues))
    if (!bindTo(native, fd, protocol)) return failed('the packet socket cannot be bound', native.errno())
    if (queues === 1) continue
    // The kernel chooses the number of the group: one that is free in this network namespace.
    const type = group === undefined ? FANOUT_CBPF | FANOUT_UNIQUE_ID : FANOUT_CBPF | group
    if (!setNumber(native, fd, SOL_PACKET, PACKET_FANOUT, type))
      return failed('the kernel does not share packets out among several sockets', native.errno())
    group ??= groupOf(native, fd)
  }
  const [first = -1] = sockets
  if (queues > 1) {
    const byFamily = fanOutProgram(family, randomBytes(12))
    if (!setProgram(native, first, SOL_PACKET, PACKET_FANOUT_DATA, byFamily))
      return failed('the kernel refused the program that shares packets out', native.errno())
  }
  for (const fd of sockets) {
    if (!setProgram(native, fd, SOL_SOCKET, SO_ATTACH_FILTER, program))
      return failed('the kernel refused the packet filter', native.errno())
    // Changing a filter takes no privilege: if it were not locked, a captured receiver could listen to the whole
    // machine. The lock also covers the program of the group.
    if (!setNumber(native, fd, SOL_SOCKET, SO_LOCK_FILTER, 1))
      return failed('the kernel did not lock the packet filter', native.errno())
  }
  return undefined
}

/** A packet socket that nobody reads: its buffer is as small as the kernel allows. */
export function openFiltered(
  native: Libc,
  protocol: number,
  program: readonly Instruction[],
): { readonly fd: number } | { readonly errno: number } {
  const fd = native.socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)
  if (fd < 0) return { errno: native.errno() }
  if (
    setNumber(native, fd, SOL_SOCKET, SO_RCVBUF, 1) &&
    setProgram(native, fd, SOL_SOCKET, SO_ATTACH_FILTER, program) &&
    bindTo(native, fd, protocol)
  )
    return { fd }
  const errno = native.errno()
  closeSync(fd)
  return { errno }
}

/** Refuses every packet. */
const NOTHING: readonly Instruction[] = [{ code: RET_K, jt: 0, jf: 0, k: 0 }]

function setProgram(native: Libc, fd: number, level: number, option: number, program: readonly Instruction[]): boolean {
  return native.setsockopt(fd, level, option, filterOf(native, program), SOCK_FPROG_LENGTH) === 0
}

function setNumber(native: Libc, fd: number, level: number, option: number, value: number): boolean {
  const bytes = new Uint8Array(Int32Array.of(value).buffer)
  return native.setsockopt(fd, level, option, bytes, bytes.length) === 0
}

function bindTo(native: Libc, fd: number, protocol: number): boolean {
  const address = new Uint8Array(SOCKADDR_LL_LENGTH)
  const fields = new DataView(address.buffer)
  fields.setUint16(0, AF_PACKET, true)
  fields.setUint16(2, protocol, false)
  return native.bind(fd, address, address.length) === 0
}

/** The number of the group that a socket is in: 16 bits. */
function groupOf(native: Libc, fd: number): number {
  const value = new Uint8Array(4)
  native.getsockopt(fd, SOL_PACKET, PACKET_FANOUT, value, Uint8Array.of(4, 0, 0, 0))
  return new DataView(value.buffer).getUint16(0, true)
}

function socketFailure(errno: number): CaptureFailure {
  if (errno !== EPERM && errno !== EACCES) return failed('no packet socket', errno)
  const detail =
    'packet sockets need the capability CAP_NET_RAW: start as root, or set CAPTURE to udp (an open UDP port, no privilege)'
  return { code: 'CAPTURE_DENIED', detail }
}

function failed(what: string, errno: number): Failure<'CAPTURE_FAILED'> {
  return { code: 'CAPTURE_FAILED', detail: `${what} (${describeErrno(errno)})` }
}
