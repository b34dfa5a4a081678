/**
 * The warden: the process with privilege. It holds what needs privilege, and decides about the receiver's reports under
 * its own copy of the policy. It parses no byte from the network. Its parts, each in a file:
 *
 * - start.ts opens everything in order, and passes it to this file;
 * - configuration.ts has the policy in force, and reads the next one;
 * - dispatch.ts handles each message of the receiver; receiver-health.ts ends a receiver that hangs or is hostile;
 * - admission/ takes a knock to its verdict; journal.ts records what became of it.
 */
import { rmSync } from 'node:fs'
import type { Server } from 'node:net'
import type { Grant } from '../../access/grant.ts'
import { ownNames, type StanzaName, sameNameKey } from '../../access/stanza-name.ts'
import { askerActor } from '../../audit-log/asker-actor.ts'
import type { AuditActor } from '../../audit-log/entry.ts'
import { type Clock, monotonic } from '../../clock.ts'
import { capturedPorts, revocationsPath } from '../../config/server/server-config.ts'
import type { Firewall } from '../../firewall/firewall.ts'
import { whatShuts } from '../../firewall/host/what-shuts.ts'
import type { Log } from '../../log.ts'
import type { ReplayStore } from '../../replay/replay-store.ts'
import type { Failure, Result } from '../../result.ts'
import type { Asker } from '../../system/asker.ts'
import type { InstanceLock } from '../../system/instance-lock.ts'
import { type FileIdentity, removeServerFile } from '../../system/server-file.ts'
import { Admission } from './admission/admission.ts'
import type { AskResolver } from './admission/name-lookups.ts'
import { ownAddresses } from './admission/own-addresses.ts'
import { AuditTrail, revocationEvent } from './audit-trail.ts'
import type { Cluster } from './cluster-process/cluster.ts'
import { readClusterSecret, readClusterSecrets } from './cluster-process/secrets.ts'
import type { ClusterUsers } from './cluster-users/cluster-users.ts'
import type { Ended } from './cluster-users/endings.ts'
import { type Configuration, type Configurations, readConfiguration } from './configuration.ts'
import type { DeskParts } from './console/desk.ts'
import type { Answer } from './control.ts'
import { Dispatch } from './dispatch.ts'
import type { Commands } from './executor-process/commands.ts'
import type { OwnHands } from './gates/gate.ts'
import type { Gates } from './gates/gates.ts'
import type { Gnupg } from './gnupg-process/gnupg.ts'
import type { HeldCapture } from './held-capture.ts'
import type { HostWatch } from './host-watch.ts'
import { InterfaceWatch } from './interface-watch/interface-watch.ts'
import { Journal, type StanzaUse } from './journal.ts'
import { LastKnocks } from './last-knocks.ts'
import type { Receipts } from './receipts.ts'
import { ReceiverHealth } from './receiver-health.ts'
import { ReceiverLimits } from './receiver-limits.ts'
import type { ReceiverHandler } from './receiver-process/early-events.ts'
import type { Receiver } from './receiver-process/no-receiver.ts'
import { logNotices } from './reports.ts'
import { askerFields, Revocation, type RevokeAnswer, whatIsLeft } from './revocation.ts'
import type { ServiceManager } from './service-manager.ts'
import { describeStatus, type FromClusterStatus, type Status } from './status.ts'
import { Unconfirmed } from './unconfirmed.ts'
import { Watchdog } from './watchdog.ts'

/** What is open at the end of a start. */
export interface WardenParts {
  readonly configurations: Configurations
  readonly capture: HeldCapture
  readonly receiver: Receiver
  readonly gnupg: Gnupg
  readonly firewall: Firewall
  readonly commands: Commands
  readonly lock: InstanceLock | undefined
  /** Absent if used packets are not remembered. */
  readonly replays: ReplayStore | undefined
  /** The file that keeps the last knock of each user. Absent: nothing is kept. */
  readonly lastKnocks: string | undefined
  /** Absent: this server shares used packets with no other. */
  readonly cluster?: Cluster | undefined
  /** What nodes open for each other; or why they cannot. Absent: nothing is to be opened. */
  readonly gates?: Result<(own: OwnHands) => Gates> | undefined
  /** CLUSTER_USERS. Absent: no stanza is shared. */
  readonly clusterUsers?: ClusterUsers | undefined
  readonly host: HostWatch
  readonly resolve: AskResolver
  readonly manager: ServiceManager
  readonly log: Log
  readonly clock: Clock
}

