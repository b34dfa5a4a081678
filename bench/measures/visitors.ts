/** `visitors` beside goaccess: a long access log, and one that is made to take memory. On one core. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { formatRatio, type Row, threeDigits } from '../row.ts'
import type { Measure } from './measure.ts'

/** `VISITORS_GIGABYTES=0.1` makes a quick run: its figures are no measurement. */
const GIGABYTES = sizeFrom(process.env['VISITORS_GIGABYTES'], 2)
const HOSTILE_GIGABYTES = Math.min(0.5, GIGABYTES)
const MOST_MEMORY = 100
const LEAST_SPEED = 1
const program = fileURLToPath(new URL('../../dist/cli/visitors.js', import.meta.url))

export const visitors: Measure = {
  name: 'visitors',
  about: `${GIGABYTES} GB of access log on one core, beside goaccess, and ${HOSTILE_GIGABYTES} GB in which nothing comes twice`,
  run: async () => {
    const folder = mkdtempSync(join(tmpdir(), 'ghostport-bench-'))
    try {
      const log = join(folder, 'access.log')
      writeLog(log, GIGABYTES, usualLine)
      // A first reader would find less of the file in the cache of the system than the second.
      await ran(['cat', log])
      const goaccess = await ran([
        'goaccess',
        log,
        '--log-format=COMBINED',
        '--no-progress',
        '-o',
        join(folder, 'g.html'),
      ])
      const ours = await ran([process.execPath, program, log])
      const hostile = join(folder, 'hostile.log')
      rmSync(log)
      writeLog(hostile, HOSTILE_GIGABYTES, hostileLine)
      const attacked = await ran([process.execPath, program, '--report', 'all', hostile])
      const byDay = await ran([process.execPath, program, '--report', 'all', '--by', 'day', hostile])
      const speed = (GIGABYTES / ours.seconds) * 60
      const what = `${GIGABYTES} GB of access log`
      return [
        { what, server: 'goaccess', figure: seconds(goaccess.seconds), note: told(goaccess) },
        {
          what,
          server: 'visitors',
          figure: seconds(ours.seconds),
          ratio: formatRatio(ours.seconds / goaccess.seconds),
          target: `≥ ${LEAST_SPEED} GB a minute`,
          met: speed >= LEAST_SPEED,
          note: `${threeDigits(speed)} GB a minute; ${told(ours)}`,
        },
        memory('its memory', ours),
        memory(`memory with ${HOSTILE_GIGABYTES} GB in which nothing comes twice, all reports`, attacked),
        memory('the same, --by day', byDay),
      ]
    } finally {
      rmSync(folder, { recursive: true })
    }
  },
}

function sizeFrom(text: string | undefined, usual: number): number {
  const size = Number(text ?? usual)
  if (!(size > 0 && size <= 100)) throw new Error(`VISITORS_GIGABYTES is “${text}”, and not a number above 0`)
  return size
}

interface Ran {
  /** Of the processor: other work of the machine affects it less than the clock. */
  readonly seconds: number
  readonly wallSeconds: number
  readonly megabytes: number
}

function memory(what: string, { megabytes, seconds: took }: Ran): Row {
  const target = `≤ ${MOST_MEMORY} MB`
  const figure = `${Math.round(megabytes)} MB`
  return {
    what,
    server: 'visitors',
    figure,
    target,
    met: megabytes <= MOST_MEMORY,
    note: `${seconds(took)} of processor`,
  }
}

function told({ wallSeconds, megabytes }: Ran): string {
  return `${seconds(wallSeconds)} by the clock, ${Math.round(megabytes)} MB at most`
}

function seconds(value: number): string {
  return `${threeDigits(value)} s`
}

/** Linux counts in hundredths of a second. */
const TICKS = 100
const LOOK_EVERY = 20

/** Runs it on one core, and looks again and again at what it has used: the kernel forgets it with the process. */
async function ran(argv: readonly [string, ...string[]]): Promise<Ran> {
  const started = performance.now()
  const child = spawn('taskset', ['-c', '0', ...argv], { stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text))
  let [ticks, kilobytes] = [0, 0]
  const look = setInterval(() => {
    try {
      const stat = readFileSync(`/proc/${child.pid}/stat`, 'utf8')
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      ticks = Math.max(ticks, Number(fields[11]) + Number(fields[12]))
      const [, most] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8')) ?? []
      kilobytes = Math.max(kilobytes, Number(most ?? 0))
    } catch {
      // It has ended.
    }
  }, LOOK_EVERY)
  const [status] = await once(child, 'exit')
  clearInterval(look)
  if (status !== 0) throw new Error(`${argv.join(' ')} ended with ${status}: ${said}`)
  return {
    seconds: ticks / TICKS,
    wallSeconds: (performance.now() - started) / 1000,
    megabytes: (kilobytes * 1024) / 1e6,
  }
}

type LineOf = (number: number, day: string) => string

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
const LINES_AT_ONCE = 5_000

/** Two years, day after day. */
function writeLog(file: string, gigabytes: number, line: LineOf): void {
  const descriptor = openSync(file, 'w')
  const size = gigabytes * 1e9
  for (let [written, number] = [0, 0]; written < size; ) {
    const time = new Date(Date.UTC(2024, 0, 1) + (written / size) * 730 * 86_400_000)
    const day = `${String(time.getUTCDate()).padStart(2, '0')}/${MONTHS[time.getUTCMonth()]}/${time.getUTCFullYear()}`
    let text = ''
    for (let i = 0; i < LINES_AT_ONCE; i++) text += line(number++, day)
    written += writeSync(descriptor, text)
  }
  closeSync(descriptor)
}

/** Numbers that look random, and are the same in each run. */
function mixed(number: number, below: number): number {
  return (Math.imul(number ^ (number >>> 15), 0x2c1b3c6d) >>> 1) % below
}

/** 100 000 addresses, 20 000 paths, 3 000 agents. */
function usualLine(number: number, day: string): string {
  const address = mixed(number, 100_000)
  const which = mixed(number + 7, 3_000)
  const agent =
    which % 3 === 0
      ? `Mozilla/5.0 (compatible; Bot${which}/2.1; +http://www.example.com/bot.html)`
      : `Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/${100 + (which % 40)}.0.${which}.0 Safari/537.36`
  return (
    `10.${address >> 16}.${(address >> 8) & 255}.${address & 255} - - [${day}:12:34:56 +0000] ` +
    `"GET /trac/changeset/${mixed(number + 3, 20_000)}?format=diff HTTP/1.1" ${number % 20 === 0 ? 404 : 200} ` +
    `${mixed(number + 9, 100_000)} "https://example.com/page" "${agent}"\n`
  )
}

function hostileLine(number: number, day: string): string {
  const address = `${number % 250}.${(number >> 8) & 255}.${(number >> 16) & 255}.${number % 253}`
  const agent = `Agent${number}bot/${number} ${'z'.repeat(number % 500)} (compatible; other${number}; x)`
  const path = `/${number}/${'y'.repeat(number % 300)}`
  return `${address} - - [${day}:12:34:56 +0000] "GET ${path} HTTP/1.1" ${100 + (number % 900)} 1 "-" "${agent}"\n`
}
