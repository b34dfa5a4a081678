/**
 * The warden’s side of the cluster. A process asks etcd (daemon/cluster/program.ts), and is started again when it dies.
 * Claims wait here for its answers. What is known of the cluster is told to status. Each claim gets an answer in its
 * time, also from a process that hangs.
 */
import { isDeepStrictEqual } from 'node:util'
import { monotonic } from '../../../clock.ts'
import type { ClusterSecret } from '../../../cluster-record/seal.ts'
import type { ClusterConfig } from '../../../config/server/cluster-settings.ts'
import type { Log } from '../../../log.ts'
import { formatHostPort } from '../../../packet/address.ts'
import type { ReplayDigest } from '../../../packet/replay-digest.ts'
import { type Milliseconds, milliseconds, type Seconds } from '../../../units.ts'
import { type Channel, openChannel } from '../../link/channel.ts'
import {
  type ClusterAnswer,
  type ClusterPast,
  type ConfigureCluster,
  type FromCluster,
  MOST_IN_MESSAGE,
  parseFromCluster,
  type ToCluster,
} from '../../link/cluster-protocol.ts'
import type { ReceiverProcess } from '../receiver-process/spawn.ts'
import { logReceiverErrors } from '../receiver-process/standard-error.ts'
import { StateLines } from '../state-lines.ts'
import { ClusterLimits, STATE_LINES } from './limits.ts'
import type { PastFile } from './past-file.ts'
import type { Records, RecordsStatus } from './records.ts'
import type { SpawnedCluster } from './spawn.ts'

/** What the cluster says of a packet. `unknown`: it said nothing that counts; with the reason. */
export type ClusterClaim = 'first' | { readonly usedAt: string } | { readonly unknown: string }

/** How long to wait before the n-th new start in a row; the last value repeats. */
const RESTART_DELAYS: readonly Milliseconds[] = [100, 500, 2000, 10_000].map(milliseconds)
const WELL_AFTER = milliseconds(60_000)
/** For the way between the two processes. */
const GRACE = milliseconds(250)
/** How often the limits of its silence are looked at. */
const LOOK_INTERVAL = milliseconds(5000)
/** Claims that wait. */
const MOST_WAITING = 20_000
/** etcd was looked at so long ago that nothing is known of it. */
const OUTDATED = milliseconds(15_000)
/**
 * How far the clocks of two nodes may be apart. A claim outlives the packet at each of them: it is made at most one age
 * window before the time in the packet, and the packet is accepted until one age window after it.
 */
const MOST_SKEW = 300

/** How long a claim must be kept in etcd. */
export function lifeOfClaim(maxAge: Seconds): Seconds {
  return (2 * maxAge + 2 * MOST_SKEW) as Seconds
}

/** For `ghostport status`. */
export interface ClusterStatus {
  /** The name of the cluster, and of this node. */
  readonly cluster: string
  readonly node: string
  readonly members: readonly string[]
  /** Whether it answered when it was last looked at, and lost nothing. */
  readonly usable: boolean
  /** Since when: RFC 3339. */
  readonly since: string
  /** Why it is not usable. */
  readonly why?: string
  /** How long the last look took, in milliseconds. */
  readonly answeredInMs?: number
  /** Packets since the start: new in the whole cluster, used at another node, or of which nothing was known. */
  readonly first: number
  readonly usedElsewhere: number
  readonly unknown: number
  /** Only with CLUSTER_SECRET_FILE. */
  readonly records?: RecordsStatus
}

export interface ClusterParts {
  readonly config: ClusterConfig
  /** The password and PEM files, as read at the start. {@link Cluster.renew} replaces them. */
  readonly secrets: Pick<ConfigureCluster, 'tls' | 'login'>
  /** Of ghostport. */
  readonly version?: string
  readonly life: Seconds
  readonly past: PastFile
  /** Absent: this node shares used packets only. */
  readonly records?: Records | undefined
  /** What these are sealed with. */
  readonly secret?: ClusterSecret | undefined
  readonly spawn: () => SpawnedCluster
  readonly log: Log
}

interface Health {
  readonly usable: boolean
  /** Where it is not usable. */
  readonly why?: string
  /** Milliseconds. */
  readonly took?: number
}

interface Waiting {
  readonly answer: (claim: ClusterClaim) => void
  readonly timer: NodeJS.Timeout
}

const GONE: ClusterClaim = { unknown: 'the cluster process does not run' }
const SILENT: ClusterClaim = { unknown: 'no answer in time' }
const BUSY: ClusterClaim = { unknown: 'too many packets wait for the cluster' }

