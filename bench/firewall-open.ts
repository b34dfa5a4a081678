/**
 * What one grant costs in nftables: over netlink, and through libnftables as text. `warm` has no pause between
 * two grants. `cold` has 30 ms, as on a quiet server.
 * `unshare --net node --conditions=ghostport-source bench/firewall-open.ts [GRANTS]`. Read the ratios.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { tableNameValue } from '../src/config/server/firewall-settings.ts'
import type { ChangePath } from '../src/firewall/nftables/library.ts'
import { createNftablesFirewall } from '../src/firewall/nftables/nftables.ts'
import { addressFromBytes } from '../src/packet/address.ts'
import { setV8Options } from '../src/system/v8-options.ts'
import { port } from '../src/units.ts'
import { grantFor } from '../test/contract/firewall.ts'
import { summarise } from './statistics.ts'

const GRANTS = Number(process.argv[2] ?? 200)
/** Each way has several turns, so that other work of the machine meets both. */
const TURNS = 5
const PAUSES = { warm: 0, cold: 30 } as const
let made = 0

/** Of the next client. */
function grant() {
  made++
  const source = addressFromBytes(Uint8Array.of(10, made >> 16, (made >> 8) & 0xff, made & 0xff))
  return grantFor(source, [{ kind: 'access', protocol: 'tcp', port: port(22) }], 3_600)
}

async function install(changes: ChangePath) {
  const table = tableNameValue(`bench_${changes}`)
  if (!table.ok) throw new Error(table.failure.detail)
  const firewall = createNftablesFirewall({ mode: { kind: 'mark' }, table: table.value, changes })
  if (!firewall.ok) throw new Error(firewall.failure.detail)
  const installed = await firewall.value.install()
  if (!installed.ok) throw new Error(installed.failure.detail)
  return { changes, firewall: firewall.value, times: [] as number[] }
}

const subjects = [await install('text'), await install('direct')]
setV8Options('warden')
for (const [how, pause] of Object.entries(PAUSES)) {
  for (let turn = 0; turn < TURNS; turn++) {
    for (const { firewall, times } of subjects) {
      for (let left = GRANTS / TURNS; left > 0; left--) {
        const next = grant()
        if (pause > 0) await delay(pause)
        const start = process.hrtime.bigint()
        const [opened] = await firewall.open([next])
        times.push(Number(process.hrtime.bigint() - start) / 1e6)
        if (!opened?.ok) throw new Error(opened?.failure.detail)
      }
    }
  }
  for (const { changes, times } of subjects) {
    const all = summarise(times.splice(0))
    process.stdout.write(
      `${how.padEnd(6)}${changes.padEnd(8)}median ${all?.median.toFixed(3)} ms   least ${all?.min.toFixed(3)}   p95 ${all?.p95.toFixed(3)}\n`,
    )
  }
}
for (const { firewall } of subjects) {
  await firewall.uninstall()
  await firewall.close()
}
