/**
 * Writes log lines to a descriptor, and never waits for its reader. A reader that stalls (a stopped pager, a full
 * journal) must not stop the server. So lines wait in memory up to a limit. Further lines are dropped and counted, and
 * the count is logged when the reader is back.
 */
import { write } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { jsonLog, type LogLevel } from '../log.ts'
import { type Milliseconds, milliseconds } from '../units.ts'

/** The call that writes bytes: {@link write} of the system, except in tests. */
export type WriteBytes = (bytes: Buffer, done: (error: NodeJS.ErrnoException | null, written: number) => void) => void

/** Bytes of lines that may wait: some ten thousand. */
const MOST_WAITING = 4 * 1024 * 1024
/** How long to wait before a descriptor that accepts nothing is tried again. */
const RETRY_AFTER = milliseconds(50)
/** Between two checks whether all is written. */
const FLUSH_STEP = milliseconds(5)

/** After these errors, nothing will ever read this descriptor again. */
const GONE = new Set(['EPIPE', 'EBADF', 'ECONNRESET'])

export class LogWriter {
  readonly #write: WriteBytes
  readonly #mostWaiting: number
  readonly #prefix: ((level: LogLevel) => string) | undefined
  #waiting: Buffer[] = []
  #waitingBytes = 0
  #lost = 0
  #busy = false
  /** The reader is gone permanently. */
  #closed = false

  /** @param prefix what comes before a line of its own, by level. */
  constructor(to: number | WriteBytes, mostWaiting = MOST_WAITING, prefix?: (level: LogLevel) => string) {
    this.#prefix = prefix
    this.#write = typeof to === 'number' ? (bytes, done) => write(to, bytes, done) : to
    this.#mostWaiting = mostWaiting
  }

  /** @param text one or more whole lines. */
  line(text: string): void {
    if (this.#closed) return
    const bytes = Buffer.from(text)
    if (this.#waitingBytes + bytes.length > this.#mostWaiting) {
      this.#lost++
      return
    }
    this.#waiting.push(bytes)
    this.#waitingBytes += bytes.length
    if (!this.#busy) this.#next()
  }

  /**
   * Whether something is not written yet. A thread of libuv’s pool may then be blocked in the write, and only
   * leave-now.ts ends the process.
   */
  get isBusy(): boolean {
    return this.#busy
  }

  /** Resolves when all is written, or when that takes longer than this. */
  async flush(longest: Milliseconds): Promise<void> {
    const deadline = performance.now() + longest
    while (this.#busy && performance.now() < deadline) await delay(FLUSH_STEP)
  }

  #next(): void {
    if (this.#lost > 0 && this.#waitingBytes < this.#mostWaiting / 2) {
      const count = this.#lost
      this.#lost = 0
      const keep = (line: string): void => {
        const told = Buffer.from(line)
        this.#waiting.push(told)
        this.#waitingBytes += told.length
      }
      jsonLog(keep, () => new Date(), this.#prefix).write('error', 'log lines lost', { count })
    }
    const bytes = Buffer.concat(this.#waiting)
    this.#waiting = []
    this.#busy = bytes.length > 0
    if (this.#busy) this.#hand(bytes)
  }

  #hand(bytes: Buffer): void {
    this.#write(bytes, (error, written) => {
      if (error?.code === 'EAGAIN') {
        // Somebody made the descriptor non-blocking, and it is full.
        setTimeout(() => this.#hand(bytes), RETRY_AFTER)
        return
      }
      if (error !== null) {
        this.#failed(error, bytes)
        return
      }
      this.#waitingBytes -= written
      if (written < bytes.length) this.#hand(bytes.subarray(written))
      else this.#next()
    })
  }

  #failed(error: NodeJS.ErrnoException, bytes: Buffer): void {
    if (GONE.has(error.code ?? '')) {
      this.#closed = true
      this.#busy = false
      this.#waiting = []
      return
    }
    // A full disk has room again some day.
    this.#lost += bytes.toString('latin1').split('\n').length - 1
    this.#waitingBytes -= bytes.length
    setTimeout(() => this.#next(), RETRY_AFTER)
  }
}
