/** Two connected stream sockets, as descriptors that are passed to two other processes. */
import { closeSync } from 'node:fs'
import { describeErrno } from './errno.ts'
import { AF_UNIX, libc, SOCK_CLOEXEC, SOCK_STREAM } from './libc.ts'

export interface SocketPair {
  readonly ends: readonly [number, number]
  close(): void
}

/** @throws Error with a sentence. */
export function openSocketPair(): SocketPair {
  const native = libc()
  const fds = new Int32Array(2)
  if (native.socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, new Uint8Array(fds.buffer)) < 0)
    throw new Error(`no pair of sockets: ${describeErrno(native.errno())}`)
  const [one = -1, other = -1] = fds
  return {
    ends: [one, other],
    close() {
      closeSync(one)
      closeSync(other)
    },
  }
}
