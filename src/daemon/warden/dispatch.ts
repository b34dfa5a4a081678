/**
 * Handles each message of the receiver, and its start and end. Each message is parsed as untrusted input. After one
 * dishonest message, the receiver counts as hostile.
 */
import type { Guard } from '../../firewall/firewall.ts'
import { failureFields, type Log } from '../../log.ts'
import { type Failure, refuse } from '../../result.ts'
import { returnMemory } from '../../system/return-memory.ts'
import { type Milliseconds, milliseconds } from '../../units.ts'
import type { Knock } from '../link/knock.ts'
import { type FromReceiver, parseFromReceiver } from '../link/protocol.ts'
import type { Admission } from './admission/admission.ts'
import { type Configuration, type Configurations, snapshotOf } from './configuration.ts'
import { FreshTally } from './fresh-tally.ts'
import type { HeldCapture } from './held-capture.ts'
import type { HostWatch } from './host-watch.ts'
import type { InterfaceWatch } from './interface-watch/interface-watch.ts'
import type { Journal } from './journal.ts'
import type { ReceiverHealth } from './receiver-health.ts'
import type { ReceiverLimits } from './receiver-limits.ts'
import type { ReceiverHandler } from './receiver-process/early-events.ts'
import { readyFields, receivingSentence } from './reports.ts'
import type { ServiceManager } from './service-manager.ts'

export interface DispatchParts {
  readonly configurations: Configurations
  readonly health: ReceiverHealth
  readonly limits: ReceiverLimits
  readonly capture: HeldCapture
  readonly admission: Admission
  readonly journal: Journal
  readonly host: HostWatch
  readonly interfaces: InterfaceWatch
  readonly manager: ServiceManager
  readonly log: Log
  /** Process id of the running receiver. */
  readonly receiverPid: () => number | undefined
  /** How the rules are kept from other programs. */
  readonly guard: () => Guard | undefined
  /** Called when all packets were looked at that should be; with the reason if not all could be. */
  readonly onFinished: (why: Failure | undefined) => void
  /** The receiver’s descriptor for the GnuPG process. */
  readonly gnupgDescriptor: () => number | undefined
  /** Called when another configuration has come into force. */
  readonly onReload: (before: Configuration, after: Configuration) => void
  /** Called when no receiver can run, and none is started any more. */
  readonly onHopeless: (why: Failure) => void
}

type OtherMessage = Exclude<FromReceiver, { type: 'knock' }>

export class Dispatch implements ReceiverHandler {
  readonly #parts: DispatchParts
  readonly #freshTally: FreshTally
  /** The running receiver has given up its privilege, so keys may be sent to it. */
  #mayGetKeys = false
  /** The running receiver got a new configuration before any packet, so it is still honest if it does not confirm. */
  #isTrial = false
  /** What the operator must know once packets are received again. */
  #remark: string | undefined
  /** Why the receiver ends, by its own account. */
  #ownReason: Failure | undefined
  /** Who waits for the end of a reload. */
  readonly #reloads: ((failure: Failure | undefined) => void)[] = []

