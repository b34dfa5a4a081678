/**
 * Many grants that end at about the same time: does each door shut on time? Measured by connecting, not by listing
 * rules.
 */
import { clientAddress, makeKeys, sealKnocks } from '../knocks.ts'
import { clientNumber, knockPackets, Lab, serverAddress } from '../lab.ts'
import type { Row } from '../row.ts'
import { fwknopdUdp } from '../servers/fwknopd.ts'
import { ghostport } from '../servers/ghostport.ts'
import type { ServerKind } from '../servers/server.ts'
import { summarise } from '../statistics.ts'
import type { Measure } from './measure.ts'

const LIFETIME = 5
const GRANTS = 10_000
/** The number for fwknopd: with so many, none of its grants ends in time. */
const FWKNOPD_GRANTS = 1_500
const FWKNOPD_KNOCKS = 10
const TRY_EVERY = 250
/** How long a door may be open after its time: the second in which it ends. */
const GRACE = 1_000
const GIVE_UP_AFTER = 20_000

export const expiry: Measure = {
  name: 'expiry',
  about:
    `${GRANTS} grants of ${LIFETIME} s, knocked for at 2 500/s; each client tries its door every ${TRY_EVERY} ms until it has ` +
    `been open and is closed. For fwknopd ${FWKNOPD_GRANTS}, put into its chain in its own form but for ${FWKNOPD_KNOCKS}`,
  run: async () => [
    ...(await measure(fwknopdUdp, FWKNOPD_GRANTS, FWKNOPD_KNOCKS)),
    ...(await measure(ghostport, GRANTS, GRANTS)),
  ],
}

async function measure(kind: ServerKind, grants: number, knocked: number): Promise<readonly Row[]> {
  await using lab = await Lab.create()
  const keys = makeKeys()
  const server = await kind.start(lab, { keys, lifetime: LIFETIME })
  const traffic = await lab.traffic()
  const seeded = Array.from({ length: grants - knocked }, (_, i) => knocked + i)
  kind.seedGrants?.(lab, seeded.map(clientAddress), LIFETIME)
  const openings = await traffic.ask({
    ask: 'watch',
    server: serverAddress,
    knocks: knockPackets(sealKnocks(keys, 0, knocked)),
    onlookers: seeded.map(clientNumber),
    knocksPerSecond: Math.max(50, grants / 4),
    tryEveryMilliseconds: TRY_EVERY,
    watchUntil: 'closed',
    endAfterMilliseconds: GIVE_UP_AFTER,
    endIdleMilliseconds: 8_000,
  })
  await server.stop()
  const opened = openings.filter((opening) => opening !== null)
  const overruns = opened.map(({ first, last }) => last - (first + LIFETIME * 1000))
  const late = overruns.filter((overrun) => overrun > GRACE).length
  const summary = summarise(overruns)
  return [
    {
      what: `open longer than the ${LIFETIME} s and one more`,
      server: kind.name,
      figure: `${late} of ${opened.length}`,
      count: grants,
      ...(kind.isOurs && { target: `0 of ${grants}`, met: late === 0 && opened.length === grants }),
      note:
        summary === undefined
          ? 'none ever opened'
          : `the longest was open for ${((LIFETIME * 1000 + summary.max) / 1000).toFixed(1)} s` +
            (summary.max > GIVE_UP_AFTER / 2 ? ', when the watch ended' : ''),
    },
  ]
}
