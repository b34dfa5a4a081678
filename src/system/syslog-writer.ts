/**
 * Writes lines to the system log of this host, as syslog(3) does: one datagram each to `/dev/log`. It never waits for
 * the reader. Lines that find no room, or no reader, wait in memory up to a limit, and are tried again. Beyond the
 * limit, lines are dropped and counted.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { type Milliseconds, milliseconds } from '../units.ts'
import { libc } from './libc.ts'
import { type Sent, sendDatagram, socketAddress } from './unix-datagram.ts'

export const DEV_LOG = '/dev/log'

/** The severities of syslog(3). */
export const severities = { error: 3, warning: 4, info: 6, debug: 7 } as const
export type Severity = keyof typeof severities

const MOST_WAITING = 4096
/** rsyslog and systemd take at least this much. */
const LONGEST_MESSAGE = 8192
const TRY_AGAIN_AFTER = milliseconds(100)
const FLUSH_STEP = milliseconds(5)
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

export interface SyslogName {
  /** Without blanks, `:` and brackets. */
  readonly identity: string
  /** The facility of syslog(3) by its number: 3 for daemons, 16 to 23 for local use. */
  readonly facility: number
}

export class SyslogWriter {
  #name: SyslogName
  readonly #send: (message: Uint8Array) => Sent
  readonly #waiting: string[] = []
  #lost = 0
  #last: Sent = 'sent'

  /** @param send to the reader; by default the one at {@link DEV_LOG}. */
  constructor(name: SyslogName, send: (message: Uint8Array) => Sent = sendTo(DEV_LOG)) {
    this.#name = name
    this.#send = send
  }

  rename(name: SyslogName): void {
    this.#name = name
  }

  /** @param text one line, printable. */
  line(severity: Severity, text: string, now: Date = new Date()): void {
    const { identity, facility } = this.#name
    const message = `<${facility * 8 + severities[severity]}>${timestamp(now)} ${identity}[${process.pid}]: ${text}`
    if (this.#waiting.length >= MOST_WAITING) {
      this.#lost++
      return
    }
    this.#waiting.push(message)
    if (this.#waiting.length === 1) this.#next()
  }

  /** Whether there is no reader: nothing is gained by waiting for one. */
  get hasNoReader(): boolean {
    return this.#last === 'gone'
  }

  /** Resolves when all is sent, or when that takes longer than this, or when there is no reader. */
  async flush(longest: Milliseconds): Promise<void> {
    const deadline = performance.now() + longest
    while (this.#waiting.length > 0 && !this.hasNoReader && performance.now() < deadline) await delay(FLUSH_STEP)
  }

  #next(): void {
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      this.#last = this.#send(Buffer.from(next).subarray(0, LONGEST_MESSAGE))
      if (this.#last !== 'sent') {
        setTimeout(() => this.#next(), TRY_AGAIN_AFTER).unref()
        return
      }
      this.#waiting.shift()
    }
    if (this.#lost === 0) return
    const lost = this.#lost
    this.#lost = 0
    this.line('error', `${lost} log lines were lost: syslog did not take them`)
  }
}

function sendTo(path: string): (message: Uint8Array) => Sent {
  const address = socketAddress(path)
  return (message) => (address === undefined ? 'gone' : sendDatagram(libc(), address, message))
}

/** `Nov  6 00:35:26`, in the time zone of the host. */
function timestamp(now: Date): string {
  const two = (number: number): string => `${number}`.padStart(2, '0')
  const time = [now.getHours(), now.getMinutes(), now.getSeconds()].map(two).join(':')
  return `${MONTHS[now.getMonth()]} ${`${now.getDate()}`.padStart(2)} ${time}`
}
