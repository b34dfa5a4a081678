/** A warden that makes no machine code, as `ghostport unit` may run it, beside the usual one. In turns. */
import { makeKeys } from '../knocks.ts'
import { Lab } from '../lab.ts'
import { formatMilliseconds, type Row, threeDigits } from '../row.ts'
import { ghostport, ghostportJitless } from '../servers/ghostport.ts'
import type { ServerKind } from '../servers/server.ts'
import { summarise } from '../statistics.ts'
import { openingsOf } from './burst.ts'
import { memoryOf } from './footprint.ts'
import { timesOf } from './latency.ts'
import type { Measure } from './measure.ts'

const TURNS = 5
const KNOCKS = 40
const GRANTS = 1_000

interface Found {
  readonly starts: number[]
  readonly latencies: number[]
  readonly bursts: number[]
  /** Of the same knocks: processor time of all processes, which other work of the machine affects less. */
  readonly processor: number[]
  readonly memories: { readonly before: number; readonly after: number }[]
}

export const jitless: Measure = {
  name: 'jitless',
  about: `a warden without a compiler beside the usual one, ${TURNS} times in turns: start, knock to open door, ${GRANTS} knocks at once, memory`,
  run: async () => {
    const all = new Map(
      [ghostport, ghostportJitless].map((kind): [ServerKind, Found] => [
        kind,
        { starts: [], latencies: [], bursts: [], processor: [], memories: [] },
      ]),
    )
    for (let turn = 0; turn < TURNS; turn++)
      for (const [kind, { starts, latencies, bursts, processor, memories }] of all) {
        const keys = makeKeys()
        {
          await using lab = await Lab.create()
          const server = await kind.start(lab, { keys })
          starts.push(server.startMilliseconds)
          const times = await timesOf(await lab.traffic(), keys, 0, KNOCKS)
          latencies.push(...times.map((time) => time ?? Number.POSITIVE_INFINITY))
          await server.stop()
        }
        {
          await using lab = await Lab.create()
          const server = await kind.start(lab, { keys })
          const before = server.cpuMilliseconds()
          const openings = await openingsOf(lab, keys)
          processor.push(server.cpuMilliseconds() - before)
          bursts.push(Math.max(...openings.map((opening) => opening?.first ?? Number.POSITIVE_INFINITY)))
          await server.stop()
        }
        memories.push(await memoryOf(kind, GRANTS))
      }
    return [...all].flatMap(([kind, found]) => rowsOf(kind, found))
  },
}

function rowsOf(
  { name: server }: ServerKind,
  { starts, latencies, bursts, processor, memories }: Found,
): readonly Row[] {
  const timed = (what: string, times: readonly number[]): readonly Row[] => {
    const summary = summarise(times)
    if (summary === undefined) return []
    const { median, p95, count } = summary
    return [{ what, server, figure: formatMilliseconds(median), p95: formatMilliseconds(p95), count }]
  }
  const least = (bytes: readonly number[]): string => threeDigits(Math.min(...bytes) / 1e6)
  return [
    ...timed('start to ready', starts),
    ...timed('knock to open door', latencies),
    ...timed(`the last of ${GRANTS} knocks at once`, bursts),
    ...timed(`processor time of ${GRANTS} knocks at once`, processor),
    {
      what: `memory after ${GRANTS} grants`,
      server,
      figure: `${least(memories.map(({ after }) => after))} MB`,
      count: memories.length,
      note: `${least(memories.map(({ before }) => before))} MB when ready`,
    },
  ]
}
