/**
 * The start of the warden. First come all checks that change nothing. Then everything is opened, in an order that lets
 * the receiver load its code meanwhile. If a step is refused, all that was opened before it is closed.
 */
import { readFileSync } from 'node:fs'
import { describeOpening } from '../../access/grant.ts'
import type { Clock } from '../../clock.ts'
import type { ClusterSecret } from '../../cluster-record/seal.ts'
import type { ConfigSource } from '../../config/load.ts'
import type { ClusterConfig } from '../../config/server/cluster-settings.ts'
import {
  clusterCopyPath,
  clusterCopyStatePath,
  clusterPastPath,
  lastKnocksPath,
  takenPath,
} from '../../config/server/server-config.ts'
import { createMemoryFirewall } from '../../firewall/memory.ts'
import type { Log } from '../../log.ts'
import { memoryReplayStore } from '../../replay/memory.ts'
import { ok, type Result } from '../../result.ts'
import { ownVersion } from '../../system/own-version.ts'
import { type Account, checkSituation, currentSituation, findAccount } from '../../system/privilege.ts'
import { forbidIoUring } from '../../system/seccomp.ts'
import { captureDescriptor } from '../link/receiver-start.ts'
import { resolverBySocket, systemResolver } from './admission/ask-resolver.ts'
import type { Cluster } from './cluster-process/cluster.ts'
import type { Records } from './cluster-process/records.ts'
import type { ClusterUsers } from './cluster-users/cluster-users.ts'
import { type Configuration, Configurations, readConfiguration } from './configuration.ts'
import type { EventRing } from './console/event-ring.ts'
import type { OwnProgram } from './console/own-command.ts'
import { serveControl } from './control.ts'
import { Commands } from './executor-process/commands.ts'
import { spawnExecutor } from './executor-process/spawn.ts'
import { Gnupg } from './gnupg-process/gnupg.ts'
import { gnupgBySocket, type SpawnedGnupg, spawnGnupg } from './gnupg-process/spawn.ts'
import { HeldCapture } from './held-capture.ts'
import { HookTap } from './hook-tap.ts'
import { HostWatch } from './host-watch.ts'
import { type OpenedFirewall, openFirewall, portsInUse } from './open-firewall.ts'
import { openCaptures, openReplays } from './open-parts.ts'
import { judgeOwnPaths, located } from './own-paths.ts'
import { writePidFile } from './pid-file.ts'
import { connectedReceivers } from './receiver-process/connect.ts'
import { EarlyEvents } from './receiver-process/early-events.ts'
import { helperSocket } from './receiver-process/helpers.ts'
import { clusterAccount, gnupgAccount, lookupAccounts, receiverAccount } from './receiver-process/receiver-user.ts'
import { RestartedReceiver } from './receiver-process/restarted-receiver.ts'
import { type ReceiverStarter, receiverStarter } from './receiver-process/spawn.ts'
import { logNotices } from './reports.ts'
import { nameOf, RuleEnds } from './rule-ends.ts'
import { asRunningInstance, refuseSecondInstance } from './running-instance.ts'
import { noServiceManager, type ServiceManager } from './service-manager.ts'
import { Undo } from './undo.ts'
import { type Published, Warden, type WardenParts } from './warden.ts'

export interface StartOptions {
  /** How to start a receiver. Tests use a hostile one. */
  readonly starterFor?: (account: Account) => ReceiverStarter
  /** A socket that systemd starts receivers for. If it does not exist, the warden starts them by itself. */
  readonly receiverSocket?: string | undefined
  /** The same for helpers: what looks up names, runs gpg, and delivers webhooks. */
  readonly helperSocket?: string | undefined
  /** Gets the news: packets are received, and each reload. */
  readonly manager?: ServiceManager
  /** The caller keeps FWKNOP_PID_FILE. */
  readonly keepsPidFile?: boolean
  /**
   * Judges packets, and opens, records and runs nothing. Another server may run beside it: nothing is taken that only
   * one may have.
   */
  readonly dryRun?: boolean
  /** How “ghostport” is run, for what the console may ask for. Default: as this process. */
  readonly ownProgram?: OwnProgram
}

