/**
 * Watches the receiver, and ends one that misses a deadline, does not answer, or does what an honest one never does.
 * receiver-process/restarted-receiver.ts then starts the next one. Without this, a process of the receiver's user could
 * stop the receiver (SIGSTOP), and all users would be shut out unnoticed. Times are this process's own (own-time.ts).
 */
import { failureFields, type Log } from '../../log.ts'
import type { Failure } from '../../result.ts'
import { type Brand, type Milliseconds, milliseconds } from '../../units.ts'
import type { ToReceiver } from '../link/protocol.ts'
import type { HeldCapture } from './held-capture.ts'
import { afterOwnTime, ownTime } from './own-time.ts'
import type { ReceiverLimits } from './receiver-limits.ts'
import type { Receiver } from './receiver-process/no-receiver.ts'

/** How often the receiver is asked whether it is alive. */
const ASK_INTERVAL = milliseconds(1000)
/** After this long without a message it is replaced: longer than a flood can keep an honest receiver silent. */
const LONGEST_SILENCE = milliseconds(10_000)
/** How long it may take to start, and to give up its privilege. */
const START_TIME = milliseconds(20_000)
/** How long it may take to read a configuration, plus a millisecond for each so many bytes: ten times what it takes. */
const CONFIGURE_TIME = milliseconds(10_000)
const CONFIGURE_BYTES = 500
/** A receiver that answered within this time is well: five questions. */
const WELL_FOR = milliseconds(5000)
/** Receivers that start, one after the other, are well so long without receiving. The deadlines of two fit in. */
const STARTING_FOR = milliseconds(120_000)

/** Counts the receivers of this warden: what an earlier one sent is not held against the next. */
export type ReceiverNumber = Brand<number, 'ReceiverNumber'>

export interface ReceiverHealthParts {
  readonly receiver: Pick<Receiver, 'pid' | 'send' | 'backlog' | 'kill' | 'becameReady'>
  readonly capture: Pick<HeldCapture, 'suspect'>
  readonly limits: ReceiverLimits
  readonly log: Log
  /** Called once a second. */
  readonly everySecond: () => void
  /** In milliseconds; never goes back. */
  readonly clock?: () => number
}

export class ReceiverHealth {
  readonly #parts: ReceiverHealthParts
  readonly #clock: () => number
  #asking: NodeJS.Timeout | undefined
  /** The deadline for its next step. */
  #deadline: NodeJS.Timeout | undefined
  /** When its last message arrived. */
  #lastMessageAt: number
  /** When {@link #checkHeldUp} last ran. */
  #lastCheckAt: number
  /** It is being ended for what it sent or did not do. Its further messages are ignored. */
  #isDistrusted = false
  #isCapturing = false
  /** When it last received packets, as far as is known. */
  #lastCapturedAt: number
  #number = 0

  constructor(parts: ReceiverHealthParts) {
    this.#parts = parts
    this.#clock = parts.clock ?? (() => performance.now())
    this.#lastMessageAt = this.#clock()
    this.#lastCheckAt = this.#clock()
    this.#lastCapturedAt = this.#clock()
  }

  /** Asks the receiver once a second from now on, until {@link stop}. */
  begin(): void {
    this.#asking = setInterval(() => this.#ask(), ASK_INTERVAL)
  }

