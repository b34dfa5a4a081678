/**
 * Tells systemd about this process: ready, reloading, stopping, alive, and a sentence for `systemctl status`
 * (sd_notify(3)). Each message is one datagram to the Unix socket of `NOTIFY_SOCKET`.
 */
import { printable } from '../../bytes/text.ts'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import { type Libc, libc } from '../../system/libc.ts'
import { LONGEST_SOCKET_PATH, sendDatagram, socketAddress } from '../../system/unix-datagram.ts'
import { type Milliseconds, milliseconds } from '../../units.ts'

export interface ServiceManager {
  /** Packets are being received, under the wanted configuration. */
  ready(status: string): void
  /** The configuration is being read again; {@link ready} ends that. */
  reloading(): void
  stopping(): void
  /** For people only: does not change whether the service is ready. */
  tell(status: string): void
  /** After so long without {@link alive} the manager restarts a server that was ready; undefined: it does not wait. */
  readonly patience: Milliseconds | undefined
  alive(): void
}

/** For a server that no manager started. */
export const noServiceManager: ServiceManager = {
  ready: () => {},
  reloading: () => {},
  stopping: () => {},
  tell: () => {},
  patience: undefined,
  alive: () => {},
}

/** Both get all news. */
export function bothManagers(one: ServiceManager, other: ServiceManager): ServiceManager {
  const each = (say: (manager: ServiceManager) => void): void => {
    say(one)
    say(other)
  }
  return {
    ready: (status) => each((manager) => manager.ready(status)),
    reloading: () => each((manager) => manager.reloading()),
    stopping: () => each((manager) => manager.stopping()),
    tell: (status) => each((manager) => manager.tell(status)),
    patience: one.patience ?? other.patience,
    alive: () => each((manager) => manager.alive()),
  }
}

/** How often, and how long apart, a manager that is too busy for a datagram is tried again. */
const MOST_TRIES = 200
const RETRY_AFTER = milliseconds(50)
/** Messages that wait: the oldest is dropped for more. */
const MOST_WAITING = 20

/**
 * The manager that started this process. Removes `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID` from
 * `environment`, so that no child can speak for this process.
 * @param pid of this process.
 * @returns VALUE_INVALID if the socket cannot be used, or the native part cannot be loaded.
 */
export function serviceManager(
  environment: NodeJS.ProcessEnv,
  pid: number = process.pid,
): Result<ServiceManager, Failure<'VALUE_INVALID'>> {
  const { NOTIFY_SOCKET: name, WATCHDOG_USEC: time, WATCHDOG_PID: watched } = environment
  for (const variable of ['NOTIFY_SOCKET', 'WATCHDOG_USEC', 'WATCHDOG_PID']) delete environment[variable]
  if (name === undefined || name === '') return ok(noServiceManager)
  const address = socketAddress(name)
  if (address === undefined)
    return refuse(
      'VALUE_INVALID',
      `NOTIFY_SOCKET “${name}”: needs a path, or @ and a name, of at most ${LONGEST_SOCKET_PATH} bytes`,
    )
  let native: Libc
  try {
    native = libc()
  } catch (error) {
    return refuse('VALUE_INVALID', `systemd cannot be told that this server is ready: ${(error as Error).message}`, {
      suggestion: 'Type=exec in the unit',
    })
  }
  const queue = new MessageQueue(native, address)
  const say = (...assignments: readonly string[]): void => queue.add(Buffer.from(`${assignments.join('\n')}\n`))
  return ok({
    ready: (status) => say('READY=1', describe(status)),
    reloading: () => say('RELOADING=1', describe('reading the configuration again')),
    stopping: () => say('STOPPING=1', describe('stopping')),
    tell: (status) => say(describe(status)),
    patience: patienceOf(time, watched, pid),
    // One that arrives late would hide that the server hangs, so it is not tried again.
    alive: () => void sendDatagram(native, address, Buffer.from('WATCHDOG=1\n')),
  })
}

/** sd_watchdog_enabled(3). @param time in microseconds. @param watched the process that is waited for. */
function patienceOf(time = '', watched: string | undefined, pid: number): Milliseconds | undefined {
  if (watched !== undefined && watched !== String(pid)) return undefined
  return /^[1-9][0-9]{0,14}$/.test(time) ? milliseconds(Number(time) / 1000) : undefined
}

/** Characters of a sentence. systemd drops a whole message of more than 4096 bytes, and with it READY=1. */
const LONGEST_STATUS = 1000

function describe(status: string): string {
  // `systemctl status` shows it unchanged, and a line feed would begin another assignment.
  return `STATUS=${printable(status).slice(0, LONGEST_STATUS)}`
}

/**
 * Sends in order, since ready must not come before the reload that it ends. The caller never waits: a manager that
 * hangs must not stop the server.
 */
class MessageQueue {
  readonly #native: Libc
  readonly #address: Uint8Array
  readonly #waiting: Uint8Array[] = []
  /** Of the first one. */
  #tries = 0
  #timer: NodeJS.Timeout | undefined

  constructor(native: Libc, address: Uint8Array) {
    this.#native = native
    this.#address = address
  }

  add(message: Uint8Array): void {
    this.#waiting.push(message)
    if (this.#waiting.length > MOST_WAITING) this.#waiting.shift()
    if (this.#timer === undefined) this.#send()
  }

  #send(): void {
    this.#timer = undefined
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      const isBusy = sendDatagram(this.#native, this.#address, next) === 'busy'
      if (isBusy && ++this.#tries < MOST_TRIES) {
        this.#timer = setTimeout(() => this.#send(), RETRY_AFTER).unref()
        return
      }
      this.#waiting.shift()
      this.#tries = 0
    }
  }
}
