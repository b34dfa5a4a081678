/**
 * `npm run bench [-- MEASURE…]`: ghostport beside the real fwknopd, in one run, on this machine, in network namespaces
 * of its own. Prints a table in Markdown and asserts nothing. Read medians and ratios, not single figures: the machine
 * and its other work affect every figure (docs/BENCHMARKS.md).
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { cpus, loadavg, release, tmpdir } from 'node:os'
import { join } from 'node:path'
import { netnsUnavailable } from '../test/support/netns.ts'
import { burst } from './measures/burst.ts'
import { client } from './measures/client.ts'
import { cluster } from './measures/cluster.ts'
import { console as consoleMeasure } from './measures/console.ts'
import { expiry } from './measures/expiry.ts'
import { fleet } from './measures/fleet.ts'
import { flood } from './measures/flood.ts'
import { footprint } from './measures/footprint.ts'
import { full } from './measures/full.ts'
import { gates } from './measures/gates.ts'
import { gateway, gatewayTiming, gatewayVerdicts } from './measures/gateway.ts'
import { gpg } from './measures/gpg.ts'
import { grants, replays } from './measures/growth.ts'
import { jitless } from './measures/jitless.ts'
import { latency } from './measures/latency.ts'
import type { Measure } from './measures/measure.ts'
import { revocation } from './measures/revocation.ts'
import { scale } from './measures/scale.ts'
import { stanzas } from './measures/stanzas.ts'
import { users } from './measures/users.ts'
import { visitors } from './measures/visitors.ts'
import { wait } from './measures/wait.ts'
import { formatTable, type Row } from './row.ts'

const measures: readonly Measure[] = [
  latency,
  grants,
  replays,
  burst,
  flood,
  gpg,
  wait,
  expiry,
  footprint,
  full,
  jitless,
  stanzas,
  users,
  client,
  visitors,
  gateway,
  gatewayTiming,
  consoleMeasure,
  gatewayVerdicts,
  cluster,
  fleet,
  gates,
  revocation,
  scale,
]

// One folder for all files, which is removed even after Ctrl-C. The kernel then ends hosts and servers.
const files = mkdtempSync(join(tmpdir(), 'ghostport-bench-'))
process.env['TMPDIR'] = files
process.on('exit', () => rmSync(files, { recursive: true, force: true }))
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(130))

process.exitCode = await main(process.argv.slice(2))

async function main(names: readonly string[]): Promise<number> {
  const unknown = names.find((name) => !measures.some((measure) => measure.name === name))
  if (unknown !== undefined) {
    tell(`there is no measure “${unknown}”. There are:`)
    for (const { name, about } of measures) tell(`  ${name.padEnd(10)} ${about}`)
    return 2
  }
  const reason = netnsUnavailable()
  if (reason !== false) {
    tell(reason)
    return 1
  }
  print(
    `${new Date().toISOString().slice(0, 10)}; Linux ${release()}, ${cpus().length} cores, Node ${process.versions.node}\n`,
  )
  const rows: Row[] = []
  const loadBefore = loadavg()[0] ?? 0
  for (const measure of names.length === 0 ? measures : measures.filter(({ name }) => names.includes(name))) {
    tell(`${measure.name}: ${measure.about} (load ${loadavg()[0]?.toFixed(1)})`)
    const started = performance.now()
    try {
      rows.push(...(await measure.run()))
    } catch (error) {
      // A failed measure is reported, and does not stop the others.
      rows.push({ what: measure.name, server: '', figure: 'failed', note: String(error).split('\n')[0] ?? '' })
      tell(String(error))
    }
    tell(`  took ${Math.round((performance.now() - started) / 1000)} s`)
  }
  print(formatTable(rows))
  print(`\nLoad of the machine when this began: ${loadBefore.toFixed(1)}.`)
  return rows.some(({ figure }) => figure === 'failed') ? 1 : 0
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}

function tell(line: string): void {
  process.stderr.write(`${line}\n`)
}
