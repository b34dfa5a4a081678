/** The gateway: how many knocks a second it takes, and whether its times tell what becomes of a packet. */
import { spawn } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { Agent, request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { freePort } from '../../test/contract/delivery.ts'
import { ghostportCommand } from '../../test/support/daemon.ts'
import { answerTimes, KINDS } from '../../test/support/gateway-timing.ts'
import { sameDistribution } from '../../test/support/kolmogorov-smirnov.ts'
import { sealedPacket } from '../../test/support/sealed.ts'
import { formatMilliseconds, type Row, threeDigits } from '../row.ts'
import { summarise } from '../statistics.ts'
import type { Measure } from './measure.ts'

const KNOCKS_A_SECOND = 1_000
const SECONDS = 15
const CONNECTIONS = 64
/** Of Linux, for /proc. */
const CLOCK_TICKS = 100
/** In milliseconds. */
const P99 = 50
const SAMPLES = 10_000

/** A gateway in a process of its own, with HTTPS, and a target that counts. */
async function startGateway() {
  const folder = mkdtempSync(join(tmpdir(), 'ghostport-bench-gateway-'))
  const target = createSocket({ type: 'udp4', recvBufferSize: 4 * 1024 * 1024 })
  let arrived = 0
  target.on('message', () => {
    arrived++
  })
  await new Promise<void>((resolve) => target.bind(0, '127.0.0.1', resolve))
  const port = await freePort()
  const file = join(folder, 'gateway.conf')
  const lines = [
    `LISTEN https://127.0.0.1:${port}`,
    'HOST localhost',
    `TARGET office 127.0.0.1:${target.address().port}`,
    `STATE_FOLDER ${join(folder, 'state')}`,
    'USER nobody',
    'KNOCKS_PER_SOURCE 1000000',
    'KNOCKS_PER_TARGET 10000',
    'KNOCKS_IN_TOTAL 10000',
    'CONNECTIONS_PER_SOURCE 1000',
  ]
  writeFileSync(file, `${lines.join('\n')}\n`)
  const [program = '', ...words] = ghostportCommand('gateway', '--config', file)
  const child = spawn(program, words, { stdio: ['ignore', 'pipe', 'inherit'] })
  await new Promise<void>((resolve) => {
    createInterface(child.stdout).on('line', (line) => {
      if (line.includes('"ready"')) resolve()
    })
  })
  return {
    port,
    arrived: () => arrived,
    /** Seconds of a core that it took so far. */
    cpuSeconds(): number {
      const fields = readFileSync(`/proc/${child.pid}/stat`, 'utf8')
        .replace(/^.*\) /, '')
        .split(' ')
      return (Number(fields[11]) + Number(fields[12])) / CLOCK_TICKS
    },
    async stop() {
      child.kill()
      await new Promise((resolve) => child.once('exit', resolve))
      target.close()
    },
  }
}

/** At a fixed rate, also where answers are late. @returns how long each took from the moment it was due, in order. */
async function knocksAt(port: number): Promise<readonly number[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS, rejectUnauthorized: false })
  const body = JSON.stringify({ target: 'office', packet: sealedPacket() })
  const headers = { host: 'localhost', 'content-type': 'application/json', 'content-length': body.length }
  const times: number[] = []
  const ask = (due: number): Promise<void> =>
    new Promise((resolve, reject) => {
      const asking = request(
        { agent, host: '127.0.0.1', port, method: 'POST', path: '/v1/knock', headers },
        (answer) => {
          if (answer.statusCode !== 202) reject(new Error(`answered ${answer.statusCode}`))
          answer.resume().on('end', () => {
            times.push(performance.now() - due)
            resolve()
          })
        },
      )
      asking.on('error', reject)
      asking.end(body)
    })
  // Connections and compiled code first.
  await Promise.all(Array.from({ length: CONNECTIONS }, () => ask(performance.now())))
  await new Promise((resolve) => setTimeout(resolve, 1_500))
  times.length = 0
  const all: Promise<void>[] = []
  const began = performance.now()
  for (let sent = 0; sent < KNOCKS_A_SECOND * SECONDS; ) {
    const due = ((performance.now() - began) * KNOCKS_A_SECOND) / 1_000
    for (; sent < due && sent < KNOCKS_A_SECOND * SECONDS; sent++)
      all.push(ask(began + (sent * 1_000) / KNOCKS_A_SECOND))
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  await Promise.all(all)
  agent.destroy()
  return times
}

export const gateway: Measure = {
  name: 'gateway',
  about: `${KNOCKS_A_SECOND} knocks a second through a gateway over HTTPS, for ${SECONDS} s`,
  run: async () => {
    const server = await startGateway()
    const before = server.cpuSeconds()
    const times = await knocksAt(server.port)
    const cpu = (server.cpuSeconds() - before) / (times.length + CONNECTIONS)
    await new Promise((resolve) => setTimeout(resolve, 500))
    const arrived = server.arrived() - CONNECTIONS
    await server.stop()
    const summary = summarise(times)
    const p99 = times.toSorted((a, b) => a - b)[Math.ceil(times.length * 0.99) - 1] ?? Number.NaN
    return [
      {
        what: `a knock through the gateway, ${KNOCKS_A_SECOND} a second`,
        server: 'ghostport gateway',
        figure: summary === undefined ? 'none' : formatMilliseconds(summary.median),
        ...(summary === undefined ? {} : { p95: formatMilliseconds(summary.p95) }),
        count: times.length,
        target: `99 % in ${P99} ms`,
        met: p99 <= P99 && arrived === times.length,
        note: `99 % in ${formatMilliseconds(p99)}; ${formatMilliseconds(cpu * 1_000)} of a core for each; ${arrived} packets arrived`,
      },
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
