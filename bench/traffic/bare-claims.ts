/** Claims at etcd, one after the other at random gaps, and prints their median in milliseconds: MEMBER,… COUNT. */
import { randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { monotonic } from '../../src/clock.ts'
import type { NodeName } from '../../src/config/server/cluster-settings.ts'
import { Claims } from '../../src/etcd/claims.ts'
import { openEtcd } from '../../src/etcd/etcd.ts'
import { warmUp } from '../../src/etcd/warm-up.ts'
import type { ReplayDigest } from '../../src/packet/replay-digest.ts'
import { setV8Options } from '../../src/system/v8-options.ts'
import { milliseconds, port, seconds } from '../../src/units.ts'
import { median } from '../statistics.ts'

const [members = '', count = ''] = process.argv.slice(2)
/** As between knocks (measures/latency.ts). */
const [LEAST_GAP, MOST_GAP] = [20, 120]
const LIMIT = milliseconds(3000)

// As the cluster process does it.
setV8Options('cluster')
const etcd = openEtcd({ members: members.split(',').map((host) => ({ host, port: port(2379) })) })
const claims = new Claims({
  ...{ etcd, cluster: 'bare', node: 'node-1' as NodeName, life: seconds(840) },
  clocks: { monotonic, wall: () => milliseconds(Date.now()) },
  ...{ past: undefined, onPast: () => {} },
})
await claims.look(LIMIT)
await warmUp(etcd, 'bare')
const times: number[] = []
for (let i = 0; i < Number(count); i++) {
  await delay(LEAST_GAP + Math.random() * (MOST_GAP - LEAST_GAP))
  const began = performance.now()
  const claimed = await claims.claim(randomBytes(32).toString('base64').slice(0, 43) as ReplayDigest, LIMIT)
  if (claimed !== 'first') throw new Error(JSON.stringify(claimed))
  times.push(performance.now() - began)
}
process.stdout.write(`${median(times)}`)
process.exit(0)
