/**
 * The receiver is started before the rest of the warden is open, so that it loads its code meanwhile. What happens to it until then is
 * kept here, and handled once there is a handler.
 */
import type { Log } from '../../../log.ts'
import type { Failure } from '../../../result.ts'
import { logReceiverErrors } from './errors.ts'
import type { ReceiverEvents } from './receiver-process.ts'

/** What is done about a receiver. */
export interface ReceiverHandler extends Omit<ReceiverEvents, 'onErrors'> {
  /** It did what no honest one does. */
  readonly onHostile: (failure: Failure) => void
}

export class EarlyEvents {
  #handler: ReceiverHandler | undefined
  /** Of the receiver that runs, or ran last. */
  #held: ((handler: ReceiverHandler) => void)[] = []

  /** For the receivers' process. @param runs whether the receiver of this process id runs still. */
  eventsFor(log: Log, runs: (pid: number | undefined) => boolean): ReceiverEvents {
    return {
      onStarted: () => {
        this.#held = []
        this.#pass((handler) => handler.onStarted())
      },
      onErrors: (errors, pid) =>
        logReceiverErrors(errors, log, (failure) => {
          if (runs(pid)) this.#pass((handler) => handler.onHostile(failure))
        }),
      onValues: (values) => this.#pass((handler) => handler.onValues(values)),
      onBroken: (why) => this.#pass((handler) => handler.onBroken(why)),
      onLost: (why, again) => {
        // What the next one is allowed must not depend on what this one sent.
        this.#held = []
        return this.#handler?.onLost(why, again)
      },
      onHopeless: (why) => this.#pass((handler) => handler.onHopeless(why)),
    }
  }

  /** From now on, all goes to `handler`; first what was kept. */
  handOver(handler: ReceiverHandler): void {
    this.#handler = handler
    for (const event of this.#held.splice(0)) event(handler)
  }

  #pass(event: (handler: ReceiverHandler) => void): void {
    if (this.#handler === undefined) this.#held.push(event)
    else event(this.#handler)
  }
}
