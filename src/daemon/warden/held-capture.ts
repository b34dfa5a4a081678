/**
 * The capture sockets, which outlive receivers. A hostile receiver may have changed them so that they get no packets.
 * They are then closed and opened again; otherwise the next receiver would get nothing.
 *
 * Their filters are locked. So if stanzas get other ports (SPA_PORT), other sockets replace them. These are open before
 * the receiver ends that has the old ones, so no packet is lost.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import type { ServerConfig } from '../../config/server/server-config.ts'
import { failureFields, type Log } from '../../log.ts'
import { ok, type Result } from '../../result.ts'
import { milliseconds } from '../../units.ts'
import type { Doubt } from './admission/judge-believed.ts'
import { type CaptureSockets, openCaptures } from './open-parts.ts'

/** How often opening is tried again if the capture sockets cannot be opened. */
const REOPEN_INTERVAL = milliseconds(1000)
/** Before that, this many tries at this interval: the kernel takes a moment to end the process that held them. */
const REOPEN_SOON = { times: 10, interval: milliseconds(50) }

type Captures = Pick<ServerConfig, 'captures'>

export class HeldCapture {
  #sockets: CaptureSockets
  /** What they were opened for. */
  #openedFor: Captures
  #wanted: () => Captures
  /** Opened beside them, for the next receiver. */
  #next: { readonly sockets: CaptureSockets; readonly openedFor: Captures } | undefined
  readonly #log: Log
  /** An untrusted receiver held them. */
  #isSuspect = false
  /** The kernel does not confine the current or latest receiver, so it may do anything to them. */
  #isUnconfined = false
  #closed = false

  /** @param openedFor the settings that they were opened from. */
  constructor(sockets: CaptureSockets, openedFor: Captures, log: Log) {
    this.#sockets = sockets
    this.#openedFor = openedFor
    this.#wanted = () => openedFor
    this.#log = log
  }

  /** @param wanted the settings that the next receiver works under. Only the ports of stanzas may differ in it. */
  follow(wanted: () => Captures): void {
    this.#wanted = wanted
  }

  /** Whether other sockets are needed for these settings. */
  isFor(captures: Captures): boolean {
    return isSame(this.#openedFor, captures)
  }

  /** Opens sockets for the wanted settings, beside the current ones. {@link renew} then takes them. */
  async prepare(): Promise<Result<void>> {
    const openedFor = this.#wanted()
    const opened = await openCaptures(openedFor)
    if (!opened.ok) return opened
    this.#next?.sockets.close()
    this.#next = { sockets: opened.value, openedFor }
    if (this.#closed) opened.value.close()
    return ok(undefined)
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
    const next = this.#next
    this.#next = undefined
    const isRight = this.isFor(this.#wanted())
    if (!this.#isSuspect && !this.#isUnconfined && isRight) {
      next?.sockets.close()
      return
    }
    this.#sockets.close()
    if (next !== undefined && isSame(next.openedFor, this.#wanted())) {
      this.#take(next.sockets, next.openedFor)
      return
    }
    next?.sockets.close()
    for (let tries = 1; !this.#closed; tries++) {
      const openedFor = this.#wanted()
      const opened = await openCaptures(openedFor)
      if (opened.ok) {
        this.#take(opened.value, openedFor)
        return
      }
      const isSoon = tries <= REOPEN_SOON.times
      if (!isSoon) this.#log.write('error', 'capture', failureFields(opened.failure))
      await delay(isSoon ? REOPEN_SOON.interval : REOPEN_INTERVAL)
    }
  }

  /** No receiver has had these. */
  #take(sockets: CaptureSockets, openedFor: Captures): void {
    this.#sockets = sockets
    this.#openedFor = openedFor
    this.#isSuspect = false
    this.#isUnconfined = false
    if (this.#closed) sockets.close()
  }

  close(): void {
    this.#closed = true
    this.#next?.sockets.close()
    this.#sockets.close()
  }
}

function isSame({ captures: one }: Captures, { captures: other }: Captures): boolean {
  return isDeepStrictEqual(one, other)
}
