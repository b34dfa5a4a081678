/**
 * The privileged half of the TCP server: binds the port and listens. One dual-stack socket, or IPv4 alone if the
 * machine has no IPv6. The process that inherits it accepts and reads (`tcp-server.ts`).
 *
 * TCP_DEFER_ACCEPT keeps connections without data in the kernel. So a client that only connects costs no wake-up.
 */
import { closeSync } from 'node:fs'
import { constants } from 'node:os'
import { ok, type Result } from '../../result.ts'
import { describeErrno } from '../../system/errno.ts'
import {
  AF_INET,
  AF_INET6,
  type Libc,
  libc,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOCK_STREAM,
  SOL_SOCKET,
} from '../../system/libc.ts'
import type { Port } from '../../units.ts'
import type { CaptureFailure, OpenedCapture } from '../capture.ts'
import { LONGEST_TIME } from './tcp-server.ts'

// From the system's headers; the same on every processor that libc.ts accepts.
const SO_REUSEADDR = 2
const SO_RCVBUF = 8
const IPPROTO_TCP = 6
const TCP_DEFER_ACCEPT = 9
const IPPROTO_IPV6 = 41
const IPV6_V6ONLY = 26
/**
 * Connections that the kernel keeps until they are accepted, and half-open ones: as many as it allows (its
 * net.core.somaxconn is 4096). Where the queue is short, a few hundred strangers who open connections keep others out:
 * the kernel drops what comes then, and each try of theirs waits longer than the one before.
 */
const BACKLOG = 4096
/** Bytes of kernel memory for what one connection sends: a packet, and no more. The kernel has a minimum of its own. */
const RECEIVE_BUFFER = 2304
const { EACCES, EADDRNOTAVAIL, EAFNOSUPPORT } = constants.errno

/**
 * @returns CAPTURE_DENIED for a port below 1024 without CAP_NET_BIND_SERVICE; CAPTURE_FAILED where the port is in use,
 *   or the native part cannot be loaded.
 */
export function openTcpServer(port: Port): Result<OpenedCapture, CaptureFailure> {
  let native: Libc
  try {
    native = libc()
  } catch (error) {
    return { ok: false, failure: { code: 'CAPTURE_FAILED', detail: `TCP server: ${(error as Error).message}` } }
  }
  let opened = listening(native, AF_INET6, port)
  if ('errno' in opened && (opened.errno === EAFNOSUPPORT || opened.errno === EADDRNOTAVAIL))
    opened = listening(native, AF_INET, port)
  if ('errno' in opened) return { ok: false, failure: failureOf(port, opened.errno) }
  const { fd } = opened
  return ok({ fds: [fd], close: () => closeSync(fd) })
}

function listening(native: Libc, family: number, port: Port): { readonly fd: number } | { readonly errno: number } {
  const fd = native.socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)
  if (fd < 0) return { errno: native.errno() }
  const set = (level: number, option: number, value: number): void => {
    native.setsockopt(fd, level, option, new Uint8Array(Int32Array.of(value).buffer), 4)
  }
  // Connections of the last server may be in TIME_WAIT.
  set(SOL_SOCKET, SO_REUSEADDR, 1)
  set(SOL_SOCKET, SO_RCVBUF, RECEIVE_BUFFER)
  set(IPPROTO_TCP, TCP_DEFER_ACCEPT, Math.ceil(LONGEST_TIME / 1000))
  if (family === AF_INET6) set(IPPROTO_IPV6, IPV6_V6ONLY, 0)
  const address = new Uint8Array(family === AF_INET6 ? 28 : 16) // sockaddr_in6, sockaddr_in: family, port, any address
  const fields = new DataView(address.buffer)
  fields.setUint16(0, family, true)
  fields.setUint16(2, port, false)
  if (native.bind(fd, address, address.length) === 0 && native.listen(fd, BACKLOG) === 0) return { fd }
  const errno = native.errno()
  closeSync(fd)
  return { errno }
}

function failureOf(port: Port, errno: number): CaptureFailure {
  if (errno !== EACCES)
    return { code: 'CAPTURE_FAILED', detail: `TCP port ${port} cannot be opened (${describeErrno(errno)})` }
  return { code: 'CAPTURE_DENIED', detail: `TCP port ${port} needs the capability CAP_NET_BIND_SERVICE: start as root` }
}