  constructor(parts: DispatchParts) {
    this.#parts = parts
    this.#freshTally = new FreshTally(() => {
      parts.limits.allowAnswers(1)
      parts.health.send({ type: 'tally?' })
    })
  }

  onStarted(): void {
    this.#ownReason = undefined
    this.#mayGetKeys = false
    this.#isTrial = false
    this.#parts.health.started()
  }

  onValues(values: readonly unknown[]): void {
    const { health, limits } = this.#parts
    const now = health.received()
    const knocks: Knock[] = []
    for (const value of values) {
      if (health.isDistrusted) return
      const message = parseFromReceiver(value)
      if (!message.ok) {
        health.mistrust(message.failure)
        return
      }
      if (message.value.type === 'knock') {
        knocks.push(message.value.knock)
        continue
      }
      // Knocks sent before a change of policy are judged by the earlier policy.
      this.#submit(knocks.splice(0))
      const tooMany = limits.onMessage(now)
      if (tooMany === undefined) this.#onMessage(message.value)
      else health.mistrust(tooMany)
    }
    this.#submit(knocks)
  }

  onBroken(detail: string): void {
    this.onHostile({ code: 'WARDEN_PROTOCOL', detail })
  }

  onHostile(failure: Failure): void {
    this.#parts.health.mistrust(failure)
  }

  async onLost(why: string, again: Milliseconds | undefined): Promise<void> {
    const { health, journal, log, manager, capture } = this.#parts
    health.lost()
    journal.receiverLost()
    if (again === undefined) return
    if (this.#readsFile) {
      // Another one would read the same file.
      log.write('error', 'receiver lost', failureFields(this.#whyLost(why)))
      this.#parts.onFinished(this.#whyLost(why))
      return
    }
    log.write('error', 'receiver lost', { ...failureFields(this.#whyLost(why)), againInMs: again })
    this.#abandonAfterTrial(why)
    manager.tell(`not receiving: ${why}; a new receiver starts`)
    await capture.renew()
  }

  async onReplaced(): Promise<void> {
    const { health, journal, manager, capture } = this.#parts
    health.lost()
    journal.receiverLost()
    manager.tell('not receiving: a new receiver starts')
    await capture.renew()
  }

  onHopeless(why: string): void {
    const { health, journal, log, onHopeless } = this.#parts
    health.lost()
    journal.receiverLost()
    const failure = this.#whyLost(why)
    log.write('error', 'receiver lost', failureFields(failure))
    onHopeless(failure)
  }

  /** Sends the receiver its configuration. Until it confirms, its knocks have their earlier meaning. */
  configure(): void {
    // A starting receiver gets it once it has given up its privilege.
    if (!this.#mayGetKeys) return
    const { configurations, health, capture, gnupgDescriptor } = this.#parts
    const { wanted, source } = configurations
    const gnupg = gnupgDescriptor()
    this.#isTrial = configurations.isPending && !health.isCapturing
    const { orders } = capture.sockets
    health.sendConfiguration(
      {
        type: 'configure',
        generation: wanted.generation,
        source,
        files: snapshotOf(wanted),
        captures: orders,
        ...(gnupg !== undefined && { gnupg }),
      },
      wanted.files.length,
    )
  }

  /** Resolves when the receiver has sent its current counts; soon if no receiver answers. */
  async freshTally(): Promise<void> {
    if (this.#parts.health.isCapturing) await this.#freshTally.wait()
  }

  /**
   * Unless packets are being received, ready waits for the receiver's message. @param remark what else the operator
   * must know.
   */
  reportReady(remark?: string): void {
    const { health, manager, configurations } = this.#parts
    if (health.isCapturing) manager.ready(receivingSentence(configurations.active, remark))
  }

  /** Resolves when the next reload has come to its end: with the reason, if it was refused. */
  nextReload(): Promise<Failure | undefined> {
    return new Promise((resolve) => this.#reloads.push(resolve))
  }

  #reloadEnded(failure: Failure | undefined): void {
    for (const resolve of this.#reloads.splice(0)) resolve(failure)
  }

  /** The reload was refused, and the operator hears it. */
  reloadRefused(failure: Failure): void {
    this.#reloadEnded(failure)
    this.#parts.log.write('error', 'reload refused', { ...failureFields(failure), kept: 'the previous configuration' })
    const remark = `the last reload was refused (${failure.code}), the previous configuration is still in force`
    if (this.#parts.health.isCapturing) this.reportReady(remark)
    else this.#remark = remark
  }

  /**
   * A new configuration may be too large for each receiver. One that has seen packets may be hostile. By its end it
   * must not keep a configuration out. So the next receiver tries it, and its end counts.
   */
  #abandonAfterTrial(why: string): void {
    const { configurations } = this.#parts
    if (!this.#isTrial || !configurations.isPending) return
    configurations.abandon()
    const { code, detail } = this.#whyLost(why)
    this.reloadRefused({ code, detail: `a new receiver ended over the new configuration: ${detail}` })
  }

  #submit(knocks: readonly Knock[]): void {
    if (knocks.length === 0) return
    const { admission, journal, health, limits, configurations } = this.#parts
    if (!this.#readsFile && knocks.some(({ packet }) => packet.way === 'pcap-file')) {
      this.onBroken('a knock from a capture file, and there is none')
      return
    }
    const tooMany = limits.onKnocks(admission.length + knocks.length)
    if (tooMany !== undefined) {
      health.mistrust(tooMany)
      return
    }
    journal.reported(knocks.length)
    admission.submit(knocks, configurations.active, health.number)
  }

  #onMessage(message: OtherMessage): void {
    const { journal, configurations } = this.#parts
    switch (message.type) {
      case 'alive':
        return
      case 'started':
        this.#onPrivilegeGone()
        return
      case 'configured':
        this.#onConfigured(message.generation)
        return
      case 'ready':
        this.#onReady(message.unconfined)
        return
      case 'refused':
        journal.refused(message.note, configurations.active.index)
        return
      case 'suppressed':
        journal.suppressed(message.counts)
        return
      case 'tally':
        journal.tally(message.tally)
        this.#freshTally.arrived()
        return
      case 'finished':
        this.#onAllLooked(message)
        return
      case 'failed':
        this.#ownReason = { code: message.code, detail: message.detail }
        return
      default:
        message satisfies never
    }
  }

  #onPrivilegeGone(): void {
    if (this.#mayGetKeys) {
      this.onBroken('it started twice')
      return
    }
    this.#mayGetKeys = true
    this.configure()
  }

  #onConfigured(generation: number): void {
    const { configurations, health, limits, journal, admission, host, log } = this.#parts
    if (generation !== configurations.wanted.generation || !health.isAwaited) return
    health.settled()
    const before = configurations.active
    if (configurations.activate()) {
      this.#parts.onReload(before, configurations.active)
      this.#remark = undefined
      log.write('info', 'reload', { stanzas: configurations.active.policy.stanzas.length })
      admission.reconsider()
      journal.keepUsesOf(new Set(configurations.active.policy.stanzas.flatMap(({ name }) => name ?? [])))
      this.#reloadEnded(undefined)
    }
    const { refusalsPerSecond } = configurations.active.server
    journal.limitRefusals(refusalsPerSecond)
    limits.configurationRead(refusalsPerSecond)
    this.reportReady()
    if (health.isCapturing) host.changed()
  }

  get #readsFile(): boolean {
    return this.#parts.configurations.active.server.captures.some(({ kind }) => kind === 'pcap-file')
  }

  #onAllLooked({ code, detail = '' }: FromReceiver & { type: 'finished' }): void {
    const { configurations, log, onFinished } = this.#parts
    if (!this.#readsFile && configurations.active.server.packetLimit === undefined) {
      this.onBroken('it finished, although nothing has an end')
      return
    }
    log.write('info', 'finished', { looked: this.#parts.journal.counters().looked })
    onFinished(code === undefined ? undefined : { code, detail })
  }

  /** @param unconfined why the kernel does not confine it, if so. */
  #onReady(unconfined: string | undefined): void {
    const { health, capture, configurations, host, interfaces, log, receiverPid, guard } = this.#parts
    if (health.isCapturing) {
      this.onBroken('it was ready twice')
      return
    }
    health.captureBegan()
    // Sent before the receiver looks at any packet, so it is still honest.
    capture.confined(unconfined === undefined)
    if (unconfined !== undefined) log.write('warning', 'notice', { text: unconfined })
    log.write('info', 'ready', readyFields(configurations.active, receiverPid(), guard()))
    this.reportReady(this.#remark)
    this.#remark = undefined
    returnMemory()
    // Only now: a knock must not wait until a large ruleset is read.
    host.changed(milliseconds(0))
    void interfaces.begin()
  }

  #whyLost(why: string): Failure {
    return this.#ownReason ?? refuse('RECEIVER_GONE', why).failure
  }
}
