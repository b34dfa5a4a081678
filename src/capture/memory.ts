/** Packets from memory: for tests and demonstrations. */
import {
  type CaptureCounters,
  type CapturedPacket,
  type CaptureFailure,
  captureError,
  type EventCapture,
} from './capture.ts'

export class MemoryCapture implements EventCapture {
  #received = 0
  #deliver: ((packets: readonly CapturedPacket[]) => void) | undefined
  #fail: ((error: Error) => void) | undefined

  counters(): CaptureCounters {
    return { received: this.#received, dropped: 0 }
  }

  /** Delivers the packets as one batch before it returns. Without a listener they are lost. */
  inject(packets: readonly CapturedPacket[]): void {
    if (this.#deliver === undefined || packets.length === 0) return
    this.#received += packets.length
    this.#deliver(packets)
  }

  /** Ends the capture as if no packet could ever come again. */
  fail(failure: CaptureFailure): void {
    this.#fail?.(captureError(failure))
  }

  async run(
    deliver: (packets: readonly CapturedPacket[]) => void,
    signal: AbortSignal,
    ready: () => void,
  ): Promise<void> {
    if (signal.aborted) return
    this.#deliver = deliver
    try {
      await new Promise<void>((resolve, reject) => {
        this.#fail = reject
        const stop = (): void => {
          this.#deliver = undefined // at once, not when the promise is looked at
          resolve()
        }
        signal.addEventListener('abort', stop, { once: true })
        ready()
      })
    } finally {
      this.#deliver = undefined
      this.#fail = undefined
    }
  }
}
