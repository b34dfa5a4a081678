/** The receiver's end of its sockets to the GnuPG process, for a loop over poll(2). It never waits. */
import { constants, readSync, writeSync } from 'node:fs'
import { describeErrno } from '../../system/errno.ts'
import { libc } from '../../system/libc.ts'
import type { GnupgRequest } from '../link/gnupg-protocol.ts'
import { LossyLines, lineOf } from '../link/lossy-lines.ts'

const F_GETFL = 3
const F_SETFL = 4
const CHUNK = 64 * 1024

export class GnupgLine {
  readonly fd: number
  readonly #lines = new LossyLines()
  readonly #chunk = Buffer.allocUnsafeSlow(CHUNK)

  /** @throws Error where it is no such descriptor. */
  constructor(fd: number) {
    this.fd = fd
    const flags = libc().fcntl(fd, F_GETFL, 0)
    if (flags < 0 || libc().fcntl(fd, F_SETFL, flags | constants.O_NONBLOCK) < 0)
      throw new Error(`descriptor ${fd}: ${describeErrno(libc().errno())}`)
  }

  /** What does not fit is lost, and its packet is refused after a while (gnupg-desk.ts). */
  send(request: GnupgRequest): void {
    try {
      writeSync(this.fd, lineOf(request))
    } catch {
      // The GnuPG process reads nothing: it is being started again.
    }
  }

  /** To be called when the descriptor is readable. @returns what has arrived. */
  read(): readonly unknown[] {
    try {
      const length = readSync(this.fd, this.#chunk)
      return this.#lines.push(this.#chunk.subarray(0, length))
    } catch {
      return []
    }
  }
}
