/** How soon a server is ready, and what it uses. */
import { chmodSync, copyFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { makeKeys, sealKnocks } from '../knocks.ts'
import { knockPackets, Lab, serverAddress } from '../lab.ts'
import { formatMilliseconds, formatRatio, type Row, threeDigits } from '../row.ts'
import { everyServer, reference } from '../servers/all.ts'
import type { ServerKind } from '../servers/server.ts'
import { type Summary, summarise } from '../statistics.ts'
import type { Measure } from './measure.ts'

const STARTS = 10
const GRANTS = 1_000
/** As many as fwknopd can handle without loss in the available time. Its state is in the kernel. */
const FWKNOPD_GRANTS = 100
const READY = 180
const MEMORY = { ready: 75e6, used: 95e6 }

export const footprint: Measure = {
  name: 'footprint',
  about: `start until ready, ${STARTS} times; proportional set size of all processes (with nothing else on the machine that runs Node) when ready and after ${GRANTS} grants`,
  run: async () => {
    const [starts, memories]: [Row[], Row[]] = [[], []]
    let referenceStart: Summary | undefined
    let referenceMemory: number | undefined
    const times = new Map(everyServer.map((kind): [ServerKind, number[]] => [kind, []]))
    // In turns, so that other work of the machine affects all alike.
    for (let i = 0; i < STARTS; i++)
      for (const [kind, started] of times) {
        await using lab = await Lab.create()
        const server = await kind.start(lab, { keys: makeKeys() })
        started.push(server.startMilliseconds)
        await server.stop()
      }
    for (const [kind, started] of times) {
      const start = summarise(started)
      if (start === undefined) continue
      if (kind === reference) referenceStart = start
      starts.push({
        what: 'start to ready',
        server: kind.name,
        figure: formatMilliseconds(start.median),
        p95: formatMilliseconds(start.p95),
        count: start.count,
        ...(referenceStart && { ratio: formatRatio(start.median / referenceStart.median) }),
        ...(kind.isOurs && { target: `≤ ${READY} ms`, met: start.median <= READY }),
      })

      const { before, after, granted } = await memoryOf(kind, kind.isOurs ? GRANTS : FWKNOPD_GRANTS)
      if (kind === reference) referenceMemory = after
      memories.push({
        what: `memory after ${GRANTS} grants`,
        server: kind.name,
        figure: `${threeDigits(after / 1e6)} MB`,
        ...(referenceMemory !== undefined && { ratio: formatRatio(after / referenceMemory) }),
        ...(kind.isOurs && {
          target: '≤ 75 / 95 MB',
          met: before <= MEMORY.ready && after <= MEMORY.used && granted === GRANTS,
        }),
        note: `${threeDigits(before / 1e6)} MB when ready${granted === GRANTS ? '' : `; after ${granted} grants`}`,
      })
    }
    return [...starts, ...memories]
  },
}

export async function memoryOf(kind: ServerKind, grants: number) {
  await using lab = await Lab.create()
  const keys = makeKeys()
  // A copy: pages mapped from a file are shared with every process that maps it, such as the benchmark itself.
  const node = join(lab.directory(), 'node')
  copyFileSync(process.execPath, node)
  chmodSync(node, 0o755)
  const server = await kind.start(lab, { keys, node })
  const traffic = await lab.traffic()
  await delay(500)
  const before = server.memory()
  const openings = await traffic.ask({
    ask: 'watch',
    server: serverAddress,
    knocks: knockPackets(sealKnocks(keys, 0, grants)),
    onlookers: [],
    knocksPerSecond: grants / 2,
    tryEveryMilliseconds: 250,
    watchUntil: 'open',
    endAfterMilliseconds: 16_000,
    endIdleMilliseconds: 2_000,
  })
  const after = server.memory()
  await server.stop()
  return { before, after, granted: openings.filter((opening) => opening !== null).length }
}
