/** One knock, ten gates: how long after the knock each of them has opened. Three members of etcd on the same host. */
import { setTimeout as delay } from 'node:timers/promises'
import type { ClusterNode } from '../../test/support/cluster-lab.ts'
import { openSender } from '../../test/support/sender.ts'
import { GatesLab } from '../gates-lab.ts'
import { makeKeys, SPA_PORT, sealKnocks } from '../knocks.ts'
import { formatMilliseconds, type Row } from '../row.ts'
import { summarise } from '../statistics.ts'
import type { Measure } from './measure.ts'

const GATES = 10
const KNOCKS = 100
/** They find cold code, and do not count. */
const FIRST_KNOCKS = 20
/** Between knocks, in milliseconds. */
const PAUSE = 300
const AIM = 50

export const gates: Measure = {
  name: 'gates',
  about: `one knock at a node that names ${GATES} gates: how long until each has opened, for ${KNOCKS} knocks, one every ${PAUSE} ms`,
  async run() {
    const keys = makeKeys()
    await using lab = await GatesLab.create(keys, GATES)
    const { origin, gates: others } = lab
    await using sender = await openSender(lab.cluster.client.host)
    const sentAt = new Map<string, number>()
    // The age of a packet is limited, so each is sealed when it is sent.
    for (let i = 0; i < FIRST_KNOCKS + KNOCKS; i++) {
      const [knock] = sealKnocks(keys, i, 1)
      if (knock === undefined) continue
      if (i >= FIRST_KNOCKS) sentAt.set(knock.source, Date.now())
      void sender.send(knock.payload, origin.address, SPA_PORT)
      await delay(PAUSE)
    }
    await delay(2000)
    const [here, there] = [openingsOf([origin], sentAt), openingsOf(others, sentAt)]
    const whole = KNOCKS * GATES
    const [own, opened] = [summarise(here), summarise(there)]
    const p99 = there.toSorted((a, b) => a - b)[Math.ceil(0.99 * whole) - 1] ?? Number.POSITIVE_INFINITY
    const rows: Row[] = [
      {
        ...{ what: 'knock to granted, at the node of the knock', server: 'ghostport in a cluster', count: here.length },
        ...{ figure: formatMilliseconds(own?.median ?? Number.NaN), p95: formatMilliseconds(own?.p95 ?? Number.NaN) },
      },
      {
        ...{
          what: `knock to opened, at each of ${GATES} gates`,
          server: 'ghostport in a cluster',
          count: there.length,
        },
        figure: formatMilliseconds(opened?.median ?? Number.NaN),
        p95: formatMilliseconds(opened?.p95 ?? Number.NaN),
        target: `all, 99 % in ≤ ${AIM} ms`,
        met: there.length === whole && p99 <= AIM,
        note: `${there.length} of ${whole} opened; 99 % in ${formatMilliseconds(p99)}, the last after ${formatMilliseconds(opened?.max ?? Number.NaN)}`,
      },
    ]
    return rows
  },
}

/** @param sentAt by the address that the knock is for. @returns milliseconds since the knock, by the logs of these. */
function openingsOf(nodes: readonly ClusterNode[], sentAt: ReadonlyMap<string, number>): readonly number[] {
  return nodes.flatMap(({ daemon }) =>
    daemon.events.flatMap(({ verdict, time, for: address }) => {
      const sent = sentAt.get(String(address))
      return verdict === 'granted' && sent !== undefined ? [Date.parse(String(time)) - sent] : []
    }),
  )
}
