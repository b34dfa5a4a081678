/**
 * Tells the service manager that this server does its work, so that it can end and restart one that does not
 * (`WatchdogSec=` of systemd). Each message needs a look at the work: packets are received, and what the firewall
 * installed is there. A timer alone proves nothing: it would run in a server that nobody can reach.
 */
import type { Firewall } from '../../firewall/firewall.ts'
import type { Log } from '../../log.ts'
import type { ReceiverHealth } from './receiver-health.ts'
import type { ServiceManager } from './service-manager.ts'

/** How many looks there are in the time that the manager waits: two may fail, or be late. */
const LOOKS = 3

export interface WatchdogParts {
  readonly manager: Pick<ServiceManager, 'patience' | 'alive'>
  readonly health: Pick<ReceiverHealth, 'isWell'>
  readonly firewall: Pick<Firewall, 'isInPlace'>
  readonly log: Log
}

export class Watchdog {
  readonly #parts: WatchdogParts
  #timer: NodeJS.Timeout | undefined
  #isLooking = false
  /** What the latest look found, for the log. */
  #trouble: string | undefined

  constructor(parts: WatchdogParts) {
    this.#parts = parts
  }

  /** Looks at intervals from now on, if the manager waits for that. */
  begin(): void {
    const { patience } = this.#parts.manager
    if (patience !== undefined) this.#timer = setInterval(() => void this.look(), patience / LOOKS).unref()
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  /** Looks once. Does nothing while the firewall has not answered the latest look. */
  async look(): Promise<void> {
    if (this.#isLooking) return
    this.#isLooking = true
    const trouble = await this.#findTrouble().catch((error: Error) => error.message)
    this.#isLooking = false
    if (trouble === undefined) this.#parts.manager.alive()
    else if (this.#trouble === undefined)
      this.#parts.log.write('error', 'not well', {
        detail: `${trouble}. If this lasts, the service manager restarts the server`,
      })
    this.#trouble = trouble
  }

  async #findTrouble(): Promise<string | undefined> {
    const { health, firewall } = this.#parts
    if (!health.isWell) return 'no packets are received'
    return (await firewall.isInPlace()) ? undefined : 'the rules of ghostport are missing, and could not be restored'
  }
}
