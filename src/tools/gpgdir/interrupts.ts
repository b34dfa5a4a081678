/** Signals that end a program, while files are worked on. */

/** Exit statuses, as shells report them. */
export const SIGNALS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const

/** The first signal to end stops the run; what is begun is taken back. */
export class Interrupts implements Disposable {
  signal: keyof typeof SIGNALS | undefined
  readonly #handlers = new Map<keyof typeof SIGNALS, () => void>()

  constructor(onSignal: () => void) {
    for (const signal of Object.keys(SIGNALS) as (keyof typeof SIGNALS)[]) {
      const handler = (): void => {
        this.signal ??= signal
        onSignal()
      }
      this.#handlers.set(signal, handler)
      process.on(signal, handler)
    }
  }

  [Symbol.dispose](): void {
    for (const [signal, handler] of this.#handlers) process.off(signal, handler)
  }
}
