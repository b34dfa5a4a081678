/**
 * The receiver starts before the rest of the warden is open, so that both load at the same time. Its events until then
 * are kept here, and handled once there is a handler.
 */
import type { Log } from '../../../log.ts'
import type { Failure } from '../../../result.ts'
import type { ReceiverEvents } from './restarted-receiver.ts'
import { logReceiverErrors } from './standard-error.ts'

/** Handles the events of a receiver. */
export interface ReceiverHandler extends Omit<ReceiverEvents, 'onErrors'> {
  /** It did something that an honest receiver never does. */
  readonly onHostile: (failure: Failure) => void
}

export class EarlyEvents {
  #handler: ReceiverHandler | undefined
  /** Events of the running receiver, or of the latest one. */
  #held: ((handler: ReceiverHandler) => void)[] = []

  eventsFor(log: Log): ReceiverEvents {
    return {
      onStarted: () => {
        this.#held = []
        this.#pass((handler) => handler.onStarted())
      },
      onErrors: (errors, runs) =>
        logReceiverErrors(errors, log, (failure) => {
          if (runs()) this.#pass((handler) => handler.onHostile(failure))
        }),
      onValues: (values) => this.#pass((handler) => handler.onValues(values)),
      onBroken: (why) => this.#pass((handler) => handler.onBroken(why)),
      onLost: (why, again) => {
        // The limit of the next receiver must not depend on what this one sent.
        this.#held = []
        return this.#handler?.onLost(why, again)
      },
      onReplaced: async () => {
        this.#held = []
        await this.#handler?.onReplaced()
      },
      onHopeless: (why) => this.#pass((handler) => handler.onHopeless(why)),
    }
  }

  /** From now on, all events go to `handler`, the kept ones first. */
  handOver(handler: ReceiverHandler): void {
    this.#handler = handler
    for (const event of this.#held.splice(0)) event(handler)
  }

  #pass(event: (handler: ReceiverHandler) => void): void {
    if (this.#handler === undefined) this.#held.push(event)
    else event(this.#handler)
  }
}
