/** Valid knocks in floods of junk, and what one core can take at most. */
import { makeJunk, makeKeys } from '../knocks.ts'
import { Lab, serverAddress } from '../lab.ts'
import { formatMilliseconds, type Row, threeDigits } from '../row.ts'
import { everyServer } from '../servers/all.ts'
import { bareReceiver } from '../servers/bare-receiver.ts'
import { ghostport, ghostportUdp } from '../servers/ghostport.ts'
import type { ServerKind } from '../servers/server.ts'
import { measureLatency } from './latency.ts'
import type { Measure } from './measure.ts'

const KNOCKS = 20
const IN_TIME = 50
const DEADLINE = 200
const MILLISECONDS = 5_000
/** As fast as the machine sends. */
const ANY_RATE = 10_000_000

interface Flood {
  /** Junk comes from so many addresses. */
  readonly sources: number
  readonly packetsPerSecond: number
  readonly servers: readonly ServerKind[]
}

/** First 4 096 sources, which stand for random ones: none sends much. Then few sources that send much. */
const floods: readonly Flood[] = [
  { sources: 4_096, packetsPerSecond: 50_000, servers: everyServer },
  { sources: 4_096, packetsPerSecond: 100_000, servers: [ghostport, ghostportUdp] },
  { sources: 4_096, packetsPerSecond: 250_000, servers: [ghostport, ghostportUdp] },
  { sources: 100, packetsPerSecond: ANY_RATE, servers: [ghostport, ghostportUdp] },
  { sources: 1, packetsPerSecond: ANY_RATE, servers: [ghostport, ghostportUdp] },
]

export const flood: Measure = {
  name: 'flood',
  about:
    `${KNOCKS} knocks in junk that only its HMAC tells from knocks; a door not open after ${DEADLINE} ms counts as lost; ` +
    'and what one core takes that does nothing but read junk and check its HMAC',
  run: async () => {
    const rows: Row[] = []
    for (const flood of floods) for (const kind of flood.servers) rows.push(await measureFlood(flood, kind))
    rows.push(await measureBareLoop())
    return rows
  },
}

async function measureFlood({ sources, packetsPerSecond }: Flood, kind: ServerKind): Promise<Row> {
  await using lab = await Lab.create()
  const keys = makeKeys()
  const server = await kind.start(lab, { keys })
  const [flooder, traffic] = [await lab.traffic(), await lab.traffic()]
  const [logged, cpu] = [server.logBytes(), server.cpuMilliseconds()]
  const flooding = flooder.ask({
    ask: 'flood',
    server: serverAddress,
    payloads: makeJunk(sources),
    packetsPerSecond,
    milliseconds: MILLISECONDS,
  })
  const measured = await measureLatency(traffic, keys, 1, KNOCKS, [100, 200], DEADLINE)
  const flooded = await flooding
  const used = server.cpuMilliseconds() - cpu
  const log = (server.logBytes() - logged) / 1e6
  await server.stop()
  const inTime = measured.grantedWithin(IN_TIME)
  const isFirst = sources === floods[0]?.sources && packetsPerSecond === floods[0]?.packetsPerSecond
  const rate = packetsPerSecond === ANY_RATE ? 'any rate' : `${packetsPerSecond}/s`
  return {
    what: `knocks granted in ${IN_TIME} ms under junk${isFirst ? '' : `, ${sources} sources, ${rate}`}`,
    server: kind.name,
    figure: `${inTime} of ${KNOCKS}`,
    count: KNOCKS,
    ...(measured.summary && { p95: formatMilliseconds(measured.summary.p95) }),
    ...(kind.isOurs && { target: 'all', met: inTime === KNOCKS }),
    note:
      `${Math.round(flooded.sent / (flooded.milliseconds / 1000))} packets/s; ` +
      `${measured.summary === undefined ? '' : `median ${formatMilliseconds(measured.summary.median)}; `}` +
      `${Math.round((100 * used) / flooded.milliseconds)} % of a core, ${threeDigits((1000 * used) / flooded.sent)} µs a packet; ` +
      `${threeDigits(log)} MB logged`,
  }
}

async function measureBareLoop(): Promise<Row> {
  await using lab = await Lab.create()
  const receiver = await bareReceiver(lab)
  const flooder = await lab.traffic()
  const { sent } = await flooder.ask({
    ask: 'flood',
    server: serverAddress,
    payloads: makeJunk(4_096),
    packetsPerSecond: ANY_RATE,
    milliseconds: MILLISECONDS,
  })
  const { packets, cpuMilliseconds } = await receiver.stop()
  const each = (1000 * cpuMilliseconds) / packets
  return {
    what: 'a bare loop of recvmmsg and one HMAC',
    server: 'Node.js',
    figure: `${threeDigits(each)} µs a packet`,
    note: `${Math.round(1e6 / each)} packets/s would fill a core; it took ${packets} of ${sent}`,
  }
}