export class Cluster {
  readonly #parts: ClusterParts
  #secrets: ClusterParts['secrets']
  readonly #waiting = new Map<number, Waiting>()
  #lastId = 0
  /** To be sent. */
  readonly #claims: { id: number; digest: ReplayDigest }[] = []
  #child: ReceiverProcess | undefined
  #channel: Channel | undefined
  #limits = new ClusterLimits(monotonic())
  /** Ends a process that is not honest. */
  #onBroken: (why: string) => void = () => {}
  readonly #lines: StateLines<Health>
  /** For a process that has not said yet that it runs. */
  #unsent: ToCluster[] | undefined
  #restarts = 0
  #timer: NodeJS.Timeout | undefined
  #stopped = false
  #health: Health & { readonly since: Date }
  #lookedAt = monotonic()
  readonly #counts = { first: 0, usedElsewhere: 0, unknown: 0 }

  constructor(parts: ClusterParts) {
    this.#parts = parts
    this.#secrets = parts.secrets
    this.#health = { usable: false, since: new Date(), why: 'it has not answered yet' }
    const { cluster, node } = parts.config
    this.#lines = new StateLines(STATE_LINES, ({ usable, took, why }, more) => {
      const fields = { cluster, node, ...more }
      if (usable) parts.log.write('info', 'cluster usable', { ...fields, tookMs: took ?? 0 })
      else parts.log.write('error', 'cluster unusable', { ...fields, detail: why ?? '' })
    })
  }

  /** Absent without CLUSTER_SECRET_FILE. */
  get records(): Records | undefined {
    return this.#parts.records
  }

  start(): void {
    if (this.#stopped || this.#child !== undefined) return
    const { spawn, log } = this.#parts
    const startedAt = monotonic()
    const { child, channel, errors } = spawn()
    this.#child = child
    this.#unsent = []
    const limits = new ClusterLimits(startedAt)
    this.#limits = limits
    this.#parts.records?.connect((message) => this.#send(message))
    logReceiverErrors(errors, log, () => child.kill('SIGKILL'), 'cluster says')
    let own: string | undefined
    const broken = (why: string): void => {
      if (own !== undefined) return
      own = why
      child.kill('SIGKILL')
      // What it has sent is not read any more.
      opened.end()
    }
    const opened = openChannel(channel, {
      onValues: (values) => {
        for (const value of values) {
          if (own !== undefined) return
          const message = parseFromCluster(value)
          if (message === undefined) broken('it sent an invalid message')
          else if (message.type === 'failed') broken(message.why)
          else {
            const wrong = limits.onMessage(message, monotonic()) ?? this.#take(message)
            if (wrong !== undefined) broken(wrong)
          }
        }
      },
      onBroken: (why) => broken(`it sent an invalid message: ${why}`),
      onEnd: () => {},
    })
    this.#channel = opened
    this.#onBroken = broken
    const looks = setInterval(() => {
      const wrong = limits.onSilence(monotonic())
      if (wrong !== undefined) broken(wrong)
    }, LOOK_INTERVAL).unref()
    const onLost = (why: string): void => {
      if (this.#child !== child) return
      clearInterval(looks)
      this.#child = undefined
      this.#channel?.end()
      this.#channel = undefined
      for (const id of [...this.#waiting.keys()]) this.#settle(id, GONE)
      this.#parts.records?.lost(`the cluster process has ended: ${own ?? why}`)
      if (this.#stopped) return
      if (monotonic() - startedAt > WELL_AFTER) this.#restarts = 0
      const again = RESTART_DELAYS[Math.min(this.#restarts++, RESTART_DELAYS.length - 1)] ?? milliseconds(10_000)
      this.#learn({ usable: false, why: `the cluster process has ended: ${own ?? why}` })
      log.write('error', 'cluster lost', { detail: own ?? why, againInMs: again })
      this.#timer = setTimeout(() => this.start(), again)
    }
    child.once('error', (error) => onLost(error.message))
    child.once('exit', (status, signal) =>
      onLost(signal !== null ? `killed by ${signal}` : status === null ? 'it ended' : `exit status ${status}`),
    )
  }

  /**
   * Never rejects.
   * @param when `at once`: what follows keeps this process busy. Else what is claimed soon after goes with it.
   * @returns one answer for each, in order.
   */
  claim(digests: readonly ReplayDigest[], when: 'at once' | 'soon' = 'soon'): readonly Promise<ClusterClaim>[] {
    const channel = this.#channel
    const limit = this.#parts.config.timeout
    if (channel === undefined || this.#waiting.size + digests.length > MOST_WAITING) {
      const answer = channel === undefined ? GONE : BUSY
      return digests.map(() => Promise.resolve(this.#counted(answer)))
    }
    if (this.#claims.length === 0) queueMicrotask(() => this.#sendClaims())
    const answers = digests.map((digest) => {
      const id = ++this.#lastId
      this.#claims.push({ id, digest })
      return new Promise<ClusterClaim>((answer) => {
        const timer = setTimeout(() => this.#settle(id, SILENT), limit + GRACE)
        this.#waiting.set(id, { answer, timer })
      })
    })
    if (when === 'at once') this.#sendClaims()
    return answers
  }

  /** Claims that are made at once leave together. */
  #sendClaims(): void {
    const limit = this.#parts.config.timeout
    while (this.#claims.length > 0)
      this.#send({ type: 'claim', limit, claims: this.#claims.splice(0, MOST_IN_MESSAGE) })
  }

  status(): ClusterStatus {
    const { config } = this.#parts
    const isOutdated = monotonic() - this.#lookedAt > OUTDATED
    const { usable, since, why, took } =
      isOutdated && this.#health.usable ? { ...this.#health, usable: false, why: 'it does not answer' } : this.#health
    return {
      ...{ cluster: config.cluster, node: config.node, usable, since: since.toISOString() },
      members: config.members.map(({ host, port }) => formatHostPort(host, port)),
      ...(why !== undefined && { why }),
      ...(took !== undefined && usable && { answeredInMs: took }),
      ...this.#counts,
      ...(this.#parts.records !== undefined && { records: this.#parts.records.status() }),
    }
  }

  /** Whether records are sealed with it. */
  hasSecret(secret: ClusterSecret | undefined): boolean {
    const own = this.#parts.secret
    return own === undefined || secret === undefined ? own === secret : own.key.equals(secret.key)
  }

  /** The files were read again, at a reload. Claims that are under way end by the old ones. */
  renew(secrets: ClusterParts['secrets']): void {
    if (isDeepStrictEqual(secrets, this.#secrets)) return
    this.#secrets = secrets
    const { log, config } = this.#parts
    log.write('info', 'cluster renewed', { cluster: config.cluster, node: config.node })
    // A process that has not begun yet gets them with its configuration.
    if (this.#unsent === undefined) this.#send({ type: 'renew', ...secrets })
  }

  stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
    this.#lines.forget()
    this.#child?.kill('SIGKILL')
    for (const id of [...this.#waiting.keys()]) this.#settle(id, GONE)
    this.#parts.records?.lost('the server stops')
    this.#parts.past.close()
  }

  /** @returns why the process is not honest. */
  #take(message: Exclude<FromCluster, { type: 'failed' }>): string | undefined {
    const { records } = this.#parts
    switch (message.type) {
      case 'started':
        this.#channel?.send(this.#order())
        for (const message of this.#unsent?.splice(0) ?? []) this.#channel?.send(message)
        this.#unsent = undefined
        return undefined
      case 'answers':
        for (const answer of message.answers) this.#settle(answer.id, claimOf(answer))
        return undefined
      case 'past':
        this.#parts.past.learn(message.past)
        return undefined
      case 'health':
        this.#lookedAt = monotonic()
        this.#learn('why' in message ? { usable: false, why: message.why } : { usable: true, took: message.took })
        return undefined
      case 'changes':
      case 'records':
      case 'written':
        return records === undefined ? 'it sent records, and there are none' : records.take(message)
      default:
        return message satisfies never
    }
  }

  #send(message: ToCluster): void {
    if (this.#unsent !== undefined) {
      this.#unsent.push(message)
      return
    }
    const channel = this.#channel
    if (channel === undefined) return
    // Records come by hundreds. Claims do not wait: a knock waits for them.
    if (message.type === 'put' || message.type === 'remove') channel.sendSoon(message)
    else channel.send(message)
    const wrong = this.#limits.onBacklog(channel.backlog)
    if (wrong !== undefined) this.#onBroken(wrong)
  }

  #order(): ConfigureCluster {
    const { config, life, past, records, version } = this.#parts
    const { members, cluster, node } = config
    const known: ClusterPast | undefined = past.known
    return {
      type: 'configure',
      ...{ members, cluster, node, life },
      ...this.#secrets,
      ...(version !== undefined && { version }),
      ...(known !== undefined && { past: known }),
      ...(records !== undefined && { records: true as const }),
    }
  }

  /** Each change is told once. */
  #learn(health: Health): void {
    const before = this.#health
    const isSame = before.usable === health.usable
    this.#health = { ...health, since: isSame ? before.since : new Date() }
    if (!isSame || (!health.usable && before.why !== health.why)) this.#lines.tell(health)
  }

  #settle(id: number, claim: ClusterClaim): void {
    const waiting = this.#waiting.get(id)
    if (waiting === undefined) return
    this.#waiting.delete(id)
    clearTimeout(waiting.timer)
    waiting.answer(this.#counted(claim))
  }

  #counted(claim: ClusterClaim): ClusterClaim {
    if (claim === 'first') this.#counts.first++
    else if ('usedAt' in claim) this.#counts.usedElsewhere++
    else this.#counts.unknown++
    return claim
  }
}

function claimOf(answer: ClusterAnswer): ClusterClaim {
  if ('first' in answer) return 'first'
  return 'usedAt' in answer ? { usedAt: answer.usedAt } : { unknown: answer.unknown }
}
