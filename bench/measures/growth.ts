/** Knock → open door with much in the firewall or in the replay store, beside the same with nothing in them. */
import { type BenchKeys, clientAddress, type Knock, makeKeys, sealKnocks } from '../knocks.ts'
import { clientNumber, knockPackets, Lab, serverAddress, type Traffic } from '../lab.ts'
import { formatRatio, type Row } from '../row.ts'
import { oneOfEach } from '../servers/all.ts'
import type { RunningServer, ServerKind, ServerOptions } from '../servers/server.ts'
import { type Latencies, latencyCells, timesOf, toLatencies } from './latency.ts'
import type { Measure } from './measure.ts'

const GRANTS = 5_000
const REPLAY_ENTRIES = 1_000_000
/** The first of the clients whose doors are already open. The measured clients come before it. */
const SEEDED = 1_000
const KNOCKS_A_TURN = 10
const FLAT = 1.1

export const grants: Measure = {
  name: 'grants',
  about:
    `knock to open door with ${GRANTS} grants live, in turns with another such server that has none; ghostport's are made ` +
    'by as many knocks, fwknopd’s are put into its chain in its own form',
  run: async () => {
    const rows: Row[] = []
    for (const kind of oneOfEach) {
      await using empty = await Lab.create()
      await using full = await Lab.create()
      const keys = makeKeys()
      const servers = [
        await start(kind, empty, { keys, lifetime: 600 }),
        await start(kind, full, { keys, lifetime: 600 }),
      ]
      const clients = Array.from({ length: GRANTS }, (_, i) => SEEDED + i)
      kind.seedGrants?.(full, clients.map(clientAddress), 600)
      const knocks = kind.seedGrants ? [] : knockPackets(sealKnocks(keys, SEEDED, GRANTS))
      const open = await openDoors(await full.traffic(), knocks, kind.seedGrants ? clients.map(clientNumber) : [])
      // As many knocks, but all for the same door: both servers have had time to compile their frequent code.
      if (!kind.seedGrants) await openDoors(await empty.traffic(), knockPackets(knocksOfOne(keys)), [])
      rows.push(...compare(`with ${open} grants live`, kind, await inTurns(servers, keys, kind)))
      for (const { server } of servers) await server.stop()
    }
    return rows
  },
}

export const replays: Measure = {
  name: 'replays',
  about:
    `knock to open door with ${REPLAY_ENTRIES} packets remembered, in turns with another such server that has none; ` +
    'ghostport’s are claimed through its own store before it starts, fwknopd’s written as its digest.cache',
  run: async () => {
    const rows: Row[] = []
    for (const kind of oneOfEach) {
      await using empty = await Lab.create()
      await using full = await Lab.create()
      const keys = makeKeys()
      const servers = [
        await start(kind, empty, { keys }),
        await start(kind, full, { keys, replayEntries: REPLAY_ENTRIES }),
      ]
      const ready = servers.map(({ server }) => Math.round(server.startMilliseconds))
      const note = `ready ${ready[1]} ms after start (without: ${ready[0]} ms)`
      rows.push(...compare(`with ${REPLAY_ENTRIES} replay entries`, kind, await inTurns(servers, keys, kind), note))
      for (const { server } of servers) await server.stop()
    }
    return rows
  },
}

function knocksOfOne(keys: BenchKeys): readonly Knock[] {
  return Array.from({ length: GRANTS }, () => sealKnocks(keys, SEEDED, 1)).flat()
}

interface Started {
  readonly server: RunningServer
  readonly traffic: Traffic
}

async function start(kind: ServerKind, lab: Lab, options: ServerOptions): Promise<Started> {
  return { server: await kind.start(lab, options), traffic: await lab.traffic() }
}

/** A few knocks to one, then to the other, so that other work of the machine affects both alike. */
async function inTurns(servers: readonly Started[], keys: BenchKeys, kind: ServerKind): Promise<readonly Latencies[]> {
  // fwknopd is slow enough for fewer knocks.
  const turns = kind.isOurs ? 10 : 4
  const times = servers.map((): (number | null)[] => [])
  for (let turn = 0; turn < turns; turn++)
    for (const [i, { traffic }] of servers.entries())
      times[i]?.push(...(await timesOf(traffic, keys, turn * KNOCKS_A_TURN, KNOCKS_A_TURN)))
  return times.map(toLatencies)
}

function compare(what: string, kind: ServerKind, [empty, full]: readonly Latencies[], note?: string): readonly Row[] {
  if (empty === undefined || full === undefined) throw new Error('two servers are compared')
  const ratio = full.summary && empty.summary && full.summary.median / empty.summary.median
  return [
    { what, server: `${kind.name}, without`, ...latencyCells(empty) },
    {
      what,
      server: `${kind.name}, with them`,
      ...latencyCells(full),
      ...(note !== undefined && { note: full.lost > 0 ? `${full.lost} lost; ${note}` : note }),
      ...(ratio !== undefined && { ratio: formatRatio(ratio) }),
      ...(kind.isOurs && {
        target: `≤ ${FLAT}x of without`,
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
