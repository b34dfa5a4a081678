/**
 * What a receiver does in each kind of loop: it takes its configuration, looks at packets under it, answers
 * the warden, and reports its numbers.
 */

import { StanzaIndex } from '../../access/matching.ts'
import { OpenerMemory } from '../../access/opener-memory.ts'
import type { CaptureCounters, CapturedPacket, Elsewhere } from '../../capture/capture.ts'
import { MOST_CONNECTIONS } from '../../capture/tcp-server/tcp-server.ts'
import { monotonic } from '../../clock.ts'
import { loadConfig } from '../../config/load.ts'
import { filesFromSnapshot } from '../../config/reading/config-files.ts'
import { type Failure, ok, type Result } from '../../result.ts'
import { returnMemory } from '../../system/return-memory.ts'
import { setV8Options } from '../../system/v8-options.ts'
import { type Milliseconds, milliseconds } from '../../units.ts'
import type { GnupgRequest } from '../link/gnupg-protocol.ts'
import { type CaptureOrder, type FromReceiver, LONGEST_DETAIL, type ToReceiver } from '../link/protocol.ts'
import { confineReceiver } from './confine.ts'
import { GnupgDesk } from './gnupg-desk.ts'
import { limitReceiver } from './limits.ts'
import { Triage } from './triage.ts'

/** How long after a packet the warden gets the new numbers. */
const TALLY_DELAY = milliseconds(50)

/** How long the last packets may wait for GnuPG: several hundred of them, if it works. */
const LAST_ANSWERS = milliseconds(10_000)

/** A capture, as far as its numbers go. */
export interface PacketCounter {
  counters(): CaptureCounters
}

/** The loop that drives a receiver. */
export interface ReceiverDriver {
  /** Sends a message to the warden. */
  send(message: FromReceiver): void
  /** Bytes that the warden has not taken yet. */
  backlog(): number
  /** Begins to talk to the GnuPG process, once. @param fd the sockets to it. @returns what sends. */
  gnupg(fd: number): (request: GnupgRequest) => void
  /**
   * Begins to capture, once. {@link ReceiverDuty.ready} follows when packets can come, and {@link ReceiverDuty.look}
   * with each of them.
   * @returns what counts them
   * @throws Error with a failure in `cause`
   */
  capture(orders: readonly CaptureOrder[]): readonly PacketCounter[]
}

export class ReceiverDuty {
  readonly #driver: ReceiverDriver
  #triage: Triage | undefined
  #gnupg: GnupgDesk | undefined
  #orders: readonly CaptureOrder[] = []
  #captures: readonly PacketCounter[] = []
  #reportAt: Milliseconds | undefined
  /** How many more packets may be looked at; undefined without a limit. */
  #left: number | undefined
  /** How far the end has come: no more packets are looked at, but some still wait for GnuPG; or all is said. */
  #end: { readonly failure?: Failure; readonly until: Milliseconds } | 'said' | undefined

  constructor(driver: ReceiverDriver) {
    this.#driver = driver
  }

  /** Messages of the warden. It is trusted. @returns why the receiver cannot go on, where it cannot. */
  onMessages(messages: readonly ToReceiver[]): Result<void> {
    for (const message of messages) {
      const done = this.#onMessage(message)
      if (!done.ok) return done
    }
    return ok(undefined)
  }

