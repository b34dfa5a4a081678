/** Room in the kernel for packets that wait, so that a burst is late instead of lost. */
import { type Libc, SOL_SOCKET } from './libc.ts'

const SO_RCVBUF = 8
const SO_RCVBUFFORCE = 33

/** Some 6 000 knocks at 1 280 bytes of kernel memory each. */
export const DEFAULT_RECEIVE_BUFFER = 8 * 1024 * 1024

/** @param bytes asked for. With CAP_NET_ADMIN they are given; without, as many as net.core.rmem_max allows. */
export function raiseReceiveBuffer(native: Libc, fd: number, bytes: number): void {
  const value = new Uint8Array(4)
  new DataView(value.buffer).setInt32(0, Math.floor(bytes / 2), true) // the kernel doubles what it is told
  if (native.setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, value, 4) === 0) return
  native.setsockopt(fd, SOL_SOCKET, SO_RCVBUF, value, 4)
}
