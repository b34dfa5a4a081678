/** Datagrams to a Unix socket, by the C library: Node.js has none. */
import { constants } from 'node:os'
import { AF_UNIX, type Libc, SOCK_CLOEXEC, SOCK_DGRAM, SOCK_NONBLOCK } from './libc.ts'

/** `sun_path` of sockaddr_un has 108 bytes, including the NUL. */
export const LONGEST_SOCKET_PATH = 107
const { EAGAIN, ENOBUFS } = constants.errno

/**
 * A sockaddr_un: a path, or after `@` a name in the abstract namespace, which begins with NUL. Undefined for any other
 * name.
 */
export function socketAddress(name: string): Uint8Array | undefined {
  const abstract = name.startsWith('@')
  const path = Buffer.from(name)
  if ((!abstract && !name.startsWith('/')) || path.length < 2 || path.length > LONGEST_SOCKET_PATH) return undefined
  if (abstract) path[0] = 0
  const family = Buffer.from([AF_UNIX, 0])
  return Buffer.concat(abstract ? [family, path] : [family, path, Buffer.of(0)])
}

/** `busy`: the reader has no room now. `gone`: there is no reader. */
export type Sent = 'sent' | 'busy' | 'gone'

/** Never waits for the reader. */
export function sendDatagram(native: Libc, address: Uint8Array, message: Uint8Array): Sent {
  const fd = native.socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)
  if (fd < 0) return 'busy'
  const sent = native.sendto(fd, message, message.length, 0, address, address.length)
  const errno = sent < 0 ? native.errno() : 0
  native.close(fd)
  if (sent >= 0) return 'sent'
  return errno === EAGAIN || errno === ENOBUFS ? 'busy' : 'gone'
}