/** What every step of a start gets. */
interface Start extends Required<Omit<StartOptions, 'receiverSocket' | 'helperSocket'>> {
  /** Where systemd starts helpers; undefined if this process starts them. */
  readonly helpers: string | undefined
  readonly configuration: Configuration
  readonly account: Account
  readonly source: ConfigSource
  readonly log: Log
  readonly clock: Clock
  readonly undo: Undo
  /** Absent: there is no console. */
  readonly events: EventRing | undefined
  readonly onCommands: (commands: Commands) => void
}

/**
 * @param plainLog gets everything that happens.
 * @returns the warden, whose receiver has started and is not yet ready; or why it cannot start.
 */
export async function startWarden(
  source: ConfigSource,
  plainLog: Log,
  clock: Clock,
  {
    receiverSocket,
    helperSocket: helperPath,
    starterFor = starterBy(receiverSocket),
    manager = noServiceManager,
    keepsPidFile = false,
    dryRun = false,
    ownProgram = { options: process.execArgv, file: process.argv[1] ?? '' },
  }: StartOptions = {},
): Promise<Result<Warden>> {
  const configuration = readConfiguration(source, 0)
  if (!configuration.ok) return configuration
  const hasConsole = configuration.value.server.consoleAccess !== undefined && !dryRun
  const events = hasConsole ? new (await import('./console/event-ring.ts')).EventRing(plainLog) : undefined
  const firstLog = dryRun ? marked(plainLog) : (events ?? plainLog)
  let commands: Commands | undefined
  const isHooked = configuration.value.server.hooks !== undefined && !dryRun
  const ends = isHooked ? new RuleEnds(new HookTap(firstLog, (event) => commands?.hook(event))) : undefined
  const log = ends ?? firstLog
  logNotices(configuration.value.notices, log)
  const account = receiverAccount(configuration.value)
  if (!account.ok) return account
  if (!dryRun) {
    const alone = await refuseSecondInstance(configuration.value.server)
    if (!alone.ok) return alone
    const judged = judgeOwnPaths(configuration.value)
    if (!judged.ok) return judged
  }
  const answering = dryRun ? ok(undefined) : await checkReceipts(configuration.value)
  if (!answering.ok) return answering
  const undo = new Undo()
  const helpers = helperSocket(helperPath)
  const given = { source, log, clock, starterFor, helpers, manager, keepsPidFile, dryRun, events, ownProgram }
  const onCommands = (started: Commands): void => {
    commands = started
  }
  const all = { ...given, configuration: configuration.value, account: account.value, undo, onCommands }
  const opened = await openAll(all)
  if (!opened.ok) return await undo.after(opened)
  ends?.begin(() => namesOf(opened.value))
  return opened
}

/** Receipts leave by a raw socket. */
async function checkReceipts({ server, at }: Configuration): Promise<Result<void>> {
  if (server.policy.gateways?.receipts !== true) return ok(undefined)
  const { checkRawSockets } = await import('../../delivery/raw.ts')
  const may = checkRawSockets()
  return may.ok ? may : { ok: false, failure: located('GATEWAY_RECEIPTS', may.failure, at) }
}

/** What is open, as {@link RuleEnds} names it. */
async function namesOf(warden: Warden): Promise<ReadonlySet<string> | undefined> {
  const live = await warden.liveGrants()
  return live && new Set(live.map(({ source, openings }) => nameOf(source, openings.map(describeOpening).join())))
}

/** Each line of a dry run says so: nobody must take it for a grant. */
function marked(log: Log): Log {
  return { write: (level, event, fields = {}) => log.write(level, event, { dryRun: true, ...fields }) }
}

