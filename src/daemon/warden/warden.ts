/**
 * The warden: the process with privilege. It opens what needs privilege, starts the receiver, and decides about what the receiver
 * reports, under its own copy of the policy. It parses no byte from the network.
 */
import { rmSync } from 'node:fs'
import type { Server } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { StanzaIndex } from '../../access/matching.ts'
import { type Clock, systemClock } from '../../clock.ts'
import { type ConfigPaths, type LoadedConfig, loadConfig } from '../../config/load.ts'
import { type ConfigSnapshot, recordFiles } from '../../config/reading/config-files.ts'
import type { ServerConfig } from '../../config/server/server-config.ts'
import { formatCapturePort } from '../../config/server/spa-ports.ts'
import type { Firewall } from '../../firewall/firewall.ts'
import { whatShuts } from '../../firewall/host/what-shuts.ts'
import { failureFields, type Log } from '../../log.ts'
import type { ReplayStore } from '../../replay/replay-store.ts'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import { systemReason } from '../../system/errno.ts'
import { type FileIdentity, removeOurFile, replaceOurFile } from '../../system/our-file.ts'
import { checkSituation, currentSituation } from '../../system/privilege.ts'
import { milliseconds } from '../../units.ts'
import type { Knock } from '../link/knock.ts'
import { type FromReceiver, parseFromReceiver, type ToReceiver } from '../link/protocol.ts'
import { type Rate, TokenBucket } from '../link/token-bucket.ts'
import { Admission } from './admission/admission.ts'
import { systemResolver } from './admission/ask-resolver.ts'
import type { AskResolver } from './admission/name-lookups.ts'
import { ownAddresses } from './admission/own-addresses.ts'
import { serveControl } from './control.ts'
import { diskFiles } from './disk-files.ts'
import { hostNotices } from './host-notices.ts'
import { HostWatch } from './host-watch.ts'
import type { InstanceLock } from './instance-lock.ts'
import { Journal } from './journal.ts'
import { openFirewall, portsInUse } from './open-firewall.ts'
import { type CaptureSockets, openCaptures, openReplays } from './open-parts.ts'
import { afterOwnTime, ownTime } from './own-time.ts'
import { judgePlaces, located, notAPidFile } from './places.ts'
import { lookupAccounts, receiverAccount } from './receiver-process/account.ts'
import { logReceiverErrors } from './receiver-process/errors.ts'
import { ReceiverProcess } from './receiver-process/receiver-process.ts'
import { receiverStarter } from './receiver-process/spawn.ts'
import { needsRestart } from './restart-settings.ts'
import { asRunningInstance, refuseSecondInstance } from './running-instance.ts'
import { noServiceManager, type ServiceManager } from './service-manager.ts'
import { describeStatus, type Status } from './status.ts'

/** A receiver that does not answer within this time (milliseconds) is replaced: more than a flood can keep an honest one. */
const PATIENCE = 10_000
/** To read a configuration it has this time, and besides a millisecond for each so many bytes: ten times what it takes. */
const CONFIGURE_PATIENCE = 10_000
/** To start, and to give up its privilege, it has this time (milliseconds). */
const START_PATIENCE = 20_000
const CONFIGURE_BYTES = 500
/** How often it is asked whether it lives, in milliseconds. */
const ASK_INTERVAL = 1000
/** How long (milliseconds) `status` waits for the receiver's numbers. Less than the patience of those who ask. */
const TALLY_PATIENCE = 500
/** How often capture sockets are tried again that cannot be opened, in milliseconds. */
const REOPEN_INTERVAL = 1000
/** Before that, so many times after so many milliseconds: the kernel takes a moment to end what held them. */
const REOPEN_SOON = { times: 10, interval: 50 }
/** Bytes that an honest receiver may have unread: the answers to some 20 000 knocks. */
const MOST_UNREAD = 1024 * 1024
/** With no honest receiver do this many knocks wait. */
const MOST_WAITING = 100_000
/**
 * Messages besides knocks that are accepted each second, and seconds of them that may come at once. An honest receiver reports what it
 * refused up to LOG_LIMIT, twice that at once; its numbers 20 times a second; and its answers, which are counted apart.
 */
