/** Valid knocks in a flood of junk. */
import { makeJunk, makeKeys } from '../knocks.ts'
import { Lab, serverAddress } from '../lab.ts'
import { formatMilliseconds, type Row, threeDigits } from '../row.ts'
import { everyServer } from '../servers/all.ts'
import { measureLatency } from './latency.ts'
import type { Measure } from './measure.ts'

const PACKETS_PER_SECOND = 50_000
const MILLISECONDS = 7_000
const KNOCKS = 20
const IN_TIME = 50
const DEADLINE = 200
const PAYLOADS = 4_096

export const flood: Measure = {
  name: 'flood',
  about:
    `${KNOCKS} knocks in ${PACKETS_PER_SECOND} packets/s from ${PAYLOADS} addresses that only their HMAC tells from knocks, ` +
    `for ${MILLISECONDS / 1000} s; a door not open after ${DEADLINE} ms counts as lost`,
  run: async () => {
    const rows: Row[] = []
    for (const kind of everyServer) {
      await using lab = await Lab.create()
      const keys = makeKeys()
      const server = await kind.start(lab, { keys })
      const [flooder, traffic] = [await lab.traffic(), await lab.traffic()]
      const logged = server.logBytes()
      const cpu = server.cpuMilliseconds()
      const flooding = flooder.ask({
        ask: 'flood',
        server: serverAddress,
        payloads: makeJunk(PAYLOADS),
        packetsPerSecond: PACKETS_PER_SECOND,
        milliseconds: MILLISECONDS,
      })
      const measured = await measureLatency(traffic, keys, 1, KNOCKS, [100, 200], DEADLINE)
      const flooded = await flooding
      const load = (100 * (server.cpuMilliseconds() - cpu)) / flooded.milliseconds
      const log = (server.logBytes() - logged) / 1e6
      await server.stop()
      const inTime = measured.grantedWithin(IN_TIME)
      rows.push({
        what: `knocks granted in ${IN_TIME} ms under junk`,
        server: kind.name,
        figure: `${inTime} of ${KNOCKS}`,
        count: KNOCKS,
        ...(measured.summary && { p95: formatMilliseconds(measured.summary.p95) }),
        ...(kind.isOurs && { target: `all, at ${PACKETS_PER_SECOND}/s`, met: inTime === KNOCKS }),
        note:
          `${Math.round(flooded.sent / (flooded.milliseconds / 1000))} packets/s; ` +
          `${measured.summary === undefined ? '' : `median ${formatMilliseconds(measured.summary.median)}; `}` +
          `${Math.round(load)} % of a core; ${threeDigits(log)} MB logged`,
      })
    }
    return rows
  },
}
