/** What a junk packet costs a whole server with many users, and how soon such a server is ready. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { makeJunk, makeKeys, SPA_PORT } from '../knocks.ts'
import { Lab, serverAddress } from '../lab.ts'
import { formatMilliseconds, formatRatio, type Row, threeDigits } from '../row.ts'
import { ghostport, ghostportBinary } from '../servers/ghostport.ts'
import { writeAccess } from '../servers/server.ts'
import { summarise } from '../statistics.ts'
import type { Measure } from './measure.ts'

const MILLISECONDS = 3_000
const ROUNDS = 3
const RATES = [50_000, 100_000]
const STARTS = 3
/** Users at one port, and the ports that they are at. */
const AT_A_PORT = 10
const FIRST_PORT = 20_000

interface Crowd {
  readonly users: number
  /** At the port that the junk comes to. The others are at ports of their own. */
  readonly atThePort: number
}

const crowds: readonly Crowd[] = [
  { users: 1, atThePort: 1 },
  ...[100, 1_000, 10_000].map((users) => ({ users, atThePort: AT_A_PORT })),
  { users: 10_000, atThePort: 1 },
]

export const users: Measure = {
  name: 'users',
  about:
    'processor time of all processes for a junk packet from 4096 sources, with many users at SPA ports of their own; ' +
    'start until ready, with the processor time and the memory; and the commands that change one user, without a server',
  run: async () => {
    const rows: Row[] = []
    for (const rate of RATES) rows.push(...(await junkRows(rate)))
    for (const crowd of crowds) rows.push(await startRow(crowd))
    for (const crowd of [{ users: 1, atThePort: 1 }, ...crowds.filter(({ users }) => users === 10_000).slice(0, 1)])
      rows.push(...(await commandRows(crowd)))
    return rows
  },
}

async function junkRows(packetsPerSecond: number): Promise<readonly Row[]> {
  const costs: number[][] = crowds.map(() => [])
  // In turns, so that other work of the machine affects all alike.
  for (let round = 0; round < ROUNDS; round++)
    for (const [i, crowd] of crowds.entries()) costs[i]?.push(await junkCost(crowd, packetsPerSecond))
  const medians = costs.map((it) => summarise(it)?.median ?? Number.NaN)
  return crowds.map((crowd, i): Row => {
    const [median, ratio] = [medians[i] ?? Number.NaN, (medians[i] ?? Number.NaN) / (medians[0] ?? Number.NaN)]
    return {
      what: `a junk packet, ${packetsPerSecond}/s`,
      server: described(crowd),
      figure: `${threeDigits(median)} µs`,
      count: ROUNDS,
      ratio: formatRatio(ratio),
      ...(crowd.users === 10_000 && { target: '≤ 2x of 1 user', met: ratio <= 2 }),
    }
  })
}

/** In microseconds. */
async function junkCost(crowd: Crowd, packetsPerSecond: number): Promise<number> {
  await using lab = await Lab.create()
  const server = await ghostport.start(lab, { keys: makeKeys(), access: accessOf(crowd) })
  const flooder = await lab.traffic()
  const before = server.cpuMilliseconds()
  const { sent } = await flooder.ask({
    ask: 'flood',
    server: serverAddress,
    payloads: makeJunk(4_096),
    packetsPerSecond,
    milliseconds: MILLISECONDS,
  })
  const used = server.cpuMilliseconds() - before
  await server.stop()
  return (1000 * used) / sent
}

async function startRow(crowd: Crowd): Promise<Row> {
  await using lab = await Lab.create()
  const access = accessOf(crowd)
  const times: number[] = []
  const processor: number[] = []
  let memory = 0
  for (let i = 0; i < STARTS; i++) {
    const server = await ghostport.start(lab, { keys: makeKeys(), access })
    times.push(server.startMilliseconds)
    processor.push(server.cpuMilliseconds())
    memory = server.memory()
    await server.stop()
  }
  const [wall, spent] = [summarise(times), summarise(processor)]
  return {
    what: 'start to ready, many users',
    server: described(crowd),
    figure: formatMilliseconds(wall?.median ?? Number.NaN),
    ...(wall !== undefined && { p95: formatMilliseconds(wall.p95) }),
    count: STARTS,
    ...(crowd.users === 10_000 && { target: `≤ ${READY} ms`, met: (wall?.median ?? Number.NaN) <= READY }),
    note: `processor ${formatMilliseconds(spent?.median ?? Number.NaN)}; ${threeDigits(memory / 1e6)} MB`,
  }
}

const READY = 2000

/** `ghostport user` on files of so many users. */
async function commandRows(crowd: Crowd): Promise<readonly Row[]> {
  await using lab = await Lab.create()
  const folder = lab.directory()
  const [config, access] = [join(folder, 'fwknopd.conf'), join(folder, 'access.conf')]
  const control = join(folder, 'control.sock')
  writeFileSync(config, `REPLAY_DB ${join(folder, 'replay.db')};\nCONTROL_SOCKET ${control};\n`, { mode: 0o600 })
  writeAccess(access, { keys: makeKeys(), access: accessOf({ ...crowd, users: crowd.users + 1 }) })
  const run = (...words: readonly string[]): number => {
    const started = performance.now()
    lab.server.must([process.execPath, ghostportBinary, 'user', ...words, '-c', config, '-a', access])
    return performance.now() - started
  }
  return COMMANDS.map((words): Row => {
    const times: number[] = []
    for (let i = 0; i < ROUNDS; i++) times.push(run(...words.map((word) => (word === NEW ? `new-${i}` : word))))
    const median = summarise(times)?.median ?? Number.NaN
    return {
      what: `ghostport user ${words[0]}`,
      server: `${crowd.users} ${crowd.users === 1 ? 'user' : 'users'}`,
      figure: formatMilliseconds(median),
      count: ROUNDS,
      ...(crowd.users === 10_000 && { target: `≤ ${COMMAND} ms`, met: median <= COMMAND }),
    }
  })
}

const COMMAND = 2000
const NEW = '(a new name)'
const COMMANDS: readonly (readonly string[])[] = [
  ['list'],
  ['show', 'user-0'],
  ['add', NEW, '--server', '192.0.2.1', '--qr', 'none', '--show-secrets'],
  ['disable', 'user-0'],
  ['enable', 'user-0'],
  ['remove', NEW],
]

function described({ users, atThePort }: Crowd): string {
  if (users === 1) return '1 user'
  return atThePort === 1 ? `${users} users, a port each` : `${users} users, ${atThePort} at a port`
}

/** All users but the first, which every server of a benchmark has. */
function accessOf({ users, atThePort }: Crowd): string {
  return Array.from({ length: users - 1 }, (_, i) => {
    const place = Math.floor((i + 1) / atThePort)
    const { encryptionBase64, hmacBase64 } = makeKeys()
    const at = place === 0 ? SPA_PORT : FIRST_PORT + place
    return `SOURCE ANY\nNAME user-${i}\nSPA_PORT ${at}\nOPEN_PORTS tcp/22\nKEY_BASE64 ${encryptionBase64}\nHMAC_KEY_BASE64 ${hmacBase64}\n`
  }).join('')
}