async function openAll(start: Start): Promise<Result<Warden>> {
  const events = new EarlyEvents()
  const commands = startCommands(start)
  const gnupg = startGnupg(start)
  const capturing = await startCapture(start, gnupg, events)
  if (!capturing.ok) return capturing
  const stores = await openStores(start)
  if (!stores.ok) return stores
  const { account, helpers, manager, log, clock } = start
  const resolve =
    helpers === undefined ? systemResolver(lookupAccounts(account), currentSituation()) : resolverBySocket(helpers)
  const warden = new Warden({ ...capturing.value, ...stores.value, commands, gnupg, resolve, manager, log, clock })
  // Only now: who needs its records listens to them.
  stores.value.cluster?.start()
  const published = await publish(start, warden)
  if (!published.ok) return published
  warden.begin(published.value)
  events.handOver(warden.handler)
  return ok(warden)
}

/** By systemd, or by this process. */
function starterBy(path: string | undefined): (account: Account) => ReceiverStarter {
  const socket = helperSocket(path)
  return socket === undefined ? receiverStarter : () => connectedReceivers(socket)
}

/** First of all: what the executor starts inherits what this process may do, and this process soon may do less. */
function startCommands({ configuration, source, helpers, log, dryRun, undo, onCommands }: Start): Commands {
  const commands = new Commands({ spawn: dryRun ? 'never' : () => spawnExecutor(source, helpers), log })
  onCommands(commands)
  commands.configured(configuration)
  undo.add(() => commands.stop())
  return commands
}

/** Where no stanza uses GnuPG, nothing is started. */
function startGnupg({ configuration, account, helpers, log, undo }: Start): Gnupg {
  const spawn = (requests: number): SpawnedGnupg =>
    helpers === undefined ? spawnGnupg(gnupgAccount(account), requests) : gnupgBySocket(helpers, requests)
  const gnupg = new Gnupg({ spawn, log })
  undo.add(() => gnupg.stop())
  // Before it starts: libuv makes a ring before any code of ours runs.
  if (configuration.gnupg !== undefined) forbidIoUring()
  gnupg.configured(configuration.gnupg)
  return gnupg
}

/** The sockets, and the receiver that reads them. */
async function startCapture(
  { configuration: { server }, account, starterFor, log, undo }: Start,
  gnupg: Gnupg,
  events: EarlyEvents,
): Promise<Result<Pick<WardenParts, 'capture' | 'receiver'>>> {
  const sockets = await openCaptures(server)
  if (!sockets.ok) return sockets
  const capture = new HeldCapture(sockets.value, server, log)
  undo.add(() => capture.close())
  if (server.captures.length === 0) {
    const { NoReceiver } = await import('./receiver-process/no-receiver.ts')
    const receiver = new NoReceiver(events.eventsFor(log))
    receiver.start()
    undo.add(() => receiver.stop())
    return ok({ capture, receiver })
  }
  const starter = starterFor(account)
  const possible = starter.isElsewhere ? ok(undefined) : checkSituation(account, currentSituation())
  if (!possible.ok) return possible
  if (starter.isElsewhere && server.receiverUser !== undefined)
    log.write('info', 'notice', { text: 'RECEIVER_USER has no effect: systemd starts the receiver, as another user' })
  if (!starter.separateUser)
    log.write('warning', 'notice', {
      text: `the receiver cannot run as ${account.name} here: it runs as this user, without capabilities`,
    })
  const receiver: RestartedReceiver = new RestartedReceiver(() => {
    const { fds, orders } = capture.sockets
    const end = gnupg.receiverEnd
    gnupg.descriptor = end === undefined ? undefined : captureDescriptor(fds.length)
    return starter.start(end === undefined ? fds : [...fds, end], orders)
  }, events.eventsFor(log))
  receiver.start()
  undo.add(() => receiver.stop())
  return ok({ capture, receiver })
}

