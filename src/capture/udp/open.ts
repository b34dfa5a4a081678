/**
 * The privileged half of capture by plain UDP sockets. It binds ports, even below 1024, with a receive buffer large
 * enough for a burst. The process that inherits the descriptors needs no privilege (`udp.ts`). Each port has one
 * dual-stack socket, or IPv4 alone if the machine has no IPv6.
 */
import { closeSync } from 'node:fs'
import { constants } from 'node:os'
import { ok, type Result } from '../../result.ts'
import { describeErrno } from '../../system/errno.ts'
import {
  AF_INET,
  AF_INET6,
  DEFAULT_RECEIVE_BUFFER,
  type Libc,
  libc,
  raiseReceiveBuffer,
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  SOCK_NONBLOCK,
} from '../../system/libc.ts'
import type { Port } from '../../units.ts'
import { type CaptureBounds, singlePorts } from '../bounds.ts'
import type { CaptureFailure, OpenedCapture } from '../capture.ts'

export interface UdpSocketOptions extends CaptureBounds {
  /** Bytes of kernel memory per socket for packets that wait. Without CAP_NET_ADMIN, the system's limit applies. */
  readonly receiveBuffer?: number
}

// From the system's headers; the same on every processor that libc.ts accepts.
const IPPROTO_IPV6 = 41
const IPV6_V6ONLY = 26
const { EACCES, EADDRNOTAVAIL, EAFNOSUPPORT } = constants.errno

/**
 * @returns CAPTURE_DENIED for a port below 1024 without CAP_NET_BIND_SERVICE; CAPTURE_FAILED where a port is in use,
 *   the ports hold a range, or the native part cannot be loaded.
 */
export function openUdpSockets(options: UdpSocketOptions): Result<OpenedCapture, CaptureFailure> {
  const ports = singlePorts(options)
  if (!ports.ok) return ports
  let native: Libc
  try {
    native = libc()
  } catch (error) {
    return { ok: false, failure: { code: 'CAPTURE_FAILED', detail: `UDP sockets: ${(error as Error).message}` } }
  }
  const fds: number[] = []
  const close = (): void => {
    for (const fd of fds.splice(0)) closeSync(fd)
  }
  for (const port of ports.value) {
    const fd = openOne(native, port, options.receiveBuffer ?? DEFAULT_RECEIVE_BUFFER)
    if (fd.ok) fds.push(fd.value)
    else {
      close()
      return fd
    }
  }
  return ok({ fds, close })
}

function openOne(native: Libc, port: Port, receiveBuffer: number): Result<number, CaptureFailure> {
  const six = bound(native, AF_INET6, port, receiveBuffer)
  if ('fd' in six) return ok(six.fd)
  if (six.errno !== EAFNOSUPPORT && six.errno !== EADDRNOTAVAIL)
    return { ok: false, failure: bindFailure(port, six.errno) }
  const four = bound(native, AF_INET, port, receiveBuffer)
  return 'fd' in four ? ok(four.fd) : { ok: false, failure: bindFailure(port, four.errno) }
}

function bound(
  native: Libc,
  family: number,
  port: Port,
  receiveBuffer: number,
): { readonly fd: number } | { readonly errno: number } {
  const fd = native.socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)
  if (fd < 0) return { errno: native.errno() }
  if (family === AF_INET6) native.setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, new Uint8Array(4), 4)
  raiseReceiveBuffer(native, fd, receiveBuffer)
  const address = new Uint8Array(family === AF_INET6 ? 28 : 16) // sockaddr_in6, sockaddr_in: family, port, any address
  const fields = new DataView(address.buffer)
  fields.setUint16(0, family, true)
  fields.setUint16(2, port, false)
  if (native.bind(fd, address, address.length) === 0) return { fd }
  const errno = native.errno()
  closeSync(fd)
  return { errno }
}

function bindFailure(port: Port, errno: number): CaptureFailure {
  if (errno !== EACCES)
    return { code: 'CAPTURE_FAILED', detail: `UDP port ${port} cannot be opened (${describeErrno(errno)})` }
  return { code: 'CAPTURE_DENIED', detail: `UDP port ${port} needs the capability CAP_NET_BIND_SERVICE: start as root` }
}
