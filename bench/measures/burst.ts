/** A thousand clients that knock at the same moment. */
import { type BenchKeys, makeKeys, sealKnocks } from '../knocks.ts'
import { knockPackets, Lab, serverAddress } from '../lab.ts'
import { formatMilliseconds, type Row } from '../row.ts'
import { everyServer } from '../servers/all.ts'
import { summarise } from '../statistics.ts'
import type { Measure } from './measure.ts'

const KNOCKS = 1_000
const IN_TIME = 500
/** In milliseconds, for the last of them. */
const LAST = 150
const TRY_EVERY = 25
const GIVE_UP_AFTER = 12_000

/** When each door opened, after all knocks were sent at once. */
export async function openingsOf(lab: Lab, keys: BenchKeys) {
  const traffic = await lab.traffic()
  return await traffic.ask({
    ask: 'watch',
    server: serverAddress,
    knocks: knockPackets(sealKnocks(keys, 0, KNOCKS)),
    onlookers: [],
    knocksPerSecond: Number.POSITIVE_INFINITY,
    tryEveryMilliseconds: TRY_EVERY,
    watchUntil: 'open',
    endAfterMilliseconds: GIVE_UP_AFTER,
    endIdleMilliseconds: 1_500,
  })
}

export const burst: Measure = {
  name: 'burst',
  about: `${KNOCKS} knocks of as many clients sent with one call, each of which tries its door every ${TRY_EVERY} ms`,
  run: async () => {
    const rows: Row[] = []
    for (const kind of everyServer) {
      await using lab = await Lab.create()
      const keys = makeKeys()
      const server = await kind.start(lab, { keys })
      const openings = await openingsOf(lab, keys)
      await server.stop()
      const opened = summarise(openings.flatMap((opening) => (opening === null ? [] : [opening.first])))
      const inTime = openings.filter((opening) => opening !== null && opening.first <= IN_TIME).length
      rows.push({
        what: `${KNOCKS} knocks at once, granted in ${IN_TIME} ms`,
        server: kind.name,
        figure: `${inTime} of ${KNOCKS}`,
        count: KNOCKS,
        ...(kind.isOurs && {
          target: `all, the last after ≤ ${LAST} ms`,
          met: inTime === KNOCKS && opened !== undefined && opened.max <= LAST,
        }),
        note:
          opened === undefined
            ? 'none at all'
            : `${opened.count} in ${GIVE_UP_AFTER / 1000} s, the median one after ${formatMilliseconds(opened.median)}, the last after ${formatMilliseconds(opened.max)}`,
      })
    }
    return rows
  },
}
