/** Three servers with one identity, three members of etcd: a thousand knocks at once, and the loss of the leader. */
import { setTimeout as delay } from 'node:timers/promises'
import { ClusterLab, type ClusterNode } from '../../test/support/cluster-lab.ts'
import { openSender, type Sender } from '../../test/support/sender.ts'
import { makeKeys, SPA_PORT, sealKnocks } from '../knocks.ts'
import { formatMilliseconds, type Row } from '../row.ts'
import { ghostportBinary } from '../servers/ghostport.ts'
import { accessText } from '../servers/server.ts'
import { median } from '../statistics.ts'
import type { Measure } from './measure.ts'

const KNOCKS = 1000
const BURSTS = 3
const LOSSES = 5
/** In milliseconds. */
const LAST_OF_BURST = 1000
const AGAIN_WITHIN = 3000
/** Between knocks while the leader is lost. */
const GAP = 50
const WATCHED = 6000

export const fleet: Measure = {
  name: 'fleet',
  about: `three servers with three members of etcd: ${KNOCKS} knocks at once over all of them, ${BURSTS} times; and knocks every ${GAP} ms while the leader is killed, ${LOSSES} times`,
  async run() {
    const keys = makeKeys()
    await using lab = await ClusterLab.create({
      ...{ nodes: 3, members: 3 },
      settings: {
        ...{ access: accessText({ keys }), server: ['FIREWALL_MODE mark'] },
        program: [process.execPath, ghostportBinary],
      },
    })
    await lab.usable()
    await using sender = await openSender(lab.client.host)
    let sealed = 0
    const next = (count: number): readonly Uint8Array[] => {
      const knocks = sealKnocks(keys, sealed, count)
      sealed += count
      return knocks.map(({ payload }) => payload)
    }
    // The first knocks find cold code.
    await burst(lab, sender, next(30))
    const bursts: Burst[] = []
    for (let i = 0; i < BURSTS; i++) bursts.push(await burst(lab, sender, next(KNOCKS)))
    const losses: number[] = []
    for (let i = 0; i < LOSSES; i++) losses.push(await leaderLost(lab, sender, () => next(1)))
    const lasts = bursts.map(({ granted, last }) => (granted === KNOCKS ? last : Number.POSITIVE_INFINITY))
    const rows: Row[] = [
      {
        ...{ what: `${KNOCKS} knocks at once, over three nodes`, server: 'ghostport in a cluster' },
        ...{
          figure: formatMilliseconds(median(lasts)),
          count: BURSTS,
          target: `all, the last after ≤ ${LAST_OF_BURST} ms`,
        },
        met: median(lasts) <= LAST_OF_BURST,
        note: bursts.map(({ granted, last }) => `${granted}, the last after ${formatMilliseconds(last)}`).join('; '),
      },
      {
        ...{ what: 'leader killed: no knock is granted for', server: 'ghostport in a cluster' },
        ...{ figure: formatMilliseconds(median(losses)), count: LOSSES, target: `≤ ${AGAIN_WITHIN} ms` },
        met: Math.max(...losses) <= AGAIN_WITHIN,
        note: `each: ${losses.map(formatMilliseconds).join(', ')}`,
      },
    ]
    return rows
  },
}

interface Burst {
  readonly granted: number
  /** After the first was sent, in milliseconds. */
  readonly last: number
}

/** Each knock to one node, in turn. */
async function burst({ nodes }: ClusterLab, sender: Sender, packets: readonly Uint8Array[]): Promise<Burst> {
  const before = nodes.map(({ daemon }) => daemon.events.length)
  const began = Date.now()
  for (const [i, bytes] of packets.entries())
    void sender.send(bytes, (nodes[i % nodes.length] as ClusterNode).address, SPA_PORT)
  await delay(4000)
  const times = nodes.flatMap(({ daemon }, i) => grantsAfter(daemon.events.slice(before[i])))
  return { granted: times.length, last: Math.max(...times) - began }
}

/** @returns the longest time without a grant, in milliseconds. */
async function leaderLost({ members, nodes }: ClusterLab, sender: Sender, next: () => readonly Uint8Array[]) {
  const leader = members.find((member) => {
    const [{ Status }] = JSON.parse(member.etcdctl('endpoint', 'status', '-w', 'json').stdout) as [StatusOfMember]
    return Status.header.member_id === Status.leader
  })
  if (leader === undefined) throw new Error('no member leads')
  const before = nodes.map(({ daemon }) => daemon.events.length)
  const began = performance.now()
  const killedAt = Date.now()
  void leader.kill()
  for (let i = 0; performance.now() - began < WATCHED; i++) {
    for (const bytes of next()) void sender.send(bytes, (nodes[i % nodes.length] as ClusterNode).address, SPA_PORT)
    await delay(GAP)
  }
  leader.start()
  await leader.ready()
  const times = nodes.flatMap(({ daemon }, i) => grantsAfter(daemon.events.slice(before[i]))).toSorted((a, b) => a - b)
  return Math.max(...[...times, killedAt + WATCHED].map((time, i) => time - (times[i - 1] ?? killedAt)))
}

interface StatusOfMember {
  readonly Status: { readonly header: { readonly member_id: number }; readonly leader: number }
}

function grantsAfter(events: ClusterNode['daemon']['events']): readonly number[] {
  return events.flatMap(({ verdict, time }) => (verdict === 'granted' ? [Date.parse(String(time))] : []))
}