const MOST_MESSAGES = { perSecond: 100, ofLogLimit: 2, atOnce: 20 }
const TOO_MANY_MESSAGES = 'it sends more messages than an honest receiver does'

/** A configuration, as parsed here and as the receiver will parse it. */
interface Configuration extends LoadedConfig {
  /** A {@link ConfigSnapshot} as JSON. It holds keys: kept once, outside of the heap of JavaScript, for the next receiver. */
  readonly files: Uint8Array
  readonly generation: number
  readonly index: StanzaIndex
}

interface Parts {
  readonly firewall: Firewall
  readonly lock: InstanceLock | undefined
  readonly replays: ReplayStore | undefined
  readonly resolve: AskResolver
}

export class Warden {
  /** Resolves where no receiver can run, and none is started any more: the server has to be stopped. Else never. */
  readonly hopeless: Promise<Failure>
  #giveUp: (failure: Failure) => void = () => {}
  readonly #paths: ConfigPaths
  readonly #log: Log
  readonly #journal: Journal
  readonly #parts: Parts
  #capture: CaptureSockets
  readonly #receiver: ReceiverProcess
  readonly #manager: ServiceManager
  readonly #admission: Admission
  readonly #startedAt = new Date()
  /** What the receiver works under, and so what its knocks mean. */
  #active: Configuration
  /** What the receiver has been sent, or will be when it starts. */
  #wanted: Configuration
  /** The receiver that runs has given up its privilege: keys may be sent to it. */
  #mayGetKeys = false
  /** The receiver that runs is being ended for what it sent or did not do: what it still sends is ignored. */
  #isDistrusted = false
  /** Until when it has to do what it has to do next. */
  #patience: NodeJS.Timeout | undefined
  readonly #asking: NodeJS.Timeout
  readonly #host: HostWatch
  /** When the last message of the receiver came, on the monotonic clock. */
  #lastMessageAt = performance.now()
  /** When {@link #wasHeldUp} last ran. */
  #looked = performance.now()
  /** How much more the receiver may send. */
  #allowance: TokenBucket
  /** Bytes of configurations that were sent to the receiver, and that it need not have read yet. */
  #unreadConfiguration = 0
  #control: Server | undefined
  /** The file of process ids that this warden wrote. */
  #pidFile: FileIdentity | undefined
  #capturing = false
  /** Why the receiver ends, by its own account. */
  #ownReason: Failure | undefined
  /** Called at the next tally, for those who wait for it. */
  #tallied: (() => void) | undefined
  #freshTally: Promise<void> | undefined
  /** Whoever held the capture sockets last may have done something to them. */
  #captureIsSuspect = false
  /** The receiver that runs, or ran last, may do anything to them: the kernel does not confine it. */
  #isUnconfined = false
  #stopping = false

