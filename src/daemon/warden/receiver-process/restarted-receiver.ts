/**
 * A receiver that is started again when it dies, as the warden sees it: its start, its messages, its end. The capture
 * socket belongs to the warden and outlives the receiver, so packets that arrive in between wait in it.
 *
 * Two kinds of failure are permanent. If a receiver ends before it was ready, with a permanent reason (no privilege, a
 * bad configuration), the next start would fail too. And if no receiver became ready in a row of starts, none will. A
 * receiver that was ready has read packets, so its reason is not trusted: it is always replaced.
 */
import type { Readable } from 'node:stream'
import { type FailureCode, failureKinds } from '../../../failure-codes.ts'
import { type Milliseconds, milliseconds } from '../../../units.ts'
import { type Channel, openChannel } from '../../link/channel.ts'
import type { ReceiverProcess, SpawnedReceiver } from './spawn.ts'

export interface ReceiverEvents {
  /** A receiver runs. It sends `started` itself when its configuration may be sent. */
  readonly onStarted: () => void
  /** Its standard error. @param runs whether it is still the running one. */
  readonly onErrors: (errors: Readable, runs: () => boolean) => void
  readonly onValues: (values: unknown[]) => void
  /** It broke the framing of the channel, and is being ended. */
  readonly onBroken: (why: string) => void
  /**
   * It is gone. `again` says when the next one starts; undefined if it was told to stop. The next one also waits for
   * the returned promise, which must not reject.
   */
  readonly onLost: (why: string, again: Milliseconds | undefined) => Promise<void> | void
  /** It is gone, because another one should take its place. As `onLost`, the next one waits for the promise. */
  readonly onReplaced: () => Promise<void>
  /** It is gone, and no other starts: none would become ready. */
  readonly onHopeless: (why: string) => void
}

/** How long to wait before the n-th new start in a row; the last value repeats. */
const RESTART_DELAYS: readonly Milliseconds[] = [0, 100, 200, 500, 1000, 2000, 5000].map(milliseconds)
/** A receiver that lived this long was healthy; after it, a new row of starts begins. */
const WELL_AFTER = milliseconds(10_000)
/** How long after its end the last messages of a receiver may take to arrive. */
const LAST_MESSAGES_TIME = milliseconds(200)
/** Exit statuses of failures that would happen again at the next start (failure-codes.ts). */
const PERMANENT: readonly (number | null)[] = [64, 77, 78]

export class RestartedReceiver {
  readonly #spawn: () => SpawnedReceiver
  readonly #events: ReceiverEvents
  #child: ReceiverProcess | undefined
  #channel: Channel | undefined
  #restarts = 0
  /** Whether the running receiver is ready; whether any ever was. */
  #ready = false
  #wasEverReady = false
  #stopped = false
  /** Whether the running receiver was ended by {@link replace}. */
  #isReplaced = false
  #timer: NodeJS.Timeout | undefined

  /** @param spawn starts a receiver without any privilege and returns the warden's end of its channel. */
  constructor(spawn: () => SpawnedReceiver, events: ReceiverEvents) {
    this.#spawn = spawn
    this.#events = events
  }

  get pid(): number | undefined {
    return this.#child?.pid
  }

  start(): void {
    const startedAt = performance.now()
    this.#ready = false
    this.#isReplaced = false
    const { child, channel, errors } = this.#spawn()
    this.#events.onErrors(errors, () => this.#child === child)
    this.#child = child
    let why: string | undefined
    let said: number | undefined
    let lost = false
    const onLost = (how: string, status: number | null): void => {
      if (lost) return
      lost = true
      this.#channel?.end()
      this.#channel = undefined
      this.#child = undefined
      if (this.#stopped) {
        this.#events.onLost(why ?? how, undefined)
        return
      }
      if (this.#isHopeless(status)) {
        this.#stopped = true
        this.#events.onHopeless(why ?? how)
        return
      }
      if (performance.now() - startedAt > WELL_AFTER) this.#restarts = 0
      if (this.#isReplaced) this.#restarts = 0
      const delay = RESTART_DELAYS[Math.min(this.#restarts++, RESTART_DELAYS.length - 1)] ?? milliseconds(0)
      const prepared = Promise.resolve(
        this.#isReplaced ? this.#events.onReplaced() : this.#events.onLost(why ?? how, delay),
      )
      prepared.then(() => {
        if (!this.#stopped) this.#timer = setTimeout(() => this.start(), delay)
      })
    }
    let receivedAll = (): void => {}
    const allReceived = new Promise<void>((done) => {
      receivedAll = done
    })
    child.once('error', (error) => onLost(error.message, null))
    child.once('exit', (code, signal) => {
      // A process that it started would hold its sockets, and its end of the channel.
      killAll(child)
      // Its last message may give the reason, and arrives after the news of its end.
      const timer = setTimeout(receivedAll, LAST_MESSAGES_TIME)
      allReceived.then(() => {
        clearTimeout(timer)
        onLost(
          signal !== null ? `killed by ${signal}` : code === null ? 'it ended' : `exit status ${code}`,
          code ?? said ?? null,
        )
      })
    })
    this.#channel = openChannel(channel, {
      onValues: (values) => {
        said = statusSaid(values.at(-1)) ?? said
        this.#events.onValues(values)
      },
      // An attacker may control it, so it is not asked again.
      onBroken: (what) => {
        why = `it sent an invalid message: ${what}`
        this.#events.onBroken(why)
        killAll(child)
      },
      onEnd: () => {
        receivedAll()
        killAll(child)
      },
    })
    this.#events.onStarted()
  }

  /** The running receiver receives packets. */
  becameReady(): void {
    this.#ready = true
    this.#wasEverReady = true
  }

  #isHopeless(status: number | null): boolean {
    if (!this.#ready && PERMANENT.includes(status)) return true
    return !this.#wasEverReady && this.#restarts >= RESTART_DELAYS.length
  }

  send(value: unknown): void {
    this.#channel?.send(value)
  }

  /** Bytes that it has not read yet. */
  get backlog(): number {
    return this.#channel?.backlog ?? 0
  }

  /** Ends this receiver because of what it sent; a new one starts. */
  kill(): void {
    if (this.#child !== undefined) killAll(this.#child)
  }

  /**
   * Ends this receiver, which did nothing wrong: a new one starts at once.
   * @returns whether there is one. If not, the next one starts soon in any case.
   */
  replace(): boolean {
    if (this.#child === undefined) return false
    this.#isReplaced = true
    this.kill()
    return true
  }

  /** Ends it permanently. Resolves when it is gone. */
  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#timer)
    const child = this.#child
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const gone = new Promise((done) => child.once('exit', done))
    killAll(child)
    await gone
  }
}

/**
 * The exit status of a receiver by its own last message: systemd knows how it ended, and the warden does not. Before it
 * has read a packet, it may be believed.
 */
function statusSaid(value: unknown): number | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { type, code } = value as { readonly type?: unknown; readonly code?: unknown }
  const isKnown = type === 'failed' && typeof code === 'string' && Object.hasOwn(failureKinds, code)
  return isKnown ? failureKinds[code as FailureCode].exit : undefined
}

/** The receiver leads a process group. Processes that it may have started end with it. */
function killAll(child: ReceiverProcess): void {
  child.kill('SIGKILL')
  try {
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
  } catch {
    // It leads no group, or the group is empty.
  }
}
