/** Knock → open door, one client at a time. */

import { type BenchKeys, makeKeys, sealKnocks } from '../knocks.ts'
import { knockPackets, Lab, serverAddress, type Traffic } from '../lab.ts'
import { formatMilliseconds, formatRatio, type Row } from '../row.ts'
import { everyServer, reference } from '../servers/all.ts'
import { type Summary, summarise } from '../statistics.ts'
import type { LatencyAnswer } from '../traffic/questions.ts'
import type { Measure } from './measure.ts'

const KNOCKS = 150

export const latency: Measure = {
  name: 'latency',
  about: `from sending a knock until the door is open to its sender: ${KNOCKS} clients, one after the other, at random gaps`,
  async run() {
    const rows: Row[] = []
    let referenceMedian: number | undefined
    for (const kind of everyServer) {
      await using lab = await Lab.create()
      const keys = makeKeys()
      const server = await kind.start(lab, { keys })
      const measured = await measureLatency(await lab.traffic(), keys, 0, KNOCKS)
      await server.stop()
      if (kind === reference) referenceMedian = measured.summary?.median
      const ratio = measured.summary && referenceMedian && measured.summary.median / referenceMedian
      rows.push({
        what: 'knock to open door',
        server: kind.name,
        ...latencyCells(measured),
        ...(ratio !== undefined && { ratio: formatRatio(ratio) }),
        ...(kind.isOurs && {
          target: '≤ 0.25x',
          met: ratio !== undefined && ratio <= 0.25,
        }),
      })
    }
    return rows
  },
}

export interface Latencies {
  readonly summary: Summary | undefined
  readonly knocks: number
  readonly lost: number
  grantedWithin(milliseconds: number): number
}

/** Knocks for clients `first`, `first + 1` …, each of which must be new to the server. */
export async function measureLatency(
  traffic: Traffic,
  keys: BenchKeys,
  first: number,
  count: number,
  gapMilliseconds?: readonly [number, number],
  deadlineMilliseconds?: number,
): Promise<Latencies> {
  return toLatencies(await timesOf(traffic, keys, first, count, gapMilliseconds, deadlineMilliseconds))
}

/** The same, one by one; `null` for lost. */
export async function timesOf(
  traffic: Traffic,
  keys: BenchKeys,
  first: number,
  count: number,
  gapMilliseconds: readonly [number, number] = [20, 120],
  deadlineMilliseconds = 1000,
): Promise<LatencyAnswer> {
  return await traffic.ask({
    ask: 'latency',
    server: serverAddress,
    knocks: knockPackets(sealKnocks(keys, first, count)),
    gapMilliseconds,
    deadlineMilliseconds,
  })
}

export function toLatencies(times: LatencyAnswer): Latencies {
  const granted = times.filter((time) => time !== null)
  return {
    summary: summarise(granted),
    knocks: times.length,
    lost: times.length - granted.length,
    grantedWithin: (milliseconds) => granted.filter((time) => time <= milliseconds).length,
  }
}

export function latencyCells({ summary, knocks, lost }: Latencies): Pick<Row, 'figure' | 'p95' | 'count' | 'note'> {
  return {
    figure: summary === undefined ? 'none granted' : formatMilliseconds(summary.median),
    ...(summary !== undefined && { p95: formatMilliseconds(summary.p95) }),
    count: knocks,
    ...(lost > 0 && { note: `${lost} lost` }),
  }
}
