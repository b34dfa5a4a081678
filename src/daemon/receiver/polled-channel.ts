/**
 * The receiver's end of the channel, for a loop over poll(2). What the warden does not take yet waits here: the
 * receiver never waits for the warden.
 */
import { constants, readSync, writeSync } from 'node:fs'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import { describeErrno } from '../../system/errno.ts'
import { libc } from '../../system/libc.ts'
import { LineReader } from '../link/channel.ts'
import { channelBroke, WARDEN_ENDED } from './warden-gone.ts'

const F_GETFL = 3
const F_SETFL = 4
const CHUNK = 64 * 1024

export class PolledChannel {
  readonly #fd: number
  readonly #reader: LineReader
  /** What could not be written yet, the oldest first. */
  #unsent: Buffer[] = []
  #backlog = 0

  /**
   * @param fd a connected stream socket. Its writes do not wait any more.
   * @param longestLine in bytes
   * @throws Error where it is no such descriptor
   */
  constructor(fd: number, longestLine: number) {
    this.#fd = fd
    this.#reader = new LineReader(longestLine)
    const flags = libc().fcntl(fd, F_GETFL, 0)
    if (flags < 0 || libc().fcntl(fd, F_SETFL, flags | constants.O_NONBLOCK) < 0)
      throw new Error(`descriptor ${fd}: ${describeErrno(libc().errno())}`)
  }

  /** Bytes that the warden has not taken yet. */
  get backlog(): number {
    return this.#backlog
  }

  send(value: unknown): void {
    const line = Buffer.from(`${JSON.stringify(value)}\n`)
    this.#unsent.push(line)
    this.#backlog += line.length
    if (this.#unsent.length === 1) this.flush()
  }

  /** Writes as much as the other end takes now. Where it is gone, {@link read} says so. */
  flush(): void {
    for (let first = this.#unsent[0]; first !== undefined; first = this.#unsent[0]) {
      const written = this.#write(first)
      this.#backlog -= written
      if (written < first.length) {
        this.#unsent[0] = first.subarray(written)
        return
      }
      this.#unsent.shift()
    }
  }

  #write(bytes: Buffer): number {
    try {
      return writeSync(this.#fd, bytes)
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'EAGAIN' || code === 'EINTR') return 0
      // It is gone, and nobody misses the rest.
      return bytes.length
    }
  }

  /**
   * Reads what has arrived: to be called when the descriptor is readable.
   * @returns the values of all lines that are whole now; WARDEN_GONE where the other end is, or has broken the framing.
   */
  read(): Result<unknown[], Failure<'WARDEN_GONE'>> {
    // A chunk of its own for each call: the reader keeps the end of it.
    const chunk = Buffer.allocUnsafeSlow(CHUNK)
    let length: number
    try {
      length = readSync(this.#fd, chunk)
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException
      return code === 'EAGAIN' || code === 'EINTR' ? ok([]) : refuse('WARDEN_GONE', `the channel broke: ${message}`)
    }
    if (length === 0) return { ok: false, failure: WARDEN_ENDED }
    const read = this.#reader.push(chunk.subarray(0, length))
    return read.ok ? read : { ok: false, failure: channelBroke(read.failure.detail) }
  }
}
