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
import { becomeUnprivileged, parseBecome } from '../../system/become.ts'
import { CLUSTER_TITLE, setProcessTitle } from '../../system/own-process.ts'
import { milliseconds } from '../../units.ts'
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
import { FROM_SOCKET_OPTION } from '../link/receiver-start.ts'

/** How often the cluster is looked at, and how long that may take. */
const LOOK_INTERVAL = milliseconds(5000)
const UNUSABLE_INTERVAL = milliseconds(1000)
const LOOK_LIMIT = milliseconds(3000)
/** A longer line of the other side breaks the channel. */
const EXIT = { usage: 64, unavailable: 69, mistake: 70, privilege: 77 } as const

async function main(): Promise<void> {
  setProcessTitle(CLUSTER_TITLE)
  const isFromSocket = process.argv.includes(FROM_SOCKET_OPTION)
  if (isFromSocket) {
    const { takeDescriptors } = await import('../link/handover.ts')
    if (!takeDescriptors(CLUSTER_CHANNEL, process.env).ok) process.exit(EXIT.unavailable)
  }
  const become = parseBecome(process.argv)
  if (!become.ok) process.exit(EXIT.usage)
  const unprivileged = await becomeUnprivileged(become.value)
  if (!unprivileged.ok) process.exit(EXIT.privilege)
  for (const signal of ['SIGINT', 'SIGHUP', 'SIGTERM'] as const) process.on(signal, () => {})
  const socket = new Socket({ fd: CLUSTER_CHANNEL, readable: true, writable: true })
  const desk = new Desk((message) => channel.send(message))
  const channel: Channel = openChannel(
    socket,
    {
      onValues: (values) => {
        for (const value of values) {
          const message = parseToCluster(value)
          if (message === undefined) process.exit(EXIT.mistake)
          desk.take(message)
        }
      },
      onBroken: () => process.exit(EXIT.mistake),
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
    if (!node.ok || this.#claims !== undefined) process.exit(EXIT.mistake)
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
