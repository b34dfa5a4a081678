/** The client: from the start of its process until its packet is here. */
import { spawn } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DOOR_PORT, makeKeys } from '../knocks.ts'
import { formatMilliseconds, type Row } from '../row.ts'
import { ghostportBinary } from '../servers/ghostport.ts'
import { summarise } from '../statistics.ts'
import type { Measure } from './measure.ts'

const RUNS = 20
const PATIENCE = 5_000
const WALL = 50

export const client: Measure = {
  name: 'client',
  about: `from the start of the client's process until its packet arrives on the loopback interface, ${RUNS} times`,
  run: async () => {
    const directory = mkdtempSync(join(tmpdir(), 'ghostport-bench-'))
    const server = createSocket('udp4')
    try {
      server.bind(0, '127.0.0.1')
      await once(server, 'listening')
      const keys = makeKeys()
      const rc = join(directory, 'fwknoprc')
      writeFileSync(
        rc,
        `[bench]\nKEY_BASE64 ${keys.encryptionBase64}\nHMAC_KEY_BASE64 ${keys.hmacBase64}\nUSE_HMAC Y\n` +
          `SPA_SERVER 127.0.0.1\nSPA_SERVER_PORT ${server.address().port}\nACCESS tcp/${DOOR_PORT}\nALLOW_IP 10.77.0.1\n`,
        { mode: 0o600 },
      )
      const stanza = ['--rc-file', rc, '-n', 'bench']
      const clients: readonly [string, readonly string[]][] = [
        ['fwknop', ['fwknop', ...stanza, '--no-save-args']],
        ['node -e 0', [process.execPath, '-e', '0']],
        ['ghostport knock', [process.execPath, ghostportBinary, 'knock', ...stanza]],
      ]
      const rows: Row[] = []
      for (const [name, argv] of clients) {
        const bare = name === 'node -e 0'
        const times: number[] = []
        // The first run fills caches and is not counted.
        for (let i = -1; i < RUNS; i++) {
          const took = await run(argv, (child) => once(bare ? child : server, bare ? 'exit' : 'message'))
          if (i >= 0) times.push(took)
        }
        const times_ = summarise(times)
        if (times_ === undefined) continue
        rows.push({
          what: 'client: start to packet sent',
          server: name,
          figure: formatMilliseconds(times_.median),
          p95: formatMilliseconds(times_.p95),
          count: times_.count,
          ...(bare && { note: 'to its end: the least that any program of Node takes' }),
          ...(name === 'ghostport knock' && { target: `≤ ${WALL} ms`, met: times_.median <= WALL }),
        })
      }
      return rows
    } finally {
      server.close()
      rmSync(directory, { recursive: true })
    }
  },
}

/** @returns the milliseconds from the start of the program to `event`. Waits for its end. */
async function run(
  argv: readonly string[],
  event: (child: ReturnType<typeof spawn>) => Promise<unknown>,
): Promise<number> {
  const [program, ...args] = argv as [string, ...string[]]
  const started = performance.now()
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (said += text))
  const ended = once(child, 'exit')
  const patience = setTimeout(() => child.kill('SIGKILL'), PATIENCE)
  try {
    const failed = ended.then(async ([status]) => {
      if (status !== 0) throw new Error(`${argv.join(' ')} ended with ${status}: ${said}`)
      await new Promise((_, late) => setTimeout(() => late(new Error(`${argv.join(' ')} sent nothing`)), 1_000).unref())
    })
    failed.catch(() => {})
    await Promise.race([event(child), failed])
    const took = performance.now() - started
    await ended
    return took
  } finally {
    clearTimeout(patience)
  }
}