  /**
   * @param log gets everything that happens.
   * @param more.starterFor how to start a receiver; tests put one there that means harm.
   * @param more.manager is told when packets are received, and about each reload.
   * @returns the warden, its receiver started and not yet ready; or why it cannot.
   */
  static async start(
    paths: ConfigPaths,
    log: Log,
    clock: Clock,
    more: { readonly starterFor?: typeof receiverStarter; readonly manager?: ServiceManager } = {},
  ): Promise<Result<Warden>> {
    const { starterFor = receiverStarter, manager = noServiceManager } = more
    const configuration = readConfiguration(paths, 0)
    if (!configuration.ok) return configuration
    const { server, notices } = configuration.value
    tellNotices(notices, log)
    const account = receiverAccount(configuration.value)
    if (!account.ok) return account
    const alone = await refuseSecondInstance(server)
    if (!alone.ok) return alone
    const places = judgePlaces(configuration.value)
    if (!places.ok) return places

    let warden: Warden | undefined
    const undo: (() => unknown)[] = []
    const giveUp = async <T extends { ok: false }>(refused: T): Promise<T> => {
      for (const step of undo.reverse()) await step()
      return refused
    }
    const capture = await openCaptures(server)
    if (!capture.ok) return capture
    undo.push(() => (warden === undefined ? capture.value : warden.#capture).close())
    const possible = checkSituation(account.value, currentSituation())
    if (!possible.ok) return giveUp(possible)
    // The receiver loads its code while the rest is being opened.
    const starter = starterFor(account.value)
    if (!starter.separateUser)
      log.write('warning', 'notice', {
        text: `the receiver cannot run as ${account.value.name} here: it runs as this user, without capabilities`,
      })
    // What the receiver sends before the rest is open: only reasons to end.
    const early: unknown[] = []
    let hopelessSoon: string | undefined
    const startReceiver = () => {
      const { fds, orders } = warden === undefined ? capture.value : warden.#capture
      return starter.start(fds, orders)
    }
    const receiver = new ReceiverProcess(startReceiver, {
      onStarted: () => warden?.onReceiverStarted(),
      onErrors: (errors, pid) =>
        logReceiverErrors(errors, log, (failure) => {
          if (receiver.pid === pid) warden?.onReceiverHostile(failure)
        }),
      onValues: (values) => (warden === undefined ? early.push(...values) : warden.onValues(values)),
      onBroken: (detail) => warden?.onReceiverHostile({ code: 'WARDEN_PROTOCOL', detail }),
      onLost: (why, again) => warden?.onReceiverLost(why, again),
      onHopeless: (why) => {
        if (warden === undefined) hopelessSoon = why
        else warden.onReceiverHopeless(why)
      },
    })
    receiver.start()
    undo.push(() => receiver.stop())

    const replays = await openReplays(server, clock, log)
    if (!replays.ok) return giveUp({ ok: false, failure: asRunningInstance(replays.failure, server.replay.database) })
    undo.push(() => replays.value?.close())
    const firewall = await openFirewall(server, configuration.value.at, log, () => warden?.onHostChange())
    if (!firewall.ok) return giveUp(firewall)
    undo.push(() => firewall.value.firewall.close())
    undo.push(() => firewall.value.lock?.release())

    const parts = {
      firewall: firewall.value.firewall,
      lock: firewall.value.lock,
      replays: replays.value,
      resolve: systemResolver(lookupAccounts(account.value), currentSituation()),
    }
    warden = new Warden(paths, log, clock, configuration.value, parts, capture.value, receiver, manager)
    const started = warden
    undo.push(() => clearInterval(started.#asking))
    const { at } = configuration.value
    undo.push(() => started.#host.close())
    const control = await serveControl(server.controlSocket, { status: () => started.status() })
    if (!control.ok) return giveUp({ ok: false, failure: located('CONTROL_SOCKET', control.failure, at) })
    warden.#control = control.value
    undo.push(() => control.value.close())
    const written = writePidFile(server.pidFile, (identity) => {
      started.#pidFile = identity
    })
    if (!written.ok) return giveUp({ ok: false, failure: located('FWKNOP_PID_FILE', written.failure, at) })
    warden.onReceiverStarted()
    warden.onValues(early)
    if (hopelessSoon !== undefined) warden.onReceiverHopeless(hopelessSoon)
    return ok(warden)
  }

  private constructor(
    paths: ConfigPaths,
    log: Log,
    clock: Clock,
    configuration: Configuration,
    parts: Parts,
    capture: CaptureSockets,
    receiver: ReceiverProcess,
    manager: ServiceManager,
  ) {
    this.hopeless = new Promise((resolve) => {
      this.#giveUp = resolve
    })
    this.#paths = paths
    this.#manager = manager
    this.#log = log
    const clocks = { wall: () => new Date(), monotonic: () => milliseconds(performance.now()) }
    this.#journal = new Journal(log, configuration.server.refusalsPerSecond, clocks, (grant) =>
      whatShuts(grant, this.#host.known),
    )
    this.#active = configuration
    this.#wanted = configuration
    this.#allowance = allowanceOf(configuration)
    this.#parts = parts
    this.#capture = capture
    this.#receiver = receiver
    this.#host = new HostWatch(
      () => parts.firewall.hostFindings(portsInUse(this.#active.policy, this.#active.server)),
      log,
    )
    this.#asking = setInterval(() => this.#ask(), ASK_INTERVAL)
    this.#admission = new Admission({
      ...{ clock, firewall: parts.firewall, replays: parts.replays, resolve: parts.resolve, ownAddresses },
      ...{ journal: this.#journal, log, current: () => this.#active },
      doubt: (packet) => this.#capture.doubt(packet),
      send: (message) => this.#send(message),
      onForbidden: (failure) => this.#mistrust(failure),
    })
  }

  /** Reads the configuration again. What is wrong with it is logged, and then nothing changes. */
  reload(): Result<void> {
    const refused = (failure: Failure): Result<void> => {
      this.#log.write('error', 'reload refused', { ...failureFields(failure), kept: 'the configuration from before' })
      this.#tellReady(`the last reload was refused (${failure.code}), the configuration from before is in force`)
      return { ok: false, failure }
    }
    if (this.#capturing) this.#manager.reloading()
    const configuration = readConfiguration(this.#paths, this.#wanted.generation + 1)
    if (!configuration.ok) return refused(configuration.failure)
    const fixed = needsRestart(this.#active, configuration.value)
    if (fixed.length > 0)
      return refused(
        refuse('CONFIG_CONFLICT', `a restart (which keeps live grants) is needed to change ${fixed.join(', ')}`)
          .failure,
      )
    tellNotices(configuration.value.notices, this.#log)
    this.#wanted = configuration.value
    this.#configure()
    return ok(undefined)
  }

  /** Stops both processes. Live grants stay: the kernel ends them. */
  async stop(): Promise<void> {
    this.#log.write('info', 'stopping', {})
    this.#manager.stopping()
    this.#stopping = true
    this.#taken()
    clearInterval(this.#asking)
    this.#host.close()
    await this.#receiver.stop()
    await this.#admission.close()
    this.#journal.tellReceiverSuppressed()
    this.#capture.close()
    this.#control?.close()
    rmSync(this.#active.server.controlSocket, { force: true })
    await this.#parts.firewall.close()
    await this.#parts.replays?.close()
    this.#parts.lock?.release()
    if (this.#pidFile !== undefined) removeOurFile(this.#active.server.pidFile ?? '', this.#pidFile)
  }

  async status(): Promise<Status> {
    await this.#askForTally()
    const { server, policy } = this.#active
    return describeStatus({
      startedAt: this.#startedAt,
      receiver: this.#receiver.pid,
      capturing: this.#capturing,
      server,
      stanzas: policy.stanzas.length,
      remembered: await this.#parts.replays?.size(),
      grants: await this.#parts.firewall.grants(),
      relay: this.#parts.firewall.load(),
      warnings: await this.#host.current(),
      counters: this.#journal.counters(),
      lastVerdicts: this.#journal.lastVerdicts(),
    })
  }

  private onHostChange(): void {
    this.#host.changed()
  }

  /**
   * Until the receiver has sent its numbers of this moment, so that they agree with the verdicts; not long for one that
   * does not answer. Those who ask at the same time wait for the same answer.
   */
  #askForTally(): Promise<void> {
    if (!this.#capturing) return Promise.resolve()
    this.#freshTally ??= new Promise<void>((done) => {
      const settle = (): void => {
        clearTimeout(timer)
        this.#tallied = undefined
        this.#freshTally = undefined
        done()
      }
      const timer = setTimeout(settle, TALLY_PATIENCE)
      this.#tallied = settle
      this.#allowance.give(1)
      this.#send({ type: 'tally?' })
    })
    return this.#freshTally
  }

  /** It did what no honest one does. */
  private onReceiverHostile(failure: Failure): void {
    this.#mistrust(failure)
  }

  private onReceiverHopeless(why: string): void {
    this.#taken()
    this.#capturing = false
    this.#journal.receiverLost()
    const failure = this.#ownReason ?? gone(why)
    this.#log.write('error', 'receiver lost', failureFields(failure))
    this.#giveUp(failure)
  }

  private onReceiverStarted(): void {
    this.#ownReason = undefined
    this.#mayGetKeys = false
    this.#isDistrusted = false
    this.#lastMessageAt = performance.now()
    this.#allowance = allowanceOf(this.#active)
    this.#unreadConfiguration = 0
    this.#waitFor('it did not give up its privilege', START_PATIENCE)
  }

  private async onReceiverLost(why: string, again: number | undefined): Promise<void> {
    this.#taken()
    this.#capturing = false
    this.#journal.receiverLost()
    if (again === undefined) return
    const failure = this.#ownReason ?? gone(why)
    this.#log.write('error', 'receiver lost', { ...failureFields(failure), againInMs: again })
    this.#manager.tell(`not receiving: ${why}; a new receiver starts`)
    if (this.#captureIsSuspect || this.#isUnconfined) await this.#reopenCaptures()
  }

  /** Sends the receiver its configuration. Until it confirms, its knocks mean what they meant before. */
  #configure(): void {
    // A receiver that starts gets it once it has given up its privilege.
    if (!this.#mayGetKeys) return
    const { files, generation } = this.#wanted
    const snapshot: ConfigSnapshot = JSON.parse(Buffer.from(files.buffer, files.byteOffset, files.length).toString())
    const { backlog } = this.#receiver
    this.#receiver.send({
      ...{ type: 'configure', generation, paths: this.#paths, files: snapshot },
      captures: this.#capture.orders,
    } satisfies ToReceiver)
    this.#unreadConfiguration += this.#receiver.backlog - backlog
    // Its answer, and what it refused under the limit from before and under the new one.
    this.#allowance.give(2 + MOST_MESSAGES.ofLogLimit * this.#active.server.refusalsPerSecond)
    this.#lastMessageAt = performance.now()
    this.#waitFor('it took no configuration', CONFIGURE_PATIENCE + files.length / CONFIGURE_BYTES)
  }

  /** Replaces a receiver that does not do in time what it has to do next. */
  #waitFor(what: string, patience: number): void {
    this.#taken()
    this.#patience = afterOwnTime(() => {
      this.#taken()
      this.#replace('receiver hangs', { detail: `${what} in ${Math.round(patience)} ms` })
    }, patience)
  }

  /** No configuration is under way any more. */
  #taken(): void {
    clearTimeout(this.#patience)
    this.#patience = undefined
  }

  /** While this process was held up it read nothing: the receiver was not silent, and what it sent waits to be read. */
  #wasHeldUp(): void {
    const now = performance.now()
    const heldUp = now - this.#looked - ownTime(this.#looked, now, ASK_INTERVAL)
    this.#looked = now
    if (heldUp === 0) return
    this.#lastMessageAt = Math.min(now, this.#lastMessageAt + heldUp)
    this.#allowance.give((heldUp / 1000) * messageRate(this.#active).perSecond)
  }

  /** A receiver can be stopped by anybody who runs as its user, and would keep everybody out unnoticed. */
  #ask(): void {
    this.#journal.tellReceiverSuppressed()
    this.#wasHeldUp()
    // One that reads its configuration cannot answer; it has a time of its own for that.
    if (this.#receiver.pid === undefined || this.#patience !== undefined) return
    const silent = performance.now() - this.#lastMessageAt
    if (silent > PATIENCE)
      this.#replace('receiver hangs', { detail: `it has not answered for ${Math.round(silent)} ms` })
    else this.#send({ type: 'alive?' })
  }

  /**
   * Ends a receiver that cannot be relied on, and what it held with it: whoever has a packet socket may turn it away from
   * all packets, and the next receiver would be deaf.
   */
  #replace(event: string, fields: Parameters<Log['write']>[2]): void {
    // It may have sent many such messages at once.
    if (this.#isDistrusted) return
    this.#isDistrusted = true
    this.#log.write('error', event, fields)
    this.#capturing = false
    this.#lastMessageAt = performance.now()
    this.#captureIsSuspect = true
    this.#receiver.kill()
  }

  /** Not before the receiver is gone: it held the old sockets too, and one port is bound once. */
  async #reopenCaptures(): Promise<void> {
    this.#capture.close()
    for (let tries = 1; !this.#stopping; tries++) {
      const opened = await openCaptures(this.#active.server)
      if (opened.ok) {
        this.#capture = opened.value
        this.#captureIsSuspect = false
        this.#isUnconfined = false
        return
      }
      if (tries > REOPEN_SOON.times) this.#log.write('error', 'capture', failureFields(opened.failure))
      await delay(tries > REOPEN_SOON.times ? REOPEN_INTERVAL : REOPEN_SOON.interval)
    }
  }

  private onValues(values: readonly unknown[]): void {
    this.#wasHeldUp()
    const now = milliseconds(performance.now())
    this.#lastMessageAt = now
    const knocks: Knock[] = []
    for (const value of values) {
      if (this.#isDistrusted) return
      const message = parseFromReceiver(value)
      if (!message.ok) {
        this.#mistrust(message.failure)
        return
      }
      if (message.value.type === 'knock') knocks.push(message.value.knock)
      else {
        // What it sent before a change of policy is judged by the policy from before.
        this.#submit(knocks.splice(0))
        if (this.#allowance.take(1, now)) this.#onMessage(message.value)
        else this.#mistrust({ code: 'WARDEN_PROTOCOL', detail: TOO_MANY_MESSAGES })
      }
    }
    this.#submit(knocks)
  }

  #submit(knocks: Knock[]): void {
    if (this.#admission.length + knocks.length > MOST_WAITING)
      this.#mistrust({ code: 'WARDEN_PROTOCOL', detail: `more than ${MOST_WAITING} knocks at once` })
    else if (knocks.length > 0) {
      this.#journal.reported(knocks.length)
      this.#admission.submit(knocks, this.#active)
    }
  }

  #onMessage(message: Exclude<FromReceiver, { type: 'knock' }>): void {
    switch (message.type) {
      case 'alive':
        return
      case 'started':
        if (this.#mayGetKeys) {
          this.#mistrust({ code: 'WARDEN_PROTOCOL', detail: 'it started twice' })
          return
        }
        this.#mayGetKeys = true
        this.#configure()
        return
      case 'configured':
        if (message.generation !== this.#wanted.generation || this.#patience === undefined) return
        this.#taken()
        this.#unreadConfiguration = 0
        if (this.#active !== this.#wanted) {
          this.#log.write('info', 'reload', { stanzas: this.#wanted.policy.stanzas.length })
          this.#active = this.#wanted
          this.#admission.reconsider()
        }
        this.#journal.limitRefusals(this.#active.server.refusalsPerSecond)
        this.#allowance.change(messageRate(this.#active))
        this.#tellReady()
        if (this.#capturing) this.#host.changed()
        return
      case 'ready':
        if (this.#capturing) {
          this.#mistrust({ code: 'WARDEN_PROTOCOL', detail: 'it was ready twice' })
          return
        }
        this.#capturing = true
        this.#receiver.isReady()
        // Sent before it looks at a packet, so that it is still honest.
        this.#isUnconfined = message.unconfined !== undefined
        if (message.unconfined !== undefined) this.#log.write('warning', 'notice', { text: message.unconfined })
        this.#log.write(
          'info',
          'ready',
          describeReady(this.#active.server, this.#active.policy.stanzas.length, this.#receiver.pid),
        )
        this.#tellReady()
        // Not earlier: who knocks does not wait until a large ruleset is read.
        this.#host.changed(0)
        return
      case 'refused':
        this.#journal.refused(message.note, this.#active.index)
        return
      case 'suppressed':
        this.#journal.suppressed(message.counts)
        return
      case 'tally':
        this.#journal.tally(message.tally)
        this.#tallied?.()
        return
      case 'failed':
        this.#ownReason = { code: message.code, detail: message.detail }
        return
      default:
        message satisfies never
    }
  }

  /** Unless packets are being received, ready waits for the receiver to say so. */
  #tellReady(remark?: string): void {
    if (!this.#capturing) return
    const { length } = this.#active.policy.stanzas
    const status = `receiving, ${length} ${length === 1 ? 'stanza' : 'stanzas'}`
    this.#manager.ready(remark === undefined ? status : `${status}; ${remark}`)
  }

  /** If the receiver does not read, everything would wait here. For a configuration it has a time of its own. */
  #send(message: ToReceiver): void {
    this.#receiver.send(message)
    const { backlog } = this.#receiver
    if (backlog > MOST_UNREAD + this.#unreadConfiguration)
      this.#mistrust({ code: 'WARDEN_PROTOCOL', detail: `it has not read ${backlog} bytes` })
  }

  /** What no honest receiver sends comes from one that a stranger has taken over: it is ended, and an honest one started. */
  #mistrust(failure: Failure): void {
    this.#replace('receiver mistrusted', failureFields(failure))
  }
}

function readConfiguration(paths: ConfigPaths, generation: number): Result<Configuration> {
  const user = process.getuid?.() ?? 0
  const recorder = recordFiles(diskFiles(user))
  const loaded = loadConfig(recorder, paths)
  if (!loaded.ok) return loaded
  const notices = [...loaded.value.notices, ...hostNotices(loaded.value, systemClock.now())]
  const files = Buffer.from(JSON.stringify(recorder.snapshot()))
  return ok({ ...loaded.value, notices, files, generation, index: new StanzaIndex(loaded.value.policy.stanzas) })
}

function messageRate({ server: { refusalsPerSecond } }: Configuration): Rate {
  const perSecond = MOST_MESSAGES.perSecond + MOST_MESSAGES.ofLogLimit * refusalsPerSecond
  return { perSecond, burst: MOST_MESSAGES.atOnce * perSecond }
}

function allowanceOf(configuration: Configuration): TokenBucket {
  return new TokenBucket(messageRate(configuration), milliseconds(performance.now()))
}

function gone(why: string): Failure {
  return { code: 'RECEIVER_GONE', detail: why }
}

function writePidFile(path: string | undefined, onWritten: (identity: FileIdentity) => void): Result<void> {
  if (path === undefined) return ok(undefined)
  try {
    const other = notAPidFile(path)
    if (other !== undefined) return refuse('CONFIG_UNWRITABLE', other)
    onWritten(replaceOurFile(path, `${process.pid}\n`, 0o644))
    return ok(undefined)
  } catch (error) {
    return refuse('CONFIG_UNWRITABLE', `${path}: ${systemReason(error)}`)
  }
}

function tellNotices(notices: LoadedConfig['notices'], log: Log): void {
  for (const { level, text, at } of notices)
    log.write(level, 'notice', { text, ...(at && { file: at.file, line: at.line }) })
}

function describeReady(server: ServerConfig, stanzas: number, receiver: number | undefined) {
  const { captures, firewall } = server
  const passive = captures.filter(({ kind }) => kind === 'packet')
  return {
    capture: captures.map(({ kind }) => kind).join(','),
    ...(passive.length > 0 && {
      interfaces: passive.some(({ interfaces }) => interfaces === 'any')
        ? 'any'
        : passive.flatMap(({ interfaces }) => interfaces),
    }),
    ports: captures.flatMap(({ ports }) =>
      ports.map((port) => (typeof port === 'number' ? port : formatCapturePort(port))),
    ),
    firewall: firewall.kind === 'nftables' ? `nftables ${firewall.mode.kind}` : 'relay',
    stanzas,
    warden: process.pid,
    receiver,
  }
}
