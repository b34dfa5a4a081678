/** The gateway: how many knocks a second it takes, and whether its times tell what becomes of a packet. */
import { createSocket } from 'node:dgram'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { makeSelfSigned } from '../../src/http-server/self-signed.ts'
import { milliseconds, type UnixSeconds } from '../../src/units.ts'
import { freePort } from '../../test/contract/delivery.ts'
import { ghostportCommand } from '../../test/support/daemon.ts'
import { answerTimes, KINDS } from '../../test/support/gateway-timing.ts'
import { type KeptProcess, keepProcess } from '../../test/support/kept-process.ts'
import { sameDistribution } from '../../test/support/kolmogorov-smirnov.ts'
import { VERDICTS, verdictTimes } from '../../test/support/verdict-times.ts'
import { formatMilliseconds, type Row, threeDigits } from '../row.ts'
import { summarise } from '../statistics.ts'
import { knockOverHttps } from '../traffic/https-knocks.ts'
import type { Measure } from './measure.ts'

const KNOCKS_A_SECOND = 1_000
const SECONDS = 8
/** Of the gateway and of the bare server, in turn. */
const RUNS = 5
const CONNECTIONS = 32
/** Of Linux, for /proc. */
const CLOCK_TICKS = 100
/** In milliseconds. */
const P99 = 50
const SAMPLES = 10_000
/** For the last packets. */
const SETTLED = milliseconds(500)

interface Server {
  readonly port: number
  readonly program: KeptProcess
}

async function startGateway(target: number): Promise<Server> {
  const folder = mkdtempSync(join(tmpdir(), 'ghostport-bench-gateway-'))
  const port = await freePort()
  const file = join(folder, 'gateway.conf')
  const lines = [
    `LISTEN https://127.0.0.1:${port}`,
    'HOST localhost',
    `TARGET office 127.0.0.1:${target}`,
    `STATE_FOLDER ${join(folder, 'state')}`,
    'USER nobody',
    'KNOCKS_PER_SOURCE 1000000',
    'KNOCKS_PER_TARGET 10000',
    'KNOCKS_IN_TOTAL 10000',
    'CONNECTIONS_PER_SOURCE 1000',
  ]
  writeFileSync(file, `${lines.join('\n')}\n`)
  const [node = '', ...words] = ghostportCommand('gateway', '--config', file)
  const program = await keepProcess([
    node,
    ...(process.env['GATEWAY_NODE_OPTIONS'] ?? '').split(' ').filter(Boolean),
    ...words,
  ])
  await program.says(/"ready"/)
  return { port, program }
}

/** The same certificate, TLS and answers; nothing is looked at, and nothing sent. */
async function startBare(): Promise<Server> {
  const file = join(mkdtempSync(join(tmpdir(), 'ghostport-bench-bare-')), 'pair.pem')
  const { key, cert } = makeSelfSigned(
    ['localhost'],
    Math.floor(Date.now() / 1_000) as UnixSeconds,
    Buffer.alloc(16, 1),
  )
  writeFileSync(file, key + cert, { mode: 0o600 })
  const bare = join(import.meta.dirname, '../servers/bare-https.ts')
  const program = await keepProcess([process.execPath, '--conditions=ghostport-source', bare, file])
  return { port: Number(/[0-9]+$/.exec(await program.says(/^ready/))?.[0]), program }
}

interface Run {
  readonly times: readonly number[]
  /** Milliseconds of a core for each knock. */
  readonly cpu: number
  readonly load: number
}

async function measured({ port, program }: Server): Promise<Run> {
  const before = cpuSeconds(program)
  const [load = 0] = loadavg()
  const times = await knockOverHttps({ port, perSecond: KNOCKS_A_SECOND, seconds: SECONDS, connections: CONNECTIONS })
  const warm = 1.5 * KNOCKS_A_SECOND
  return { times, cpu: ((cpuSeconds(program) - before) * 1_000) / (times.length + warm), load }
}

/** Seconds of a core that it took so far. */
function cpuSeconds({ pid }: KeptProcess): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ')
  return (Number(fields[11]) + Number(fields[12])) / CLOCK_TICKS
}

const rank = (times: readonly number[], share: number): number =>
  times.toSorted((a, b) => a - b)[Math.ceil(times.length * share) - 1] ?? Number.NaN
const median = (values: readonly number[]): number => summarise(values)?.median ?? Number.NaN

