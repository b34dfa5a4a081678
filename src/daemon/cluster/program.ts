/**
 * The program that asks etcd. It talks to a network and reads its answers, so it has no privilege: it becomes a user of
 * its own at once. It has no key of any client. It learns digests of packets, and says which of them are new.
 *
 * Started by the warden, with the channel as descriptor 3, and with `--become UID:GID` where that is possible. Or
 * started by systemd for a connection of the warden, as a user of its own (`--from-socket`, link/handover.ts).
 */
import { randomBytes } from 'node:crypto'
import { Socket } from 'node:net'
import { monotonic } from '../../clock.ts'
import { recordKey } from '../../cluster-record/record-name.ts'
import { type ClusterName, clusterName, nodeName } from '../../config/server/cluster-settings.ts'
import { type Claimed, Claims } from '../../etcd/claims.ts'
import { type Etcd, openEtcd } from '../../etcd/etcd.ts'
import type { EtcdPast } from '../../etcd/header.ts'
import { Announcer, PRESENCE_INTERVAL } from '../../etcd/presence.ts'
import { RecordWrites } from '../../etcd/record-writes.ts'
import { warmUp } from '../../etcd/warm-up.ts'
import { CLUSTER_TITLE } from '../../system/own-process.ts'
import { setV8Options } from '../../system/v8-options.ts'
import { milliseconds } from '../../units.ts'
import { beginHelper } from '../link/begin-helper.ts'
import { type Channel, openChannel } from '../link/channel.ts'
import {
  CLUSTER_CHANNEL,
  type ClusterAnswer,
  type ConfigureCluster,
  type FromCluster,
  LONGEST_TO_CLUSTER,
  MOST_IN_MESSAGE,
  parseToCluster,
  type ToCluster,
} from '../link/cluster-protocol.ts'
import { followRecords, shown } from './follow-records.ts'

/** How often the cluster is looked at, and how long that may take. */
const LOOK_INTERVAL = milliseconds(5000)
const UNUSABLE_INTERVAL = milliseconds(1000)
const LOOK_LIMIT = milliseconds(3000)
/** What is under way at a client of etcd that has a successor has ended by then. */
const LAST_ANSWERS = milliseconds(60_000)
/** Its exit status where the warden says what it never says. */
const MISTAKE = 70

async function main(): Promise<void> {
  await beginHelper(CLUSTER_TITLE, CLUSTER_CHANNEL)
  setV8Options('cluster')
  const socket = new Socket({ fd: CLUSTER_CHANNEL, readable: true, writable: true })
  const desk = new Desk((message) => channel.sendSoon(message))
  const channel: Channel = openChannel(
    socket,
    {
      onValues: (values) => {
        for (const value of values) {
          const message = parseToCluster(value)
          if (message === undefined) process.exit(MISTAKE)
          desk.take(message)
        }
      },
      onBroken: () => process.exit(MISTAKE),
      onEnd: () => process.exit(0),
    },
    LONGEST_TO_CLUSTER,
  )
  channel.send({ type: 'started' } satisfies FromCluster)
}

/** What the warden's messages do. */
class Desk {
  readonly #send: (message: FromCluster) => void
  #claims: Claims | undefined
  #writes: RecordWrites | undefined
  #cluster: ClusterName | undefined
  /** The client of etcd. A renewal replaces it. */
  #etcd: Etcd | undefined
  #members: ConfigureCluster['members'] = []
  #answers: ClusterAnswer[] = []
  /** The last that is not told yet. */
  #past: EtcdPast | undefined
  #isWarm = false

  constructor(send: (message: FromCluster) => void) {
    this.#send = send
  }

  take(message: ToCluster): void {
    switch (message.type) {
      case 'configure':
        this.#configure(message)
        return
      case 'claim':
        for (const { id, digest } of message.claims)
          void (this.#claims?.claim(digest, message.limit) ?? Promise.resolve(NOT_CONFIGURED)).then((claimed) =>
            this.#answer(id, claimed),
          )
        return
      case 'renew':
        this.#renew(message)
        return
      case 'put':
      case 'remove':
        void this.#write(message)
        return
      default:
        message satisfies never
    }
  }

  async #write(message: Extract<ToCluster, { type: 'put' | 'remove' }>): Promise<void> {
    const { number, limit } = message
    const [writes, cluster] = [this.#writes, this.#cluster]
    let why: string | undefined = 'the cluster process has no configuration yet'
    if (writes !== undefined && cluster !== undefined) {
      const key = recordKey(cluster, message)
      why =
        message.type === 'put' && message.isNew
          ? await writes.create({ key, value: message.sealed }, limit)
          : message.type === 'put'
            ? await writes.put({ key, value: message.sealed, ...(message.life && { life: message.life }) }, limit)
            : await writes.remove(key, limit)
    }
    this.#send({ type: 'written', number, ...(why !== undefined && { why: shown(why) }) })
  }