  stop(): void {
    clearInterval(this.#asking)
    this.settled()
  }

  /** Whether packets are being received. */
  get isCapturing(): boolean {
    return this.#isCapturing
  }

  /** Whether it has a deadline: to give up its privilege, or to read a configuration. */
  get isAwaited(): boolean {
    return this.#deadline !== undefined
  }

  /**
   * Whether packets are received: the receiver answered lately. Or it has a deadline, and packets were received not
   * long ago.
   */
  get isWell(): boolean {
    this.#checkHeldUp()
    const now = this.#clock()
    if (this.isAwaited) return now - this.#lastCapturedAt <= STARTING_FOR
    return this.#isCapturing && now - this.#lastMessageAt <= WELL_FOR
  }

  get isDistrusted(): boolean {
    return this.#isDistrusted
  }

  /** The receiver that runs, or ran last. */
  get number(): ReceiverNumber {
    return this.#number as ReceiverNumber
  }

  /** A new receiver runs. */
  started(): void {
    this.#number++
    const now = this.#clock()
    this.#isDistrusted = false
    this.#lastMessageAt = now
    this.#parts.limits.reset(milliseconds(now))
    this.#await('it did not give up its privilege', START_TIME)
  }

  /** The receiver receives packets. */
  captureBegan(): void {
    this.#isCapturing = true
    this.#lastCapturedAt = this.#clock()
    this.#parts.receiver.becameReady()
  }

  /** The receiver is gone. */
  lost(): void {
    this.settled()
    this.#isCapturing = false
  }

  /** A message came from the receiver. @returns the time of that. */
  received(): Milliseconds {
    this.#checkHeldUp()
    const now = milliseconds(this.#clock())
    this.#lastMessageAt = now
    if (this.#isCapturing) this.#lastCapturedAt = now
    return now
  }

  /** Sends a message. If the receiver does not read, all messages would wait here. */
  send(message: ToReceiver): void {
    const { receiver, limits } = this.#parts
    receiver.send(message)
    const unread = limits.onBacklog(receiver.backlog)
    if (unread !== undefined) this.mistrust(unread)
  }

  /** Sends a configuration, which takes time to read. @param bytes of its files. */
  sendConfiguration(message: ToReceiver & { type: 'configure' }, bytes: number): void {
    const { receiver, limits } = this.#parts
    const { backlog } = receiver
    receiver.send(message)
    limits.configurationSent(receiver.backlog - backlog)
    this.#lastMessageAt = this.#clock()
    this.#await('it did not confirm its configuration', milliseconds(CONFIGURE_TIME + bytes / CONFIGURE_BYTES))
  }

  /** The receiver met its deadline. */
  settled(): void {
    clearTimeout(this.#deadline)
    this.#deadline = undefined
  }

  /**
   * An honest receiver never sends this, so an attacker controls it: it is ended, and a new one starts.
   * @param from which receiver sent it. If that one is gone, nothing is left to do.
   */
  mistrust(failure: Failure, from = this.number): void {
    if (from === this.number) this.#replace('receiver mistrusted', failureFields(failure))
  }

  /** Replaces a receiver that misses its next deadline. */
  #await(what: string, time: Milliseconds): void {
    this.settled()
    this.#deadline = afterOwnTime(
      () => {
        this.settled()
        this.#replace('receiver hangs', { detail: `${what} in ${Math.round(time)} ms` })
      },
      time,
      this.#clock,
    )
  }

  /** While this process was held up, it read nothing. So the receiver was not silent: its messages wait to be read. */
  #checkHeldUp(): void {
    const now = this.#clock()
    const heldUp = now - this.#lastCheckAt - ownTime(this.#lastCheckAt, now, ASK_INTERVAL)
    this.#lastCheckAt = now
    if (heldUp === 0) return
    this.#lastMessageAt = Math.min(now, this.#lastMessageAt + heldUp)
    this.#parts.limits.heldUp(heldUp)
  }

  #ask(): void {
    this.#parts.everySecond()
    this.#checkHeldUp()
    // A receiver that reads its configuration cannot answer. That has a deadline of its own.
    if (this.#parts.receiver.pid === undefined || this.isAwaited) return
    const silent = this.#clock() - this.#lastMessageAt
    if (silent > LONGEST_SILENCE)
      this.#replace('receiver hangs', { detail: `it has not answered for ${Math.round(silent)} ms` })
    else this.send({ type: 'alive?' })
  }

  /** Ends a receiver that cannot be trusted. What it held is suspect. */
  #replace(event: string, fields: Parameters<Log['write']>[2]): void {
    // It may have sent many such messages at once.
    if (this.#isDistrusted) return
    this.#isDistrusted = true
    this.#parts.log.write('error', event, fields)
    this.#isCapturing = false
    this.#lastMessageAt = this.#clock()
    this.#parts.capture.suspect()
    this.#parts.receiver.kill()
  }
}