  #onMessage(message: ToReceiver): Result<void> {
    switch (message.type) {
      case 'alive?':
        this.#driver.send({ type: 'alive' })
        return ok(undefined)
      case 'tally?':
        this.#triage?.tally(...this.#unseen())
        return ok(undefined)
      case 'claimed':
        this.#triage?.claimed(message.digests)
        return ok(undefined)
      case 'unclaimed':
        this.#triage?.unclaimed(message.digests)
        return ok(undefined)
      case 'configure':
        return this.#configure(message)
      default:
        return message satisfies never
    }
  }

  #configure({ files, source, generation, captures, gnupg }: ToReceiver & { type: 'configure' }): Result<void> {
    const loaded = loadConfig(filesFromSnapshot(files), source)
    // The warden parsed the same texts and found them good.
    if (!loaded.ok) return loaded
    const { server, policy } = loaded.value
    const receiving = {
      policy,
      index: new StanzaIndex(policy.stanzas, policy.sharedPorts),
      openers: new OpenerMemory(),
    }
    if (this.#triage === undefined) {
      const { send, backlog } = this.#driver
      this.#left = server.packetLimit
      if (gnupg !== undefined) this.#gnupg = new GnupgDesk(this.#driver.gnupg(gnupg), monotonic)
      this.#triage = new Triage(receiving, server.refusalsPerSecond, send, backlog, this.#gnupg)
      this.#orders = captures
      this.#captures = this.#driver.capture(captures)
    } else this.#triage.reconfigure(receiving, server.refusalsPerSecond)
    this.#driver.send({ type: 'configured', generation })
    return ok(undefined)
  }

  /**
   * Packets can come now: from here on strangers are listened to. Nothing that it needs is out of reach: all its code
   * is loaded.
   */
  ready(): void {
    const captureSockets = this.#orders.flatMap(({ sockets }) => (sockets === 'own' ? [] : sockets))
    setV8Options('receiver')
    const listening = this.#orders.flatMap(({ config, sockets }) =>
      config.kind === 'tcp-server' && sockets !== 'own' ? sockets : [],
    )
    const limited = limitReceiver(listening.length > 0 ? MOST_CONNECTIONS : 0)
    const confinement = confineReceiver({
      captureSockets,
      listening,
      waitsBy: this.#orders.some(({ sockets }) => sockets === 'own') ? 'events' : 'poll',
      pid: process.pid,
    })
    const confined = confinement.ok ? limited : confinement
    this.#driver.send({
      type: 'ready',
      ...(!confined.ok && { unconfined: confined.failure.detail.slice(0, LONGEST_DETAIL) }),
    })
    // Packets that come meanwhile wait in the socket.
    returnMemory()
  }

  look(packets: readonly CapturedPacket[]): void {
    if (this.isClosed) return
    if (this.#left !== undefined && packets.length >= this.#left) {
      this.#triage?.look(packets.slice(0, this.#left))
      this.finish()
      return
    }
    if (this.#left !== undefined) this.#left -= packets.length
    this.#triage?.look(packets)
    this.#reportAt ??= milliseconds(monotonic() + TALLY_DELAY)
  }

  /**
   * No more packets are looked at. It ends when those that wait for GnuPG have got their answer, or after some time.
   * @param failure why it ends before all were looked at.
   */
  finish(failure?: Failure): void {
    if (this.isClosed) return
    this.#end = { until: milliseconds(monotonic() + LAST_ANSWERS), ...(failure !== undefined && { failure }) }
    this.#endIfAnswered()
  }

  /** Whether no more packets are looked at. */
  get isClosed(): boolean {
    return this.#end !== undefined
  }

  #endIfAnswered(): void {
    const end = this.#end
    if (end === undefined || end === 'said') return
    if (monotonic() >= end.until) this.#gnupg?.close()
    if (this.#gnupg?.deadline !== undefined) return
    this.#end = 'said'
    this.#reportAt = undefined
    this.#triage?.reportAll(...this.#unseen())
    const { failure } = end
    this.#driver.send({
      type: 'finished',
      ...(failure !== undefined && { code: failure.code, detail: failure.detail.slice(0, LONGEST_DETAIL) }),
    })
  }

  /** Whether a capture that can wait should. */
  get isBusy(): boolean {
    return this.#triage?.isBusy === true || this.#gnupg?.deadline !== undefined
  }

  /** What the GnuPG process answers. */
  onGnupg(answers: readonly unknown[]): void {
    for (const answer of answers) this.#gnupg?.answered(answer)
    this.#afterGnupg()
  }

  /** When {@link expireGnupg} has to be called; undefined while no answer is awaited. */
  get gnupgDeadline(): Milliseconds | undefined {
    const deadline = this.#gnupg?.deadline
    const end = this.#end
    if (deadline === undefined || end === undefined || end === 'said') return deadline
    return milliseconds(Math.min(deadline, end.until))
  }

  /** Gives up the packets whose answer does not come. */
  expireGnupg(): void {
    this.#gnupg?.expire()
    this.#afterGnupg()
  }

  #afterGnupg(): void {
    this.#endIfAnswered()
    if (this.#end !== 'said') this.#reportAt ??= milliseconds(monotonic() + TALLY_DELAY)
  }

  /**
   * When {@link report} has to be called, on the clock of `performance.now()`; undefined while there is nothing to
   * report.
   */
  get reportAt(): Milliseconds | undefined {
    return this.#reportAt
  }

  /** Sends the numbers. What was folded is sent once a second, and the last of it although nothing comes any more. */
  report(): void {
    const reported = this.#triage?.report(...this.#unseen())
    this.#reportAt = reported === 'more to report' ? milliseconds(monotonic() + TALLY_DELAY) : undefined
  }

  /** What was lost, and what came in elsewhere: to one capture at most, since only one has interfaces. */
  #unseen(): [dropped: number, elsewhere: Elsewhere | undefined] {
    const counters = this.#captures.map((capture) => capture.counters())
    const [elsewhere] = counters.flatMap((each) => each.elsewhere ?? [])
    return [counters.reduce((sum, { dropped }) => sum + dropped, 0), elsewhere]
  }
}

/** How a receiver ends that cannot go on. */
export type GiveUp = (failure: Failure) => never
