/**
 * The relay beside `socat`, each in a process of its own before the same service, in one run: bytes a second through
 * one connection, connections a second one after another and 32 at a time. `direct` is the service with nothing before
 * it. `node --conditions=ghostport-source bench/relay-vs-socat.ts`; under half a minute. Medians of interleaved rounds.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { fileURLToPath } from 'node:url'
import { grantId } from '../src/access/grant.ts'
import type { StanzaId } from '../src/access/stanza.ts'
import { createRelayFirewall } from '../src/firewall/relay/relay.ts'
import type { IpAddress } from '../src/packet/address.ts'
import type { Username } from '../src/packet/message.ts'
import { port, seconds } from '../src/units.ts'

const HOST = '127.0.0.1' as IpAddress
const BULK = 256 * 1024 * 1024
const ROUNDS = 5
const CONNECTIONS = 300
const PIECE = Buffer.alloc(256 * 1024)

/** `B`: a lot of bytes. Anything else: one byte back. Then the end. */
async function runService(): Promise<void> {
  const server = createServer({ noDelay: true }, (socket) => {
    socket.on('error', () => {})
    socket.once('data', (asked) => {
      if (asked[0] !== 0x42) return socket.end('x')
      let left = BULK
      const more = (): void => {
        while (left > 0) {
          left -= PIECE.length
          if (!socket.write(PIECE)) return void socket.once('drain', more)
        }
        socket.end()
      }
      return more()
    })
  })
  server.listen(0, HOST)
  await once(server, 'listening')
  process.stdout.write(`${portOf(server)}\n`)
}

async function runRelay(at: string, service: string): Promise<void> {
  const publicPort = port(Number(at))
  const relay = createRelayFirewall({ listeners: [{ address: HOST, port: publicPort, decoy: 'reset' }] })
  const installed = await relay.install()
  if (!installed.ok) throw new Error(installed.failure.detail)
  const openings = [{ kind: 'ghost', protocol: 'tcp', publicPort, localPort: port(Number(service)) }] as const
  const id = grantId(HOST, openings)
  await relay.open([
    {
      id,
      stanza: 1 as StanzaId,
      source: HOST,
      firstHand: true,
      openings,
      lifetime: seconds(300),
      username: 'bench' as Username,
    },
  ])
  process.stdout.write(`${at}\n`)
}

function portOf(server: ReturnType<typeof createServer>): number {
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}
async function freePort(): Promise<number> {
  const server = createServer().listen(0, HOST)
  await once(server, 'listening')
  const free = portOf(server)
  await new Promise((resolve) => server.close(resolve))
  return free
}

/** Asks with one byte and reads to the end. @returns how many bytes came. */
function ask(at: number, what: string): Promise<number> {
  return new Promise((resolve, reject) => {
    let heard = 0
    const socket = connect({
      host: HOST,
      port: at,
      noDelay: true,
      onread: {
        buffer: PIECE,
        callback: (length) => {
          heard += length
          return true
        },
      },
    })
    socket.once('error', reject)
    socket.once('close', () => resolve(heard))
    socket.write(what)
  })
}
async function secondsOf(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now()
  await work()
  return (performance.now() - start) / 1000
}
async function throughput(at: number): Promise<number> {
  const time = await secondsOf(async () => {
    const heard = await ask(at, 'B')
    if (heard !== BULK) throw new Error(`${heard} of ${BULK} bytes came through`)
  })
  return BULK / time / 1e6
}
async function connectionRate(at: number, together: number): Promise<number> {
  let left = CONNECTIONS
  const worker = async (): Promise<void> => {
    while (left-- > 0) if ((await ask(at, 'c')) !== 1) throw new Error('no answer')
  }
  return CONNECTIONS / (await secondsOf(() => Promise.all(Array.from({ length: together }, worker))))
}

const children: ChildProcess[] = []
async function startSelf(...role: string[]): Promise<number> {
  const child = spawn(process.execPath, ['--conditions=ghostport-source', fileURLToPath(import.meta.url), ...role], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  children.push(child)
  const [said] = (await once(child.stdout, 'data')) as [Buffer]
  return Number(said.toString())
}
async function startSocat(service: number): Promise<number> {
  const at = await freePort()
  const listen = `TCP-LISTEN:${at},bind=${HOST},fork,reuseaddr,backlog=511,nodelay`
  // 64 KiB is what the relay reads at a time; socat's own default of 8 KiB would flatter us.
  children.push(spawn('socat', ['-b', '65536', listen, `TCP:${HOST}:${service},nodelay`], { stdio: 'inherit' }))
  for (const deadline = Date.now() + 5000; Date.now() < deadline; ) {
    if ((await ask(at, 'c').catch(() => 0)) === 1) return at
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  throw new Error('socat does not answer')
}

async function compare(): Promise<void> {
  const service = await startSelf('service')
  const contestants = new Map([
    ['direct', service],
    ['relay', await startSelf('relay', String(await freePort()), String(service))],
    ['socat', await startSocat(service)],
  ])
  const measures = {
    'MB/s, one connection': throughput,
    'connections/s, one by one': (at: number) => connectionRate(at, 1),
    'connections/s, 32 at a time': (at: number) => connectionRate(at, 32),
  }
  process.stdout.write(
    `${''.padEnd(30)}${[...contestants.keys()].map((name) => name.padStart(9)).join('')}  relay/socat\n`,
  )
  for (const [what, measure] of Object.entries(measures)) {
    const found = new Map([...contestants.keys()].map((name) => [name, [] as number[]]))
    for (const at of contestants.values()) await measure(at)
    for (let round = 0; round < ROUNDS; round++) {
      for (const [name, at] of contestants) found.get(name)?.push(await measure(at))
    }
    const medians = [...found.values()].map((values) => values.toSorted((a, b) => a - b)[ROUNDS >> 1] ?? Number.NaN)
    const [, relay = Number.NaN, socat = Number.NaN] = medians
    const cells = medians.map((value) => value.toFixed(0).padStart(9)).join('')
    process.stdout.write(`${what.padEnd(30)}${cells}${(relay / socat).toFixed(2).padStart(13)}\n`)
  }
}

const [role, ...rest] = process.argv.slice(2)
if (role === 'service') await runService()
else if (role === 'relay') await runRelay(rest[0] ?? '', rest[1] ?? '')
else {
  try {
    await compare()
  } finally {
    for (const child of children) child.kill()
  }
}