export const gateway: Measure = {
  name: 'gateway',
  about: `${KNOCKS_A_SECOND} knocks a second through a gateway over HTTPS, ${RUNS} times ${SECONDS} s, beside a bare node:https`,
  run: async () => {
    const target = createSocket({ type: 'udp4', recvBufferSize: 4 * 1024 * 1024 })
    let arrived = 0
    target.on('message', () => {
      arrived++
    })
    await new Promise<void>((resolve) => target.bind(0, '127.0.0.1', resolve))
    const servers = { gateway: await startGateway(target.address().port), bare: await startBare() }
    const runs: Record<keyof typeof servers, Run[]> = { gateway: [], bare: [] }
    for (let run = 0; run < RUNS; run++)
      for (const name of ['gateway', 'bare'] as const) runs[name].push(await measured(servers[name]))
    await delay(SETTLED)
    for (const { program } of Object.values(servers)) await program.stop()
    target.close()
    const expected = RUNS * KNOCKS_A_SECOND * (SECONDS + 1.5)
    const of = (name: keyof typeof servers, share: number): number =>
      median(runs[name].map(({ times }) => rank(times, share)))
    const loads = Object.values(runs)
      .flat()
      .map(({ load }) => load)
    const row = (name: keyof typeof servers, server: string): Row => ({
      what: `a knock over HTTPS, ${KNOCKS_A_SECOND} a second`,
      server,
      figure: formatMilliseconds(of(name, 0.5)),
      p95: formatMilliseconds(of(name, 0.95)),
      count: RUNS * KNOCKS_A_SECOND * SECONDS,
      ratio: threeDigits(of(name, 0.5) / of('bare', 0.5)),
      note: [
        `99 % in ${formatMilliseconds(of(name, 0.99))} (${runs[name].map(({ times }) => threeDigits(rank(times, 0.99))).join(', ')})`,
        `${formatMilliseconds(median(runs[name].map(({ cpu }) => cpu)))} of a core for each`,
        `load ${threeDigits(Math.min(...loads))} to ${threeDigits(Math.max(...loads))}`,
      ].join('; '),
    })
    const own = row('gateway', 'ghostport gateway')
    return [
      {
        ...own,
        target: `99 % in ${P99} ms`,
        met: of('gateway', 0.99) <= P99 && arrived === expected,
        note: `${own.note}; ${arrived} of ${expected} packets arrived`,
      },
      row('bare', 'node:https that only answers'),
    ]
  },
}

export const gatewayTiming: Measure = {
  name: 'gateway-timing',
  about: `${SAMPLES} answers each to packets that go out and that do not: do their times differ?`,
  run: async () => {
    const times = await answerTimes(SAMPLES)
    return KINDS.map((kind): Row => {
      const summary = summarise(times[kind])
      const chance = sameDistribution(times.office, times[kind])
      return {
        what: 'answer of the gateway to a packet that',
        server: { office: 'goes out', nobody: 'has no target', gone: 'has a target without address' }[kind],
        figure: summary === undefined ? 'none' : formatMilliseconds(summary.median),
        ...(summary === undefined ? {} : { p95: formatMilliseconds(summary.p95) }),
        count: SAMPLES,
        ...(kind === 'office' ? {} : { target: 'not told apart', met: chance > 0.001 }),
        note: kind === 'office' ? '' : `Kolmogorov–Smirnov: p = ${threeDigits(chance)}`,
      }
    })
  },
}

export const gatewayVerdicts: Measure = {
  name: 'gateway-verdicts',
  about: `${SAMPLES} answers each to packets that a real server grants, denies, has seen and cannot open: do their times differ?`,
  run: async () => {
    const { times, granted } = await verdictTimes(SAMPLES)
    return VERDICTS.map((verdict): Row => {
      const summary = summarise(times[verdict])
      const chance = sameDistribution(times.granted, times[verdict])
      return {
        what: 'answer of the gateway to a packet that the server',
        server: { granted: 'grants', denied: 'denies', replayed: 'has seen before', unknown: 'cannot open' }[verdict],
        figure: summary === undefined ? 'none' : formatMilliseconds(summary.median),
        ...(summary === undefined ? {} : { p95: formatMilliseconds(summary.p95) }),
        count: SAMPLES,
        ...(verdict === 'granted' ? {} : { target: 'not told apart', met: chance > 0.001 }),
        note: verdict === 'granted' ? `${granted} were granted` : `Kolmogorov–Smirnov: p = ${threeDigits(chance)}`,
      }
    })
  },
}
