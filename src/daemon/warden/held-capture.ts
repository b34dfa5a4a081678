/**
 * The capture sockets, which outlive receivers. A hostile receiver may have changed them so that they get no packets.
 * They are then closed and opened again; otherwise the next receiver would get nothing.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { ServerConfig } from '../../config/server/server-config.ts'
import { failureFields, type Log } from '../../log.ts'
import { milliseconds } from '../../units.ts'
import type { Doubt } from './admission/judge-believed.ts'
import { type CaptureSockets, openCaptures } from './open-parts.ts'

/** How often opening is tried again if the capture sockets cannot be opened. */
const REOPEN_INTERVAL = milliseconds(1000)
/** Before that, this many tries at this interval: the kernel takes a moment to end the process that held them. */
const REOPEN_SOON = { times: 10, interval: milliseconds(50) }

export class HeldCapture {
  #sockets: CaptureSockets
  readonly #server: Pick<ServerConfig, 'captures'>
  readonly #log: Log
  /** An untrusted receiver held them. */
  #isSuspect = false
  /** The kernel does not confine the current or latest receiver, so it may do anything to them. */
  #isUnconfined = false
  #closed = false

  /** @param server the settings that they were opened from. A reload does not change these. */
  constructor(sockets: CaptureSockets, server: Pick<ServerConfig, 'captures'>, log: Log) {
    this.#sockets = sockets
    this.#server = server
    this.#log = log
  }

  get sockets(): CaptureSockets {
    return this.#sockets
  }

  /** Asks the current sockets. */
  readonly doubt: Doubt = (packet) => this.#sockets.doubt(packet)

  /** The receiver that holds them is no longer trusted. */
  suspect(): void {
    this.#isSuspect = true
  }

  /** Whether the kernel confines the receiver that holds them. */
  confined(isConfined: boolean): void {
    this.#isUnconfined = !isConfined
  }

  /**
   * Opens them again if they cannot be trusted, and repeats until it succeeds. Call it after the receiver has ended: it
   * also holds the old sockets, and a port is bound only once.
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