/** What other processes find this one by. */
export interface Published {
  /** Absent in a dry run. */
  readonly control: Server | undefined
  /** Absent: there is no console. */
  readonly closeConsole?: () => void
  /** The process id file that this warden wrote. */
  readonly pidFile: FileIdentity | undefined
}

/** The last use of each stanza with a NAME, since `since`: an earlier start of the server, or this one. */
export interface UsesAnswer {
  readonly since: string
  readonly uses: Readonly<Record<string, StanzaUse>>
}

/** What became of a reload that was asked for at the control socket. */
export type ReloadAnswer =
  | { readonly taken: true; readonly stanzas: number }
  | ({ readonly taken: false } & Pick<Failure, 'code' | 'detail' | 'at'>)

export class Warden {
  /**
   * Resolves if no receiver can run, and none is started any more: the server must be stopped. Else it stays pending.
   */
  readonly hopeless: Promise<Failure>
  /**
   * Resolves if all packets were looked at that should be (PCAP_FILE, PACKET_LIMIT): the server must be stopped. With
   * the reason, if not all could be.
   */
  readonly finished: Promise<Failure | undefined>
  readonly #parts: WardenParts
  readonly #journal: Journal
  readonly #health: ReceiverHealth
  readonly #admission: Admission
  readonly #revocation: Revocation
  readonly #dispatch: Dispatch
  readonly #watchdog: Watchdog
  readonly #interfaces: InterfaceWatch
  readonly #startedAt = new Date()
  readonly #lastKnocks: LastKnocks | undefined
  #published: Published | undefined
  readonly #audit: AuditTrail
  readonly #gates: Gates | undefined
  /** Who asked for the reload that is under way. Absent: a signal did. */
  #reloadBy: AuditActor | undefined
  /** Loaded for the first receipt. */
  #receipts: Promise<Receipts> | undefined

