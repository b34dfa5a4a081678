/** What a cluster adds to a knock: the same server without one, and with three members of etcd on the same host. */
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Program } from '../../test/support/netns.ts'
import { makeKeys } from '../knocks.ts'
import { Lab } from '../lab.ts'
import { formatMilliseconds, formatRatio, type Row } from '../row.ts'
import { ghostport } from '../servers/ghostport.ts'
import { median, summarise } from '../statistics.ts'
import { openingsOf } from './burst.ts'
import { measureLatency } from './latency.ts'
import type { Measure } from './measure.ts'

const KNOCKS = 150
const ROUNDS = 3
/** In milliseconds. */
const MOST_ADDED = 5
const LAST_OF_BURST = 1000
export const MEMBERS = ['127.0.0.11', '127.0.0.12', '127.0.0.13']

export const cluster: Measure = {
  name: 'cluster',
  about: `what three members of etcd on the same host add to a knock: ${ROUNDS} times ${KNOCKS} knocks each way, in turns; and 1 000 knocks at once`,
  async run() {
    const medians: Record<'alone' | 'cluster', number[]> = { alone: [], cluster: [] }
    /** The same claims, asked by nobody else. */
    const bare: number[] = []
    const bursts: string[] = []
    let lastOfBurst = 0
    for (let round = 0; round < ROUNDS; round++)
      for (const way of ['alone', 'cluster'] as const) {
        await using lab = await Lab.create()
        const keys = makeKeys()
        if (way === 'cluster') await startEtcd(lab)
        const server = await ghostport.start(lab, { keys, ...(way === 'cluster' && inCluster(round)) })
        const { summary } = await measureLatency(await lab.traffic(), keys, 0, KNOCKS)
        medians[way].push(summary?.median ?? Number.NaN)
        await server.stop()
        if (way === 'cluster') bare.push(bareClaims(lab))
      }
    for (const way of ['alone', 'cluster'] as const) {
      await using lab = await Lab.create()
      const keys = makeKeys()
      if (way === 'cluster') await startEtcd(lab)
      const server = await ghostport.start(lab, { keys, ...(way === 'cluster' && inCluster(ROUNDS)) })
      const opened = summarise((await openingsOf(lab, keys)).flatMap((one) => (one === null ? [] : [one.first])))
      await server.stop()
      bursts.push(`${way}: ${opened?.count ?? 0}, the last after ${formatMilliseconds(opened?.max ?? Number.NaN)}`)
      if (way === 'cluster') lastOfBurst = opened?.count === 1000 ? opened.max : Number.POSITIVE_INFINITY
    }
    const [alone, clustered] = [median(medians.alone), median(medians.cluster)]
    const rows: Row[] = [
      { what: 'knock to open door', server: 'ghostport', figure: formatMilliseconds(alone), count: ROUNDS },
      {
        ...{ what: 'knock to open door', server: 'ghostport in a cluster' },
        ...{ figure: formatMilliseconds(clustered), count: ROUNDS, target: `≤ ${MOST_ADDED} ms more` },
        met: clustered - alone <= MOST_ADDED,
        note: `${formatMilliseconds(clustered - alone)} more`,
      },
      {
        ...{ what: 'a claim at etcd and nothing else, at the same gaps', server: 'etcd' },
        ...{ figure: formatMilliseconds(median(bare)), count: ROUNDS },
        note: `what a cluster adds is ${formatRatio((clustered - alone) / median(bare))} of it`,
      },
      {
        ...{ what: '1000 knocks at once, at one node', server: 'ghostport in a cluster' },
        ...{ figure: formatMilliseconds(lastOfBurst), target: `all, the last after ≤ ${LAST_OF_BURST} ms` },
        met: lastOfBurst <= LAST_OF_BURST,
        note: bursts.join('; '),
      },
    ]
    return rows
  },
}

/** @returns the median of claims by a process of their own, in milliseconds. */
function bareClaims(lab: Lab): number {
  const said = lab.server.must(
    [process.execPath, '--conditions=ghostport-source', BARE_CLAIMS, MEMBERS.join(','), `${KNOCKS}`],
    {
      timeoutMs: 120_000,
    },
  )
  return Number(said)
}

const BARE_CLAIMS = fileURLToPath(new URL('../traffic/bare-claims.ts', import.meta.url))

const inCluster = (round: number) => ({
  settings: [
    `CLUSTER etcd://${MEMBERS.map((address) => `${address}:2379`).join(',')}/bench-${round}`,
    'CLUSTER_NODE node-1',
  ],
  ready: /"event":"cluster usable"/,
})

/** Three members, on the server's own host. */
export async function startEtcd(lab: Lab): Promise<readonly Program[]> {
  const folder = lab.directory()
  const initial = MEMBERS.map((address, i) => `m${i}=http://${address}:2380`).join(',')
  const members = MEMBERS.map((address, i) =>
    lab.server.start([
      ...['etcd', '--name', `m${i}`, '--data-dir', join(folder, `m${i}`), '--logger', 'zap', '--log-level', 'error'],
      ...['--listen-client-urls', `http://${address}:2379`, '--advertise-client-urls', `http://${address}:2379`],
      ...['--listen-peer-urls', `http://${address}:2380`, '--initial-advertise-peer-urls', `http://${address}:2380`],
      ...['--initial-cluster', initial],
    ]),
  )
  for (let i = 0; i < 100; i++) {
    const { status } = lab.server.run(['etcdctl', '--endpoints', `http://${MEMBERS[0]}:2379`, 'get', 'nothing'], {
      env: { ETCDCTL_API: '3' },
    })
    if (status === 0) return members
    await delay(100)
  }
  throw new Error('etcd does not start')
}
