/**
 * The console with 5 000 grants and 100 events a second, by the server's own desk: whether its memory stays flat, and
 * how fast it answers, while pages are open. One of them does not read.
 */
import { chmodSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { EventRing } from '../../src/daemon/warden/console/event-ring.ts'
import { openConsole } from '../../src/daemon/warden/console/open-console.ts'
import { MemoryLog } from '../../src/log.ts'
import { ok } from '../../src/result.ts'
import { milliseconds } from '../../src/units.ts'
import { ghostportCommand } from '../../test/support/daemon.ts'
import { type KeptProcess, keepProcess } from '../../test/support/kept-process.ts'
import { formatMilliseconds, type Row, threeDigits } from '../row.ts'
import { summarise } from '../statistics.ts'
import type { Measure } from './measure.ts'

const GRANTS = 5_000
const EVENTS_A_SECOND = 100
const TICK = milliseconds(100)
const PAGES = 8
/** `CONSOLE_MINUTES=1` for a short run. */
const MINUTES = Number(process.env['CONSOLE_MINUTES'] ?? 10)
const SAMPLE_EVERY = milliseconds(5_000)
/** Until the heap has its usual size. */
const WARM_UP = milliseconds(60_000)
const NOBODY = 65_534

export const console: Measure = {
  name: 'console',
  about: `${GRANTS} grants and ${EVENTS_A_SECOND} events a second, ${MINUTES} minutes: memory and answers of the console`,
  run,
}

async function run(): Promise<readonly Row[]> {
  const folder = mkdtempSync(join(tmpdir(), 'ghostport-bench-console-'))
  for (const path of [folder, join(folder, '..')]) chmodSync(path, 0o755)
  const stop = new AbortController()
  const close = await serve(join(folder, 'console.sock'), stop.signal)
  const socket = join(folder, 'http.sock')
  const file = join(folder, 'console.conf')
  writeFileSync(join(folder, 'fwknopd.conf'), `AUDIT_LOG ${join(folder, 'audit.log')};\n`, { mode: 0o600 })
  const lines = [
    ...[`LISTEN unix:${socket}`, 'HOST localhost', 'USER nobody', `STATE_FOLDER ${join(folder, 'state')}`],
    ...[`CONSOLE_SOCKET ${join(folder, 'console.sock')}`, `SERVER_SETTINGS ${join(folder, 'fwknopd.conf')}`],
    'HISTORY_EVENTS 20000',
  ]
  writeFileSync(file, `${lines.join('\n')}\n`)
  const words = (...more: readonly string[]): readonly string[] =>
    ghostportCommand('console', '--config', file, ...more)
  await ended(words('account', 'add', 'ada', '--role', 'operator'))
  const [, link = ''] = /#login=([\w-]+)/.exec(await ended(words('login', 'ada'))) ?? []
  const [node = '', ...rest] = words()
  const program = await keepProcess([node, '--max-old-space-size=256', ...rest])
  try {
    await program.says(/"ready"/)
    const { token } = JSON.parse(await ask(socket, '/v1/session', undefined, { link })) as { token: string }
    return await measured(program, socket, token)
  } finally {
    stop.abort()
    await program.stop()
    close()
  }
}

async function measured(program: KeptProcess, socket: string, token: string): Promise<readonly Row[]> {
  const pages = await Promise.all(Array.from({ length: PAGES }, () => open(socket, token)))
  pages[0]?.pause()
  let bytes = 0
  for (const page of pages.slice(1)) page.on('data', (chunk: Buffer) => (bytes += chunk.length))
  const began = performance.now()
  const memory: { readonly at: number; readonly megabytes: number }[] = []
  const times: number[] = []
  const end = began + MINUTES * 60_000
  const start = cpuSeconds(program.pid)
  while (performance.now() < end) {
    const asked = performance.now()
    await ask(socket, '/v1/grants/extend', token, { grant: 'g:00000001', seconds: 60 })
    times.push(performance.now() - asked)
    const page = performance.now()
    await ask(socket, '/v1/history?limit=100', token)
    times.push(performance.now() - page)
    memory.push({ at: performance.now() - began, megabytes: residentMegabytes(program.pid) })
    await delay(SAMPLE_EVERY)
  }
  const seconds = (performance.now() - began) / 1_000
  const cpu = (cpuSeconds(program.pid) - start) / seconds
  for (const page of pages) page.destroy()
  const warm = memory
    .filter(({ at }) => at >= Math.min(WARM_UP, (MINUTES * 60_000) / 4))
    .map(({ megabytes }) => megabytes)
  const third = Math.ceil(warm.length / 3)
  const [first, last] = [summarise(warm.slice(0, third)), summarise(warm.slice(-third))]
  const answers = summarise(times)
  if (first === undefined || last === undefined || answers === undefined) throw new Error('too short')
  const what = `console: ${GRANTS} grants, ${EVENTS_A_SECOND} events/s, ${PAGES} pages`
  const megabytes = (value: number): string => `${threeDigits(value)} MB`
  return [
    {
      what: `${what}: memory`,
      server: 'ghostport',
      figure: `${megabytes(first.median)} → ${megabytes(last.median)}`,
      note: `median of the first and of the last third of ${MINUTES} minutes; at most ${megabytes(Math.max(...warm))}`,
    },
    {
      what: `${what}: an answer`,
      server: 'ghostport',
      figure: formatMilliseconds(answers.median),
      p95: formatMilliseconds(answers.p95),
      target: '100 ms',
      met: answers.p95 <= 100,
      note: `at most ${formatMilliseconds(answers.max)} of ${times.length} (extend a grant; a page of the history)`,
    },
    {
      what: `${what}: processor`,
      server: 'ghostport',
      figure: `${threeDigits(cpu * 100)} %`,
      note: `of one core; ${threeDigits(bytes / seconds / 1_000 / (PAGES - 1))} kB/s to each page`,
    },
  ]
}

/** The server's own desk, with grants and events that are made up. */
async function serve(path: string, signal: AbortSignal): Promise<() => void> {
  const events = new EventRing(new MemoryLogOfNothing())
  const startedAt = new Date().toISOString()
  const ends = Array.from({ length: GRANTS }, (_, i) => Date.now() + 60_000 + (i % 600) * 1_000)
  const status = async (): Promise<unknown> => {
    const now = Date.now()
    return {
      ...{ version: 1, startedAt, warden: 1, receiver: 2, capturing: true, firewall: 'nftables mark', stanzas: 1 },
      ...{ remembered: 0, warnings: [], interfaces: [], lastVerdicts: [] },
      counters: { granted: 0, refused: {}, looked: 0, undecided: 0, dropped: 0 },
      grants: ends.map((until, i) => ({
        id: `g:${i.toString(16).padStart(8, '0')}`,
        for: `198.51.${i >> 8}.${i & 255}`,
        open: ['tcp/22'],
        secondsLeft: Math.ceil((until - now) / 1_000),
        stanza: 1,
        name: `user-${i % 500}`,
        user: `user-${i % 500}`,
      })),
    }
  }
  let number = 0
  const tick = setInterval(() => {
    for (let i = 0; i < (EVENTS_A_SECOND * TICK) / 1_000; i++) {
      const at = number++ % GRANTS
      // One that ended is opened again by the next knock.
      ends[at] = Date.now() + 600_000
      const refused = number % 3 === 0
      events.write(refused ? 'warning' : 'info', 'knock', {
        ...(refused
          ? { verdict: 'refused', code: 'SPA_REPLAYED', detail: 'replayed' }
          : { verdict: 'granted', grant: 'tcp/22' }),
        ...{ source: `198.51.${at >> 8}.${at & 255}`, stanza: 1, name: `user-${at % 500}`, user: `user-${at % 500}` },
      })
    }
  }, TICK)
  signal.addEventListener('abort', () => clearInterval(tick))
  const opened = await openConsole(
    path,
    NOBODY,
    {
      ...{ status, uses: () => ({}), events, uid: NOBODY, stanzas: () => [], source: { server: '/nowhere' } },
      revoke: async () => ({}),
      reload: async () => ({}),
      record: async () => ok(undefined),
      firewall: { grants: async () => ok([]), open: async () => [] },
      rights: () => ['extend'],
      clock: { now: () => Math.floor(Date.now() / 1_000) as never },
      ownProgram: { options: [], file: '/nowhere' },
    },
    new MemoryLogOfNothing(),
  )
  if (!opened.ok) throw new Error(opened.failure.detail)
  return opened.value
}

/** Keeps nothing: what is measured is another process, but this one lasts as long. */
class MemoryLogOfNothing extends MemoryLog {
  override write(): void {}
}

function send(
  socket: string,
  path: string,
  token: string | undefined,
  body: object | undefined,
  then: (response: IncomingMessage) => void,
  failed: (error: Error) => void,
): void {
  const text = body === undefined ? undefined : JSON.stringify(body)
  const sent = httpRequest(
    {
      ...{ socketPath: socket, path, method: text === undefined ? 'GET' : 'POST', agent: false },
      headers: {
        host: 'localhost',
        ...(text !== undefined && { 'content-type': 'application/json', 'content-length': String(text.length) }),
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
      },
    },
    then,
  )
  sent.on('error', failed)
  sent.end(text)
}

function open(socket: string, token: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    send(
      socket,
      '/v1/stream',
      token,
      undefined,
      (response) => {
        response.on('error', () => {})
        resolve(response)
      },
      reject,
    )
  })
}

function ask(socket: string, path: string, token: string | undefined, body?: object): Promise<string> {
  return new Promise((resolve, reject) => {
    send(
      socket,
      path,
      token,
      body,
      (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('end', () => resolve(Buffer.concat(chunks).toString('utf8')))
        response.on('error', reject)
      },
      reject,
    )
  })
}

async function ended([node = '', ...words]: readonly string[]): Promise<string> {
  const { execFileSync } = await import('node:child_process')
  return execFileSync(node, words, { encoding: 'utf8' })
}

function residentMegabytes(pid: number): number {
  const [, kilobytes = '0'] = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
  return Number(kilobytes) / 1_024
}

/** Of Linux: 100 ticks a second. */
function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ')
  return (Number(fields[11]) + Number(fields[12])) / 100
}
