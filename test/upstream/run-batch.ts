/** Runs some cases of fwknop's suite in mount, network and process namespaces of their own, each under a time limit. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Binaries } from './binaries.ts'
import { type CaseName, including, progressOf } from './suite.ts'

const ROOT = join(import.meta.dirname, '..', '..')
const ENTER = join(import.meta.dirname, 'enter.sh')

/** Seconds for the suite to end after its last case. */
const LONGEST_END = 60

export interface CaseResult {
  readonly name: CaseName
  readonly verdict: 'passed' | 'failed'
  readonly seconds: number
  /** What the suite and the two programs said: shown for a case that failed. */
  readonly record: string
}

export interface BatchOptions {
  /** A checkout of fwknop. It is only read. */
  readonly checkout: string
  readonly binaries: Binaries
  /** Our programs: a folder with dist/, package.json and an empty node_modules/. */
  readonly program: string
  /** A folder for the compiled code of our programs, as /var/cache/ghostport on a host. */
  readonly cache: string
  /** An empty folder for the suite's records. */
  readonly folder: string
  /** The longest that a case may take, in seconds. */
  readonly limit: (name: CaseName) => number
  readonly signal: AbortSignal
}

/** What `--List-mode` prints. @throws Error with the suite's words where it does not start. */
export async function listing(options: Omit<BatchOptions, 'limit'>): Promise<string> {
  const run = start(options, ['--List-mode'])
  const [status] = await once(run.child, 'close')
  if (status !== 0) throw new Error(`fwknop's suite does not start in ${options.checkout}:\n${run.text()}`)
  return run.text()
}

/** Runs `names`, in their order, and tells each result as it is known. One that stops the suite is a failure. */
export async function runBatch(
  names: readonly CaseName[],
  options: BatchOptions,
  tell: (result: CaseResult) => void,
): Promise<void> {
  for (let begun = 0, attempt = 0; begun < names.length && !options.signal.aborted; attempt++) {
    const folder = join(options.folder, `${attempt}`)
    mkdirSync(folder, { recursive: true })
    const run = start({ ...options, folder }, ['--include', including(names.slice(begun))])
    const left = names.slice(begun)
    let known = 0
    let since = performance.now()
    const look = () => {
      const { ended } = progressOf(run.text())
      for (; known < Math.min(ended.length, left.length); known++) {
        const verdict = ended[known] ?? 'failed'
        tell({ name: left[known] ?? '', verdict, seconds: secondsSince(since), record: recordOf(folder, known + 1) })
        since = performance.now()
      }
    }
    let isLate = false
    const watch = setInterval(() => {
      look()
      const name = left[known]
      // Behind the last case, the suite only tidies up, or hangs.
      const limit = name === undefined ? LONGEST_END : options.limit(name)
      isLate = name !== undefined && secondsSince(since) > limit
      if (secondsSince(since) > limit) run.child.kill('SIGKILL')
    }, 500)
    await once(run.child, 'close')
    clearInterval(watch)
    look()
    const name = left[known]
    if (name !== undefined && !options.signal.aborted) {
      const why = isLate
        ? `not over after ${options.limit(name)} s`
        : `the suite ended in this case:\n${run.text().slice(-2_000)}`
      const record = `${recordOf(folder, known + 1)}\n${why}`
      tell({ name, verdict: 'failed', seconds: secondsSince(since), record })
      known++
    }
    begun += known
  }
}

function secondsSince(start: number): number {
  return Math.round((performance.now() - start) / 100) / 10
}

/** The suite's notes about its case `number`, and what the server said in it. */
function recordOf(folder: string, number: number): string {
  return ['.test', '_fwknopd.test']
    .map((ending) => join(folder, 'records', `${number}${ending}`))
    .filter((path) => existsSync(path))
    .map((path) => readFileSync(path, 'latin1'))
    .join('\n── the server\n')
}

function start(
  { checkout, binaries, program, cache, folder, signal }: Omit<BatchOptions, 'limit'>,
  args: readonly string[],
): { readonly child: ChildProcess; text(): string } {
  const argv = ['--fwknop-path', binaries.fwknop, '--fwknopd-path', binaries.fwknopd, '--lib-dir', binaries.libraries]
  const child = spawn(
    'unshare',
    // The namespaces end with the process that made them: the kernel kills all that is in them.
    [
      '--mount',
      '--net',
      '--pid',
      '--fork',
      '--kill-child=KILL',
      '--mount-proc',
      ENTER,
      ...argv,
      '--prefer-iptables',
      ...args,
    ],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
        CHECKOUT: checkout,
        OUT: folder,
        PROGRAM: program,
        CACHE: cache,
        MODULES: join(ROOT, 'node_modules'),
        NODE: process.execPath,
      },
      signal,
      killSignal: 'SIGKILL',
    },
  )
  let text = ''
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk
    })
  // An abort is told by the signal.
  child.on('error', () => {})
  return { child, text: () => text }
}
