/**
 * The program that asks etcd. It talks to a network and reads its answers, so it has no privilege: it becomes a user of
 * its own at once. It has no key of any client. It learns digests of packets, and says which of them are new.
 *
 * Started by the warden, with the channel as descriptor 3, and with `--become UID:GID` where that is possible. Or
 * started by systemd for a connection of the warden, as a user of its own (`--from-socket`, link/handover.ts).
 */
import { Socket } from 'node:net'
import { monotonic } from '../../clock.ts'
import { nodeName } from '../../config/server/cluster-settings.ts'
import { type Claimed, Claims } from '../../etcd/claims.ts'
import { openEtcd } from '../../etcd/etcd.ts'
import { CLUSTER_TITLE } from '../../system/own-process.ts'
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

/** How often the cluster is looked at, and how long that may take. */
const LOOK_INTERVAL = milliseconds(5000)
const UNUSABLE_INTERVAL = milliseconds(1000)
const LOOK_LIMIT = milliseconds(3000)
/** Its exit status where the warden says what it never says. */
const MISTAKE = 70

async function main(): Promise<void> {
  await beginHelper(CLUSTER_TITLE, CLUSTER_CHANNEL)
  const socket = new Socket({ fd: CLUSTER_CHANNEL, readable: true, writable: true })
  const desk = new Desk((message) => channel.send(message))
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
  #answers: ClusterAnswer[] = []

  constructor(send: (message: FromCluster) => void) {
    this.#send = send
  }

  take(message: ToCluster): void {
    if (message.type === 'configure') this.#configure(message)
    else
      for (const { id, digest } of message.claims)
        void (this.#claims?.claim(digest, message.limit) ?? Promise.resolve(NOT_CONFIGURED)).then((claimed) =>
          this.#answer(id, claimed),
        )
  }

  #configure(order: ConfigureCluster): void {
    const { members, tls, login, cluster, life, past } = order
    const node = nodeName(order.node)
    if (!node.ok || this.#claims !== undefined) process.exit(MISTAKE)
    let etcd: ReturnType<typeof openEtcd>
    try {
      etcd = openEtcd({ members, ...(tls !== undefined && { tls }), ...(login !== undefined && { login }) })
    } catch (error) {
      this.#send({ type: 'failed', why: shown((error as Error).message) })
      return
    }
    const claims = new Claims({
      ...{ etcd, cluster, node: node.value, life },
      past: past && { cluster: past.cluster, revision: BigInt(past.revision) },
      clocks: { monotonic, wall: () => milliseconds(Math.max(0, Date.now())) },
      onPast: ({ cluster: id, revision }) =>
        this.#send({ type: 'past', past: { cluster: id, revision: `${revision}` } }),
    })
    this.#claims = claims
    void this.#lookAgain(claims)
  }

  async #lookAgain(claims: Claims): Promise<void> {
    const health = await claims.look(LOOK_LIMIT)
    this.#send({ type: 'health', ...('why' in health ? { why: shown(health.why) } : { took: whole(health.took) }) })
    setTimeout(() => void this.#lookAgain(claims), 'why' in health ? UNUSABLE_INTERVAL : LOOK_INTERVAL)
  }

  /** Answers that come at once leave together. */
  #answer(id: number, claimed: Claimed): void {
    if (this.#answers.length === 0) setImmediate(() => this.#flush())
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
  }
}

const NOT_CONFIGURED: Claimed = { unknown: 'the cluster process has no configuration yet' }

function shown(why: string): string {
  return why.replace(/[^\x20-\x7e]/g, '?').slice(0, 300)
}

function whole(time: number): ReturnType<typeof milliseconds> {
  return milliseconds(Math.round(time))
}

await main()
