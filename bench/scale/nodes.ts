/**
 * Many nodes of a cluster in one process: each has the claims, the lease and the looks of a real one (src/etcd/), and
 * nothing else of a server. Arguments: how many nodes, claims a second (0: each node always has one under way), claims
 * at once, seconds, members. Prints one line of JSON.
 */
import { randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { monotonic } from '../../src/clock.ts'
import type { NodeName } from '../../src/config/server/cluster-settings.ts'
import { Claims } from '../../src/etcd/claims.ts'
import { openEtcd } from '../../src/etcd/etcd.ts'
import type { ReplayDigest } from '../../src/packet/replay-digest.ts'
import { milliseconds, port, type Seconds } from '../../src/units.ts'
import { summarise } from '../statistics.ts'

/** What the simulation prints. */
export interface Simulated {
  readonly first: number
  readonly unknown: number
  /** Claims that were answered, a second. */
  readonly rate: number
  readonly median: number
  readonly p95: number
}

const LIMIT = milliseconds(3000)
/** As in daemon/cluster/program.ts. */
const LOOK_INTERVAL = milliseconds(5000)
/** MAX_SPA_PACKET_AGE twice, and ten minutes. */
const LIFE = 840 as Seconds

const [count = 1, rate = 0, atOnce = 1, length = 1] = process.argv.slice(2, 6).map(Number)
const members = (process.argv[6] ?? '').split(',').map((host) => ({ host, port: port(2379) }))

const nodes = Array.from({ length: count }, (_, i) => {
  // As nodes are set up: each names the members in another order.
  const from = i % members.length
  const etcd = openEtcd({ members: [...members.slice(from), ...members.slice(0, from)] })
  const clocks = { monotonic, wall: () => milliseconds(Date.now()) }
  const node = `node-${i}` as NodeName
  return new Claims({ ...{ etcd, cluster: 'scale', node, life: LIFE, past: undefined, clocks }, onPast: () => {} })
})
for (const node of nodes) await node.look(LIMIT)
for (const [i, node] of nodes.entries())
  setTimeout(() => setInterval(() => void node.look(LIMIT), LOOK_INTERVAL), (i * LOOK_INTERVAL) / count)

const times: number[] = []
let unknown = 0
const claim = async (node: Claims): Promise<void> => {
  const began = performance.now()
  const digests = Array.from({ length: atOnce }, () => randomBytes(32).toString('base64') as ReplayDigest)
  const answers = await Promise.all(digests.map((digest) => node.claim(digest, LIMIT)))
  for (const answer of answers)
    if (answer === 'first') times.push(performance.now() - began)
    else unknown++
}
const began = performance.now()
const isOver = (): boolean => performance.now() - began >= length * 1000
if (rate === 0)
  await Promise.all(
    nodes.map(async (node) => {
      while (!isOver()) await claim(node)
    }),
  )
else {
  const all: Promise<void>[] = []
  for (let sent = 0; !isOver(); ) {
    const due = ((performance.now() - began) / 1000) * (rate / atOnce)
    for (; sent < due; sent++) all.push(claim(nodes[sent % nodes.length] as Claims))
    await delay(1)
  }
  await Promise.all(all)
}
const took = (performance.now() - began) / 1000
const summary = summarise(times)
const simulated: Simulated = {
  ...{ first: times.length, unknown, rate: times.length / took },
  ...{ median: summary?.median ?? Number.NaN, p95: summary?.p95 ?? Number.NaN },
}
process.stdout.write(`${JSON.stringify(simulated)}\n`, () => process.exit(0))
