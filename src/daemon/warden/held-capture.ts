/**
 * The capture sockets, which outlive receivers. A receiver that did harm may have turned them away from all packets, and the next
 * one would be deaf: they are then closed, and opened anew.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { ServerConfig } from '../../config/server/server-config.ts'
import { failureFields, type Log } from '../../log.ts'
import { milliseconds } from '../../units.ts'
import type { Doubt } from './admission/judge-believed.ts'
import { type CaptureSockets, openCaptures } from './open-parts.ts'

/** How often capture sockets are tried again that cannot be opened. */
const REOPEN_INTERVAL = milliseconds(1000)
/** Before that, so many times after so long: the kernel takes a moment to end what held them. */
const REOPEN_SOON = { times: 10, interval: milliseconds(50) }

export class HeldCapture {
  #sockets: CaptureSockets
  readonly #server: Pick<ServerConfig, 'captures'>
  readonly #log: Log
  /** A receiver that is not trusted any more held them. */
  #isSuspect = false
  /** The receiver that runs, or ran last, may do anything to them: the kernel does not confine it. */
  #isUnconfined = false
  #closed = false

  /** @param server what they were opened from. A reload does not change it. */
  constructor(sockets: CaptureSockets, server: Pick<ServerConfig, 'captures'>, log: Log) {
    this.#sockets = sockets
    this.#server = server
    this.#log = log
  }

  get sockets(): CaptureSockets {
    return this.#sockets
  }

  /** Asks the sockets of now. */
  readonly doubt: Doubt = (packet) => this.#sockets.doubt(packet)

  /** The receiver that holds them is not trusted any more. */
  suspect(): void {
    this.#isSuspect = true
  }

  /** Whether the kernel confines the receiver that holds them. */
  confined(isConfined: boolean): void {
    this.#isUnconfined = !isConfined
  }

  /**
   * Opens them anew where they cannot be relied on, however often it takes. Not before the receiver is gone: it holds the old sockets
   * too, and one port is bound once.
   */
  async renew(): Promise<void> {
    if (!this.#isSuspect && !this.#isUnconfined) return
    this.#sockets.close()
    for (let tries = 1; !this.#closed; tries++) {
      const opened = await openCaptures(this.#server)
      if (opened.ok) {
        this.#sockets = opened.value
        this.#isSuspect = false
        this.#isUnconfined = false
        if (this.#closed) opened.value.close()
        return
      }
      const isSoon = tries <= REOPEN_SOON.times
      if (!isSoon) this.#log.write('error', 'capture', failureFields(opened.failure))
      await delay(isSoon ? REOPEN_SOON.interval : REOPEN_INTERVAL)
    }
  }

  close(): void {
    this.#closed = true
    this.#sockets.close()
  }
}