type Stores = Pick<
  WardenParts,
  'cluster' | 'clusterUsers' | 'gates' | 'configurations' | 'replays' | 'firewall' | 'lock' | 'lastKnocks' | 'host'
>

/** The replay store and the firewall. */
async function openStores(start: Start): Promise<Result<Stores>> {
  if (start.dryRun) return ok(memoryStores(start))
  const { configuration, source, log, clock, undo } = start
  const { server, at } = configuration
  const replays = await openReplays(server, clock, log)
  if (!replays.ok) return { ok: false, failure: asRunningInstance(replays.failure, server.replay.database) }
  undo.add(() => replays.value?.close())
  let host: HostWatch | undefined
  const opened = await openFirewall(server, at, log, {
    onHostChange: () => host?.changed(),
    onUnrest: () => host?.unrest(),
  })
  if (!opened.ok) return opened
  const { firewall, lock }: OpenedFirewall = opened.value
  undo.add(() => firewall.close())
  undo.add(() => lock?.release())
  const configurations = new Configurations(source, configuration)
  host = new HostWatch(() => {
    const { policy, server } = configurations.active
    return firewall.hostFindings(portsInUse(policy, server))
  }, log)
  const watch = host
  undo.add(() => watch.close())
  const lastKnocks = replays.value === undefined ? undefined : lastKnocksPath(server)
  const cluster = await startCluster(start)
  if (!cluster.ok) return cluster
  const gates = await openGates(start, cluster.value)
  const clusterUsers = await openClusterUsers(start, cluster.value)
  return ok({
    cluster: cluster.value,
    clusterUsers,
    gates,
    configurations,
    replays: replays.value,
    firewall,
    lock,
    lastKnocks,
    host,
  })
}

/** Where there is no cluster, nothing is loaded. */
async function startCluster({ configuration, helpers, log, undo }: Start): Promise<Result<Cluster | undefined>> {
  const { server, policy } = configuration
  const { cluster: config } = server
  if (config === undefined || policy.maxAge === 'unlimited') return ok(undefined)
  const { readClusterSecret, readClusterSecrets } = await import('./cluster-process/secrets.ts')
  const secrets = readClusterSecrets(config)
  if (!secrets.ok) return secrets
  const secret = readClusterSecret(config)
  if (!secret.ok) return secret
  const { Cluster, lifeOfClaim } = await import('./cluster-process/cluster.ts')
  const { clusterBySocket, spawnCluster } = await import('./cluster-process/spawn.ts')
  const { PastFile } = await import('./cluster-process/past-file.ts')
  const records = secret.value && (await openRecords(config, secret.value, log))
  const cluster = new Cluster({
    ...{ config, secrets: secrets.value, life: lifeOfClaim(policy.maxAge), log, records, secret: secret.value },
    version: ownVersion(),
    past: new PastFile(clusterPastPath(server), config.cluster, log),
    spawn: () => (helpers === undefined ? spawnCluster(clusterAccount()) : clusterBySocket(helpers)),
  })
  undo.add(() => cluster.stop())
  return ok(cluster)
}

/** Where it cannot be told what was taken, nothing is opened for other nodes. The server itself goes on. */
async function openGates(
  { configuration: { server }, clock, log }: Start,
  cluster: Cluster | undefined,
): Promise<WardenParts['gates']> {
  const records = cluster?.records
  const own = server.cluster?.node
  if (records === undefined || own === undefined) return undefined
  const { TakenFile } = await import('./gates/taken-file.ts')
  const { Gates } = await import('./gates/gates.ts')
  const taken = TakenFile.open(takenPath(server), clock.now())
  if (taken.ok) return ok((hands) => new Gates({ ...hands, records, own, taken: taken.value, clock, log }))
  const { code, detail, suggestion: cure } = taken.failure
  const text = `${detail}: this node opens nothing for others of the cluster, and they open nothing for it`
  log.write('error', 'notice', { code, text, ...(cure !== undefined && { cure }) })
  return taken
}

