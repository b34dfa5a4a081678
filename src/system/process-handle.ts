/**
 * A process that is not a child of this one, held by a descriptor (pidfd_open(2)): its number may be another process's
 * once it is gone, and the descriptor never is.
 */
import { describeErrno } from './errno.ts'
import { libc } from './libc.ts'
import { PollSet } from './poll-set.ts'

export class ProcessHandle {
  readonly pid: number
  readonly #fd: number
  readonly #waiting: PollSet
  #isClosed = false

  /** @throws Error with a sentence, also if there is no such process. */
  constructor(pid: number) {
    const native = libc()
    this.pid = pid
    this.#fd = native.pidfdOpen(pid)
    if (this.#fd < 0) throw new Error(`process ${pid}: ${describeErrno(native.errno())}`)
    this.#waiting = new PollSet([this.#fd])
  }

  /** Whether it has ended. Its parent may not know yet. */
  get hasEnded(): boolean {
    if (this.#isClosed) return true
    this.#waiting.wait(0)
    return this.#waiting.isReadable(0)
  }

  /** @returns whether it could be sent. */
  signal(number: number): boolean {
    return !this.#isClosed && libc().pidfdSendSignal(this.#fd, number) === 0
  }

  close(): void {
    if (!this.#isClosed) libc().close(this.#fd)
    this.#isClosed = true
  }
}
