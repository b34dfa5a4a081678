/** Knock → open door with much in the firewall or in the replay store, beside the same with nothing in them. */
import { clientAddress, makeKeys, sealKnocks } from '../knocks.ts'
import { clientNumber, knockPackets, Lab, serverAddress, type Traffic } from '../lab.ts'
import { formatRatio, type Row } from '../row.ts'
import { oneOfEach } from '../servers/all.ts'
import type { ServerKind } from '../servers/server.ts'
import { type Latencies, latencyCells, measureLatency } from './latency.ts'
import type { Measure } from './measure.ts'

const GRANTS = 5_000
const REPLAY_ENTRIES = 1_000_000
/** Clients of their own for what comes after the seeded ones. */
const AFTER_SEEDED = 20_000
const FLAT = 1.2

export const grants: Measure = {
  name: 'grants',
  about:
    `knock to open door with ${GRANTS} grants live, beside the same server with none; ghostport's are made by as many ` +
    'knocks, fwknopd’s are put into its chain in its own form',
  run: async () => {
    const rows: Row[] = []
    for (const kind of oneOfEach) {
      await using lab = await Lab.create()
      const keys = makeKeys()
      const server = await kind.start(lab, { keys, lifetime: 600 })
      const traffic = await lab.traffic()
      const count = countFor(!kind.isOurs)
      const empty = await measureLatency(traffic, keys, 0, count)
      const clients = Array.from({ length: GRANTS }, (_, i) => 1_000 + i)
      if (kind.seedGrants) kind.seedGrants(lab, clients.map(clientAddress), 600)
      const knocks = kind.seedGrants ? [] : knockPackets(sealKnocks(keys, 1_000, GRANTS))
      const open = await openDoors(traffic, knocks, kind.seedGrants ? clients.map(clientNumber) : [])
      const full = await measureLatency(traffic, keys, AFTER_SEEDED, count)
      await server.stop()
      rows.push(...compare(`with ${open} grants live`, kind, empty, full))
    }
    return rows
  },
}

export const replays: Measure = {
  name: 'replays',
  about:
    `knock to open door with ${REPLAY_ENTRIES} packets remembered, beside the same server with none; ghostport's are claimed ` +
    'through its own store before it starts, fwknopd’s written as its digest.cache',
  run: async () => {
    const rows: Row[] = []
    for (const kind of oneOfEach) {
      const measured: Latencies[] = []
      let start = 0
      for (const replayEntries of [undefined, REPLAY_ENTRIES]) {
        await using lab = await Lab.create()
        const keys = makeKeys()
        const server = await kind.start(lab, { keys, ...(replayEntries !== undefined && { replayEntries }) })
        start = server.startMilliseconds
        measured.push(await measureLatency(await lab.traffic(), keys, 0, countFor(!kind.isOurs)))
        await server.stop()
      }
      const [empty, full] = measured as [Latencies, Latencies]
      const note = `ready ${Math.round(start)} ms after start`
      rows.push(...compare(`with ${REPLAY_ENTRIES} replay entries`, kind, empty, full, note))
    }
    return rows
  },
}

/** fwknopd is slow enough to be told by fewer. */
function countFor(reference: boolean): number {
  return reference ? 50 : 100
}

function compare(what: string, kind: ServerKind, empty: Latencies, full: Latencies, note?: string): readonly Row[] {
  const ratio = full.summary && empty.summary && full.summary.median / empty.summary.median
  return [
    { what, server: `${kind.name}: none`, ...latencyCells(empty) },
    {
      what,
      server: `${kind.name}: all`,
      ...latencyCells(full),
      ...(note !== undefined && { note: full.lost > 0 ? `${full.lost} lost; ${note}` : note }),
      ...(ratio !== undefined && { ratio: formatRatio(ratio) }),
      ...(kind.isOurs && {
        target: `≤ ${FLAT}x of none`,
        met: ratio !== undefined && ratio <= FLAT && full.lost === 0,
      }),
    },
  ]
}

/** @returns how many doors are open in the end. */
async function openDoors(
  traffic: Traffic,
  knocks: ReturnType<typeof knockPackets>,
  onlookers: readonly number[],
): Promise<number> {
  const openings = await traffic.ask({
    ask: 'watch',
    server: serverAddress,
    knocks,
    onlookers,
    knocksPerSecond: 1_500,
    tryEveryMilliseconds: 500,
    watchUntil: 'open',
    endAfterMilliseconds: 15_000,
    endIdleMilliseconds: 2_000,
  })
  return openings.filter((opening) => opening !== null).length
}