  #configure(order: ConfigureCluster): void {
    const { members, life, past, version = '?' } = order
    const node = nodeName(order.node)
    const named = clusterName(order.cluster)
    if (!node.ok || !named.ok || this.#claims !== undefined) process.exit(MISTAKE)
    const cluster = named.value
    const clocks = { monotonic, wall: () => milliseconds(Math.max(0, Date.now())) }
    this.#members = members
    if (!this.#renew(order)) return
    const etcd = this.#currentEtcd()
    const claims = new Claims({
      ...{ etcd, cluster, node: node.value, life },
      past: past && { cluster: past.cluster, revision: BigInt(past.revision) },
      clocks,
      onPast: (past) => this.#tellPast(past),
    })
    this.#claims = claims
    this.#writes = new RecordWrites(etcd, clocks)
    this.#cluster = cluster
    if (order.records) followRecords(etcd, cluster, this.#send)
    void this.#lookAgain(claims)
    const instance = randomBytes(12).toString('base64url')
    const own = { etcd, cluster, node: node.value, version, life, instance, clocks }
    void this.#announceAgain(new Announcer({ ...own, onForgotten: () => void claims.closeAsForgotten() }))
  }

  /** With other certificates, or another password. @returns whether they can be used. */
  #renew({ tls, login }: Pick<ConfigureCluster, 'tls' | 'login'>): boolean {
    const before = this.#etcd
    const members = this.#members
    try {
      this.#etcd = openEtcd({ members, ...(tls !== undefined && { tls }), ...(login !== undefined && { login }) })
    } catch (error) {
      this.#send({ type: 'failed', why: shown((error as Error).message) })
      return false
    }
    if (before !== undefined) setTimeout(() => before.close(), LAST_ANSWERS)
    return true
  }

  #currentEtcd(): Etcd {
    return {
      ask: async (method, body, limit) =>
        (await this.#etcd?.ask(method, body, limit)) ?? { kind: 'silence', why: 'its files cannot be used' },
      follow: async (method, body, options) =>
        (await this.#etcd?.follow(method, body, options)) ?? 'its files cannot be used',
      preferLeader: async (limit) => await this.#etcd?.preferLeader(limit),
      close: () => this.#etcd?.close(),
    }
  }

  async #announceAgain(announcer: Announcer): Promise<void> {
    await announcer.announce()
    setTimeout(() => void this.#announceAgain(announcer), PRESENCE_INTERVAL)
  }

  async #lookAgain(claims: Claims): Promise<void> {
    const health = await claims.look(LOOK_LIMIT)
    this.#send({ type: 'health', ...('why' in health ? { why: shown(health.why) } : { took: whole(health.took) }) })
    setTimeout(() => void this.#lookAgain(claims), 'why' in health ? UNUSABLE_INTERVAL : LOOK_INTERVAL)
    if (!('why' in health)) this.#warmUpOnce()
  }

  #warmUpOnce(): void {
    if (this.#isWarm || this.#cluster === undefined) return
    this.#isWarm = true
    void warmUp(this.#currentEtcd(), this.#cluster)
  }

  /** After the answers that it comes with: knocks wait for these. */
  #tellPast(past: EtcdPast): void {
    if (this.#past === undefined) setImmediate(() => this.#flush())
    this.#past = past
  }

  /** Answers that come at once leave together. */
  #answer(id: number, claimed: Claimed): void {
    if (this.#answers.length === 0) queueMicrotask(() => this.#flush())
    this.#answers.push(
      claimed === 'first'
        ? { id, first: 'yes' }
        : 'unknown' in claimed
          ? { id, unknown: shown(claimed.unknown) }
          : { id, usedAt: claimed.usedAt },
    )
  }

  #flush(): void {
    while (this.#answers.length > 0) this.#send({ type: 'answers', answers: this.#answers.splice(0, MOST_IN_MESSAGE) })
    if (this.#past === undefined) return
    const { cluster, revision } = this.#past
    this.#past = undefined
    this.#send({ type: 'past', past: { cluster, revision: `${revision}` } })
  }
}

const NOT_CONFIGURED: Claimed = { unknown: 'the cluster process has no configuration yet' }

function whole(time: number): ReturnType<typeof milliseconds> {
  return milliseconds(Math.round(time))
}

await main()