async function openRecords(config: ClusterConfig, secret: ClusterSecret, log: Log): Promise<Records> {
  const { recordSealer } = await import('../../cluster-record/seal.ts')
  const { Records } = await import('./cluster-process/records.ts')
  return new Records({ sealer: recordSealer(config.cluster, secret), log, limit: config.timeout })
}

async function openClusterUsers(
  { configuration: { server }, log, undo }: Start,
  cluster: Cluster | undefined,
): Promise<ClusterUsers | undefined> {
  const own = server.cluster
  const records = cluster?.records
  if (own?.users === undefined || records === undefined) return undefined
  const { ClusterUsers } = await import('./cluster-users/cluster-users.ts')
  const { CopyFile } = await import('./cluster-users/copy-file.ts')
  const copy = new CopyFile(own.cluster, clusterCopyPath(server), clusterCopyStatePath(server))
  const users = new ClusterUsers({ records, copy, node: own.node, copyAge: own.users.copyAge, log })
  undo.add(() => users.close())
  return users
}

/** For a dry run: they answer like the real ones, and nothing outside of this process knows of them. */
function memoryStores({ configuration, source, log, undo }: Start): Stores {
  const { policy, server } = configuration
  const firewall = createMemoryFirewall(undefined, server.firewall.maxGrants)
  const gate = { maxAge: policy.maxAge, share: server.replay.packetsPerKey }
  const host = new HostWatch(() => firewall.hostFindings(portsInUse(policy, server)), log)
  undo.add(() => host.close())
  return {
    configurations: new Configurations(source, configuration),
    replays: policy.refuseReplays ? memoryReplayStore(gate) : undefined,
    firewall,
    lock: undefined,
    lastKnocks: undefined,
    host,
  }
}

/** What other processes find this one by. */
async function publish(start: Start, warden: Warden): Promise<Result<Published>> {
  const { configuration, keepsPidFile, dryRun, undo } = start
  const { server, at } = configuration
  if (dryRun) return ok({ control: undefined, pidFile: undefined })
  const control = await serveControl(server.controlSocket, {
    status: () => warden.status(),
    reload: (_, asker) => warden.reloadAnswer(asker()),
    uses: async () => warden.uses(),
    revoke: ({ word }, asker) => warden.revoke(word, asker()),
    ...(await warden.clusterUsersAnswers()),
  })
  if (!control.ok) return { ok: false, failure: located('CONTROL_SOCKET', control.failure, at) }
  undo.add(() => control.value.close())
  const opened = await publishConsole(start, warden)
  if (!opened.ok) return opened
  const sockets = { control: control.value, ...(opened.value !== undefined && { closeConsole: opened.value }) }
  if (server.pidFile === undefined || keepsPidFile) return ok({ ...sockets, pidFile: undefined })
  const pidFile = writePidFile(server.pidFile)
  if (!pidFile.ok) return { ok: false, failure: located('FWKNOP_PID_FILE', pidFile.failure, at) }
  return ok({ ...sockets, pidFile: pidFile.value })
}

/** @returns what closes the console's socket; undefined without a console. */
async function publishConsole(
  { configuration: { server, at }, events, ownProgram, log, undo }: Start,
  warden: Warden,
): Promise<Result<(() => void) | undefined>> {
  if (server.consoleAccess === undefined || events === undefined) return ok(undefined)
  const { user, socket: path } = server.consoleAccess
  const account = findAccount(readFileSync('/etc/passwd', 'latin1'), user)
  if (!account.ok) return { ok: false, failure: located('CONSOLE_USER', account.failure, at) }
  const { openConsole } = await import('./console/open-console.ts')
  const { uid } = account.value
  const opened = await openConsole(path, uid, { ...warden.deskParts(uid), events, ownProgram }, log)
  if (!opened.ok) return { ok: false, failure: located('CONSOLE_SOCKET', opened.failure, at) }
  undo.add(opened.value)
  return opened
}
