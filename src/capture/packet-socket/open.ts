/**
 * The privileged half of passive capture: opens the packet sockets, arms the kernel filter, and binds. Whoever inherits
 * the descriptors reads packets without any capability (`packet-socket.ts`).
 *
 * One socket for IPv4 and one for IPv6, not one for every protocol: a packet that comes in through a bond, a bridge or a
 * VLAN is shown to an ETH_P_ALL socket once for each layer, and would look like its own replay; it is shown to an
 * ETH_P_IP socket once, on the interface that owns the address. The socket also never sees what this machine sends.
 *
 * No interface is bound (ifindex 0): a socket bound to one goes deaf when the interface is deleted and made again. SOCK_DGRAM
 * leaves link-layer headers, their padding and their VLAN tags to the kernel.
 */
import { closeSync } from 'node:fs'
import { constants } from 'node:os'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import { filterOf, type Instruction, SOCK_FPROG_LENGTH } from '../../system/bpf.ts'
import { describeErrno } from '../../system/errno.ts'
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
import { spaFilter } from './spa-filter.ts'

export interface PacketSocketOptions extends CaptureBounds {
  /** Bytes of kernel memory in which packets wait, a socket. Without CAP_NET_ADMIN the system's limit holds instead. */
  readonly receiveBuffer?: number
}

// From the system's headers; the same on every processor that libc.ts accepts.
const AF_PACKET = 17
const SO_LOCK_FILTER = 44
const ETH_P_IP = 0x0800
const ETH_P_IPV6 = 0x86dd
const SOCKADDR_LL_LENGTH = 20
const { EACCES, EPERM } = constants.errno

/**
 * Opens the sockets for passive capture on all interfaces. Needs CAP_NET_RAW.
 *
 * @returns CAPTURE_DENIED without the privilege; CAPTURE_FAILED where the system has no packet sockets, the native part
 *   cannot be loaded, or the ports are too many for a kernel filter.
 */
export function openPacketSockets(options: PacketSocketOptions): Result<OpenedCapture, CaptureFailure> {
  if (options.ports.length === 0) return refuse('CAPTURE_FAILED', 'no port to capture')
  let native: Libc
  let program: Instruction[]
  try {
    native = libc()
    program = spaFilter(options)
  } catch (error) {
    return refuse('CAPTURE_FAILED', `packet sockets: ${(error as Error).message}`)
  }
  const fds: number[] = []
  const close = (): void => {
    for (const fd of fds.splice(0)) closeSync(fd)
  }
  for (const protocol of [ETH_P_IP, ETH_P_IPV6]) {
    const failure = openOne(native, protocol, program, options.receiveBuffer ?? DEFAULT_RECEIVE_BUFFER, fds)
    if (failure === undefined) continue
    close()
    return { ok: false, failure }
  }
  return ok({ fds, close })
}

function openOne(
  native: Libc,
  protocol: number,
  program: readonly Instruction[],
  receiveBuffer: number,
  fds: number[],
): CaptureFailure | undefined {
  // Protocol 0 receives nothing: not one packet gets in before the filter stands.
  const fd = native.socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)
  if (fd < 0) return socketFailure(native.errno())
  fds.push(fd)

  if (native.setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, filterOf(native, program), SOCK_FPROG_LENGTH) < 0)
    return failed('the kernel refused the packet filter', native.errno())
  // Changing a filter takes no privilege: unlocked, a receiver in a stranger's hands could listen to the whole machine.
  const yes = Uint8Array.of(1, 0, 0, 0)
  if (native.setsockopt(fd, SOL_SOCKET, SO_LOCK_FILTER, yes, yes.length) < 0)
    return failed('the kernel did not lock the packet filter', native.errno())
  // With each packet, whether its checksum has been checked, or is not even there yet.
  if (native.setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, yes, yes.length) < 0)
    return failed('the kernel does not tell about checksums', native.errno())
  raiseReceiveBuffer(native, fd, receiveBuffer)

  const address = new Uint8Array(SOCKADDR_LL_LENGTH)
  const fields = new DataView(address.buffer)
  fields.setUint16(0, AF_PACKET, true)
  fields.setUint16(2, protocol, false)
  if (native.bind(fd, address, address.length) < 0) return failed('the packet socket cannot be bound', native.errno())
  return undefined
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
