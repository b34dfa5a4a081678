/** What etcd takes: many nodes, as far as etcd sees them, and three members on this host (docs/CLUSTER.md). */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Program } from '../../test/support/netns.ts'
import { Lab } from '../lab.ts'
import { formatMilliseconds, type Row } from '../row.ts'
import type { Simulated } from '../scale/nodes.ts'
import type { Heard } from '../scale/watchers.ts'
import { MEMBERS, startEtcd } from './cluster.ts'
import type { Measure } from './measure.ts'

const SECONDS = 10
const NODES = fileURLToPath(new URL('../scale/nodes.ts', import.meta.url))
const WATCHERS = fileURLToPath(new URL('../scale/watchers.ts', import.meta.url))
/** Nodes that follow the records. */
const FOLLOWERS = [1, 50, 200]
const RECORDS_PER_SECOND = 10
/** USER_HZ. */
const TICKS = 100

/** `rate` 0: each node always has one claim, or group, under way. */
const RUNS = [
  { nodes: 1, rate: 0, atOnce: 1 },
  { nodes: 10, rate: 0, atOnce: 1 },
  { nodes: 50, rate: 0, atOnce: 1 },
  { nodes: 200, rate: 0, atOnce: 1 },
  { nodes: 10, rate: 0, atOnce: 10 },
  { nodes: 10, rate: 0, atOnce: 100 },
  { nodes: 200, rate: 100, atOnce: 1 },
  { nodes: 200, rate: 300, atOnce: 1 },
  { nodes: 200, rate: 600, atOnce: 1 },
  { nodes: 200, rate: 1000, atOnce: 1 },
] as const

export const scale: Measure = {
  name: 'scale',
  about: `claims of 1 to 200 nodes at three members of etcd on this host, ${RUNS.length} times ${SECONDS} s; and records that 1 to 200 nodes follow, ${FOLLOWERS.length} times ${SECONDS} s`,
  async run() {
    const rows: Row[] = []
    for (const { nodes, rate, atOnce } of RUNS) {
      await using lab = await Lab.create()
      const members = await startEtcd(lab)
      const before = members.map(cpuSeconds)
      const words = [`${nodes}`, `${rate}`, `${atOnce}`, `${SECONDS}`, MEMBERS.join(',')]
      const argv = [process.execPath, '--conditions=ghostport-source', NODES, ...words]
      const seen = JSON.parse(lab.server.must(argv, { timeoutMs: 120_000 })) as Simulated
      const cpu = members.map((member, i) => ((cpuSeconds(member) - (before[i] ?? 0)) * 1000) / seen.first)
      const size = sizeOf(lab)
      rows.push({
        what: `${nodes} nodes, ${rate === 0 ? `${atOnce} at once each, without a pause` : `${rate} claims/s together`}`,
        server: 'etcd',
        ...{ figure: formatMilliseconds(seen.median), p95: formatMilliseconds(seen.p95), count: seen.first },
        note:
          `${Math.round(seen.rate)} claims/s; ${seen.unknown} without an answer; processor for a claim: ` +
          `${cpu.map(formatMilliseconds).join(', ')}; store ${Math.round(size / seen.first)} bytes for a claim`,
      })
    }
    for (const nodes of FOLLOWERS) rows.push(await followed(nodes))
    return rows
  },
}

async function followed(nodes: number): Promise<Row> {
  await using lab = await Lab.create()
  const members = await startEtcd(lab)
  const before = members.map(cpuSeconds)
  const words = [`${nodes}`, `${RECORDS_PER_SECOND}`, `${SECONDS}`, MEMBERS.join(',')]
  const argv = [process.execPath, '--conditions=ghostport-source', WATCHERS, ...words]
  const { written, heard, median, p95 } = JSON.parse(lab.server.must(argv, { timeoutMs: 120_000 })) as Heard
  const cpu = members.map((member, i) => (cpuSeconds(member) - (before[i] ?? 0)) * 1000)
  return {
    ...{ what: `${nodes} nodes follow ${RECORDS_PER_SECOND} records/s`, server: 'etcd' },
    ...{ figure: formatMilliseconds(median), p95: formatMilliseconds(p95), count: heard },
    note: `${written} written, ${heard} of ${written * nodes} told; processor of the members: ${cpu.map(formatMilliseconds).join(', ')}`,
  }
}

function cpuSeconds({ pid }: Program): number {
  const [, fields = ''] = /^.*\) (.*)$/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8').trim()) ?? []
  const each = fields.split(' ')
  // utime and stime: proc(5).
  return (Number(each[11]) + Number(each[12])) / TICKS
}

/** Of one member's database, in bytes. */
function sizeOf(lab: Lab): number {
  const words = ['etcdctl', '--endpoints', `http://${MEMBERS[0]}:2379`, 'endpoint', 'status', '-w', 'json']
  const [first] = JSON.parse(lab.server.must(words, { env: { ETCDCTL_API: '3' } })) as [{ Status: { dbSize: number } }]
  return first.Status.dbSize
}
