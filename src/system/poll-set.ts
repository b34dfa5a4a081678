/** The descriptors that one thread waits for with poll(2), and which of them are ready. */
import { constants } from 'node:os'
import { describeErrno } from './errno.ts'
import { type Libc, libc } from './libc.ts'

// struct pollfd: fd 0, events 4, revents 6
const POLLFD_LENGTH = 8
const POLLIN = 1
const POLLOUT = 4
const POLLNVAL = 0x20
const { EINTR } = constants.errno

export class PollSet {
  readonly #native: Libc = libc()
  readonly #fds: readonly number[]
  readonly #bytes: Uint8Array
  readonly #view: DataView

  /** @param fds in the order of the indexes that the methods take. Each is watched until it can be read. */
  constructor(fds: readonly number[]) {
    this.#fds = fds
    this.#bytes = new Uint8Array(new ArrayBuffer(POLLFD_LENGTH * fds.length))
    this.#view = new DataView(this.#bytes.buffer)
    for (const [i, fd] of fds.entries()) {
      this.#view.setInt32(POLLFD_LENGTH * i, fd, true)
      this.#view.setInt16(POLLFD_LENGTH * i + 4, POLLIN, true)
    }
  }

  /** Whether to also wait until the `i`-th can be written to. */
  alsoWrite(i: number, wanted: boolean): void {
    this.#view.setInt16(POLLFD_LENGTH * i + 4, wanted ? POLLIN | POLLOUT : POLLIN, true)
  }

  /**
   * Waits until one is ready, the time is over, or a signal came.
   *
   * @param timeout in milliseconds; negative waits for ever
   * @param first how many of the descriptors to wait for
   * @throws Error where the system cannot wait
   */
  wait(timeout: number, first = this.#fds.length): void {
    this.#forget()
    if (this.#native.poll(this.#bytes, first, timeout) >= 0) return
    const errno = this.#native.errno()
    if (errno !== EINTR) throw new Error(`poll: ${describeErrno(errno)}`)
  }

  /**
   * Waits until one is ready, or a signal came, without blocking this thread. It occupies a thread of libuv's pool, and
   * no processor.
   *
   * @throws Error if there is no such thread
   */
  async waitAside(): Promise<void> {
    this.#forget()
    await this.#native.pollAside(this.#bytes, this.#fds.length, -1)
  }

  #forget(): void {
    for (let i = 0; i < this.#fds.length; i++) this.#view.setInt16(POLLFD_LENGTH * i + 6, 0, true)
  }

  /** Whether the last wait found that the `i`-th is not a descriptor any more. */
  isClosed(i: number): boolean {
    return (this.#view.getInt16(POLLFD_LENGTH * i + 6, true) & POLLNVAL) !== 0
  }

  /** Whether the last wait found something to read at the `i`-th, or an error. */
  isReadable(i: number): boolean {
    return (this.#view.getInt16(POLLFD_LENGTH * i + 6, true) & ~POLLOUT) !== 0
  }
}
