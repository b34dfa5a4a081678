/** A descriptor that ends a wait from another place of the same process (eventfd(2)). */
import { closeSync, writeSync } from 'node:fs'
import { describeErrno } from './errno.ts'
import { libc, SOCK_CLOEXEC, SOCK_NONBLOCK } from './libc.ts'

// eventfd(2) has the numbers of open(2), as socket(2) has.
const EFD_NONBLOCK = SOCK_NONBLOCK
const EFD_CLOEXEC = SOCK_CLOEXEC

export class Waker {
  /** Readable from {@link wake} on. */
  readonly fd: number

  /** @throws Error with a sentence, where the system gives no descriptor. */
  constructor() {
    const native = libc()
    this.fd = native.eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)
    if (this.fd < 0) throw new Error(`eventfd: ${describeErrno(native.errno())}`)
  }

  wake(): void {
    writeSync(this.fd, new Uint8Array(new BigUint64Array([1n]).buffer))
  }

  close(): void {
    closeSync(this.fd)
  }
}