  constructor(parts: WardenParts) {
    const { configurations, capture, receiver, host, log, manager } = parts
    const { refusalsPerSecond } = configurations.active.server
    capture.follow(() => configurations.wanted.server)
    this.#parts = parts
    const clocks = { wall: () => new Date(), monotonic }
    const shuts = (grant: Grant) => whatShuts(grant, host.known)
    this.#journal = new Journal(log, refusalsPerSecond, clocks, shuts, configurations.active.policy)
    const journal = this.#journal
    const names = () =>
      new Set(configurations.active.policy.stanzas.flatMap(({ name }) => (name === undefined ? [] : [name])))
    this.#lastKnocks =
      parts.lastKnocks === undefined
        ? undefined
        : new LastKnocks(parts.lastKnocks, journal, names, log, this.#startedAt.toISOString())
    const limits = new ReceiverLimits(refusalsPerSecond, monotonic())
    const everySecond = (): void => journal.logReceiverSuppressed()
    this.#health = new ReceiverHealth({ receiver, capture, limits, log, everySecond })
    const health = this.#health
    this.#watchdog = new Watchdog({ manager, health, firewall: parts.firewall, log })
    const interfaces = new InterfaceWatch({
      open: async () => (await import('./interface-watch/kernel-links.ts')).openKernelLinks(),
      settings: () => configurations.active,
      onLook: () => capture.sockets.renew?.(),
      // Whether it has IPv6 is part of the judgement.
      onAddresses: () => host.changed(),
      reception: async () => {
        if (!this.#health.isCapturing) return undefined
        await this.#dispatch.freshTally()
        return this.#health.isCapturing ? journal.reception() : undefined
      },
      openWitness: async (wanted) => {
        const { openWitness } = await import('../../capture/packet-socket/witness.ts')
        return openWitness({ ports: capturedPorts(wanted), maximumPayload: wanted.maxBytes })
      },
      log,
    })
    this.#interfaces = interfaces
    this.#audit = new AuditTrail(() => configurations.active.server.auditLog, log)
    this.#revocation = new Revocation({
      ...{ firewall: parts.firewall, log },
      settled: async (...what) => {
        const settled = await Promise.all([this.#admission.settled(...what), this.#gates?.settled(...what) ?? true])
        return !settled.includes(false)
      },
      stanzas: () => configurations.active.policy.stanzas,
      config: () => configurations.active.server.firewall,
      closeNow: (which) => parts.commands.closeNow(which),
      owing: () => parts.commands.owing(),
      endElsewhere: async (...what) => await this.#gates?.end(...what),
      unconfirmed: new Unconfirmed(
        parts.lock === undefined ? undefined : revocationsPath(configurations.active.server),
      ),
    })
    const hands: OwnHands = {
      ...{ ownAddresses, journal },
      policy: () => configurations.active.policy,
      clusterCopyOld: parts.clusterUsers && (() => parts.clusterUsers?.copyOld()),
      open: (grants) => this.#revocation.doors.open(grants),
      end: (...ending) => this.#endedElsewhere(...ending),
    }
    this.#gates = parts.gates?.ok ? parts.gates.value(hands) : undefined
    this.#admission = new Admission({
      ...{
        clock: parts.clock,
        firewall: this.#revocation.doors,
        closeOwn: (closing) => this.#revocation.closeOwn(closing),
        commands: parts.commands,
        replays: parts.replays,
      },
      ...{ resolve: parts.resolve, ownAddresses, cluster: parts.cluster },
      clusterCopyOld: () => parts.clusterUsers?.copyOld(),
      ...{ journal, log, current: () => configurations.active, doubt: capture.doubt },
      send: (message) => health.send(message),
      onForbidden: (failure, from) => health.mistrust(failure, from),
      onGranted: (...granted) => this.#gates?.granted(...granted),
      onReceiptDue: (...due) => void this.#sendReceipt(...due),
      isAttested: parts.gnupg.isAttested,
    })
    let giveUp: (failure: Failure) => void = () => {}
    this.hopeless = new Promise((resolve) => {
      giveUp = resolve
    })
    let finish: (why: Failure | undefined) => void = () => {}
    this.finished = new Promise((resolve) => {
      finish = resolve
    })
    this.#dispatch = new Dispatch({
      ...{ configurations, health, limits, capture, admission: this.#admission, journal, host, interfaces },
      ...{ manager, log },
      receiverPid: () => receiver.pid,
      guard: () => parts.firewall.guard(),
      gnupgDescriptor: () => parts.gnupg.descriptor,
      onHopeless: giveUp,
      onReload: (before, after) => void this.#recordReload(before, after),
      onFinished: finish,
    })
  }

  /** Gets the events of the receiver. */
  get handler(): ReceiverHandler {
    return this.#dispatch
  }

  /** Whether this process itself carries connections, as the relay does. */
  get carriesConnections(): boolean {
    return this.#parts.firewall.load() !== undefined
  }

  /** Everything is open. */
  begin(published: Published): void {
    this.#published = published
    this.#lastKnocks?.begin()
    this.#health.begin()
    this.#watchdog.begin()
    void this.#revocation.finishEarlier()
    this.#parts.clusterUsers?.begin(
      ({ node }) => this.#takeClusterUsers(node),
      (node, ended) => this.#endClusterUsers(node, ended),
    )
  }

  /** What the control socket answers about users of the cluster. Empty without CLUSTER_USERS. */
  async clusterUsersAnswers(): Promise<{ readonly [ask: string]: Answer }> {
    const { clusterUsers } = this.#parts
    if (clusterUsers === undefined) return {}
    return (await import('./cluster-users/answers.ts')).clusterUsersAnswers(clusterUsers)
  }

  /** Other nodes changed users. @returns why that is not in force. */
  async #takeClusterUsers(node: string): Promise<string | undefined> {
    const failure = await this.#reloadFor(clusterActor(node))
    if (failure !== undefined)
      return `${failure.at === undefined ? '' : `${failure.at.file}:${failure.at.line}: `}${failure.detail}`
    // It may have been the end of an earlier reload.
    for (let i = 0; i < 3 && this.#parts.configurations.isPending; i++) await this.#dispatch.nextReload()
    return undefined
  }

  /** What removed and disabled users have ends here too. */
  async #endClusterUsers(node: string, ended: readonly StanzaName[]): Promise<Ended> {
    // A stanza of this node’s own goes on: the one of the cluster was left out beside it.
    const { configurations, clock } = this.#parts
    const { stanzas } = configurations.active.policy
    const own = ownNames(stanzas)
    const meant = ended.filter((name) => !own.has(sameNameKey(name)))
    if (meant.length === 0) return {}
    const now = clock.now()
    // Who is back may have let himself in elsewhere since, and stays there.
    const back = new Set(
      stanzas.flatMap(({ name, expires }) =>
        name === undefined || (expires !== undefined && expires <= now) ? [] : [sameNameKey(name)],
      ),
    )
    try {
      const users = meant.map((name) => ({ name, whose: back.has(sameNameKey(name)) ? 'own' : 'all' }) as const)
      const answer = await this.#revocation.users(users, { uid: process.getuid?.() ?? 0 })
      await this.#recorded(() => this.#audit.record(revocationEvent(clusterActor(node), meant.join(', '), answer)))
      return whatIsLeft(answer)
    } catch (error) {
      this.#fault(error)
      return { problem: 'a mistake in ghostport', again: true }
    }
  }

  /** Whether the configuration is good for a new start. If it is faulty, the fault is logged. */
  mayStartAgain(): boolean {
    const read = readConfiguration(this.#parts.configurations.source, 0)
    if (!read.ok) this.#dispatch.reloadRefused(read.failure)
    return read.ok
  }

  /** Reads the configuration again. If it is faulty, the fault is logged, and nothing changes. */
  reload(): Result<void> {
    const { configurations, log, manager } = this.#parts
    if (this.#health.isCapturing) manager.reloading()
    const read = configurations.reload()
    if (!read.ok) {
      this.#dispatch.reloadRefused(read.failure)
      return read
    }
    logNotices(read.value.notices, log)
    this.#renewCluster(read.value)
    this.#parts.commands.configured(read.value)
    const { gnupg, receiver, capture } = this.#parts
    gnupg.configured(read.value.gnupg)
    if (!capture.isFor(read.value.server)) void this.#captureOtherPorts(read.value)
    // A receiver of before GnuPG was configured has no way to it. Packets wait until the next one runs.
    else if (gnupg.receiverEnd !== undefined && gnupg.descriptor === undefined) receiver.kill()
    else this.#dispatch.configure()
    return { ok: true, value: undefined }
  }

  /** The files of the cluster may have other contents. Their names are the same: else a restart is needed. */
  #renewCluster({ server }: Configuration): void {
    const { cluster, log } = this.#parts
    if (server.cluster === undefined || cluster === undefined) return
    const secrets = readClusterSecrets(server.cluster)
    if (secrets.ok) cluster.renew(secrets.value)
    const secret = readClusterSecret(server.cluster)
    if (secret.ok && !cluster.hasSecret(secret.value))
      log.write('warning', 'notice', {
        text: 'CLUSTER_SECRET_FILE has another secret: restart this server to use it (docs/CLUSTER.md, “Another secret”)',
      })
  }

  /**
   * As {@link reload}, for somebody who waits for the end.
   * @returns whether the new configuration is in force. If the receiver is not running, that may take some time.
   */
  async reloadAnswer(asker: Asker, by = askerActor(asker)): Promise<ReloadAnswer> {
    this.#parts.log.write('info', 'control', { asked: 'reload', ...askerFields(asker) })
    const failure = await this.#reloadFor(by)
    if (failure === undefined) return { taken: true, stanzas: this.#parts.configurations.active.policy.stanzas.length }
    const { code, detail, at } = failure
    return { taken: false, code, detail, ...(at !== undefined && { at }) }
  }

  /** @returns once the new configuration is in force, or why it is not. */
  async #reloadFor(by: AuditActor): Promise<Failure | undefined> {
    this.#reloadBy = by
    const settled = this.#dispatch.nextReload()
    this.reload()
    const failure = await settled
    if (failure !== undefined) this.#reloadBy = undefined
    return failure
  }

  async #recordReload(before: Configuration, after: Configuration): Promise<void> {
    const by = this.#reloadBy ?? { via: 'signal' }
    this.#reloadBy = undefined
    await this.#recorded(() => this.#audit.reloaded(by, before, after))
  }

  /** A dry run records nothing: it changes nothing. A mistake in ghostport ends no server. */
  async #recorded(record: () => Promise<unknown>): Promise<void> {
    if (this.#published?.control === undefined) return
    try {
      await record()
    } catch (error) {
      this.#fault(error)
    }
  }

  #fault(error: unknown): void {
    const detail = error instanceof Error ? (error.stack ?? error.message) : 'unknown'
    this.#parts.log.write('error', 'fault', { detail })
  }

  /** Only the next receiver can have other sockets. They are open before this one ends. */
  async #captureOtherPorts(wanted: Configuration): Promise<void> {
    const { configurations, capture, receiver, log } = this.#parts
    const prepared = await capture.prepare()
    if (configurations.wanted !== wanted) return
    if (!prepared.ok) {
      configurations.abandon()
      this.#dispatch.reloadRefused(prepared.failure)
      return
    }
    // What came to the old sockets only: one of two answers follows a look at all of them.
    await this.#dispatch.freshTally()
    await this.#dispatch.freshTally()
    if (configurations.wanted !== wanted) return
    log.write('info', 'capture', { text: 'the ports have changed (SPA_PORT): a new receiver takes the new sockets' })
    if (!receiver.replace()) await capture.renew()
  }

  /** @param word a grant, a user or an address, as an administrator writes it. */
  async revoke(word: unknown, asker: Asker, by = askerActor(asker)): Promise<RevokeAnswer> {
    const answer = await this.#revocation.answer(word, asker)
    const to = typeof word === 'string' ? word : ''
    await this.#recorded(() => this.#audit.record(revocationEvent(by, to, answer)))
    return answer
  }

  /** As a revocation or a closing knock here: with the same lines. @returns why they may still be open. */
  async #endedElsewhere(...[grants, how, node]: Parameters<OwnHands['end']>): Promise<string | undefined> {
    if (how === 'close') {
      const closed = await this.#revocation.closedElsewhere(grants, node)
      if (closed.ok) this.#journal.endedBy(closed.value.length)
      return closed.ok ? undefined : closed.failure.detail
    }
    const answer = await this.#revocation.revokedElsewhere(grants, node)
    const names = new Set(grants.map(({ stanza, stanzaName }) => stanzaName ?? `stanza ${stanza}`))
    const event = revocationEvent(clusterActor(node), [...names].join(', '), answer)
    // The other node waits for the answer, and not for the line.
    void this.#recorded(() => this.#audit.record(event))
    if ('failure' in answer) return answer.failure.detail
    this.#journal.endedBy(answer.revoked.length)
    return answer.problem
  }

  async #sendReceipt(...due: Parameters<Receipts['send']>): Promise<void> {
    if (this.#published?.control === undefined) return
    try {
      const receipts = await this.#loadReceipts()
      await receipts.send(...due)
    } catch (error) {
      // The door does not wait for the receipt.
      this.#fault(error)
    }
  }

  #loadReceipts(): Promise<Receipts> {
    const { clock, log } = this.#parts
    this.#receipts ??= import('./receipts.ts').then(({ Receipts }) => new Receipts(clock, log))
    return this.#receipts
  }

  /** Stops both processes. Live grants stay: the kernel ends them. */
  async stop({ again = false }: { readonly again?: boolean } = {}): Promise<void> {
    const { configurations, capture, receiver, firewall, commands, replays, lock, host, manager, log } = this.#parts
    const { server } = configurations.active
    log.write('info', 'stopping', again ? { again: true } : {})
    manager.stopping()
    this.#watchdog.stop()
    this.#health.stop()
    host.close()
    this.#interfaces.close()
    await receiver.stop()
    this.#parts.cluster?.stop()
    this.#parts.clusterUsers?.close()
    await this.#admission.close()
    await this.#gates?.close()
    await commands.stop()
    await this.#parts.gnupg.stop()
    this.#journal.logReceiverSuppressed()
    this.#lastKnocks?.close()
    capture.close()
    const { control, closeConsole } = this.#published ?? {}
    control?.close()
    closeConsole?.()
    if (control !== undefined) rmSync(server.controlSocket, { force: true })
    await firewall.close()
    await replays?.close()
    lock?.release()
    const pidFile = this.#published?.pidFile
    if (pidFile !== undefined) removeServerFile(server.pidFile ?? '', pidFile)
  }

  /** What the console's requests work on. @param uid of the console's user. */
  deskParts(uid: number): Omit<DeskParts, 'events' | 'commands'> {
    const { configurations, firewall, clock } = this.#parts
    return {
      status: () => this.status(),
      uses: () => this.uses(),
      revoke: (word, by) => this.revoke(word, { uid }, by),
      reload: (by) => this.reloadAnswer({ uid }, by),
      record: (event) => this.#audit.record(event),
      firewall: { grants: () => firewall.grants(), open: (grants) => this.#revocation.doors.open(grants) },
      stanzas: () => configurations.active.policy.stanzas,
      source: configurations.source,
      rights: () => configurations.active.server.consoleAccess?.rights ?? [],
      ...{ clock, uid },
    }
  }

  /** What is open, read back from the system. Undefined if it cannot be read now. */
  async liveGrants(): Promise<readonly Grant[] | undefined> {
    const grants = await this.#parts.firewall.grants()
    return grants.ok ? grants.value.map(({ grant }) => grant) : undefined
  }

  /** Who knocked when, by NAME. */
  uses(): UsesAnswer {
    return { since: this.#lastKnocks?.since ?? this.#startedAt.toISOString(), uses: this.#journal.uses() }
  }

  async status(): Promise<Status> {
    await this.#dispatch.freshTally()
    const { configurations, receiver, firewall, commands, replays, host } = this.#parts
    const { server, policy } = configurations.active
    return describeStatus({
      startedAt: this.#startedAt,
      receiver: receiver.pid,
      capturing: this.#health.isCapturing,
      server,
      stanzas: policy.stanzas,
      remembered: await replays?.size(),
      grants: await firewall.grants(),
      guard: firewall.guard(),
      relay: firewall.load(),
      commands: commands.status(),
      cluster: this.#parts.cluster?.status(),
      gates: this.#gates?.status(),
      fromCluster: this.#fromCluster(),
      clusterUsers: this.#parts.clusterUsers?.status(policy.stanzas.filter(({ ofCluster }) => ofCluster).length),
      warnings: await host.current(),
      interfaces: this.#interfaces.current(),
      counters: this.#journal.counters(),
      lastGranted: this.#journal.lastGranted,
      lastVerdicts: this.#journal.lastVerdicts(),
    })
  }

  #fromCluster(): FromClusterStatus | undefined {
    const { gates } = this.#parts
    if (gates === undefined) return undefined
    const { detail, suggestion } = gates.ok ? {} : gates.failure
    return {
      ...this.#journal.gateCounters(),
      ...(detail !== undefined && { problem: detail }),
      ...(suggestion !== undefined && { cure: suggestion }),
    }
  }
}

/** Another node of the cluster, in the audit log. */
function clusterActor(node: string): AuditActor {
  return { via: 'server', name: `cluster: ${node}` }
}
