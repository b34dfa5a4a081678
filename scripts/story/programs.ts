/** The programs that the story runs: either waited for with a deadline, or running until the story ends. */
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'

export interface Outcome {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
  readonly milliseconds: number
}

export interface RunOptions {
  readonly cwd: string
  readonly env: NodeJS.ProcessEnv
  readonly timeoutMilliseconds?: number
}

/** A program that runs beside the story. */
export interface Running {
  readonly pid: number
  /** Standard output and error so far. */
  output(): string
  /**
   * Waits until `ready` finds its text in the output. @throws Error after the deadline, or if the program ends before.
   */
  until<T>(what: string, ready: (output: string) => T | undefined, timeoutMilliseconds: number): Promise<T>
  /** Writes a line to its standard input. */
  type(line: string): void
  end(): Promise<void>
}

const children = new Set<ChildProcess>()
let leaveRunning = false

/** The running programs stay after the story (`--keep`). */
export function keepProgramsRunning(): readonly number[] {
  leaveRunning = true
  return [...children].flatMap((child) => child.pid ?? [])
}

/** Ends everything that the story started, group by group. Safe to call at any time, also from an exit handler. */
export function endAllPrograms(): void {
  if (!leaveRunning) for (const child of children) killGroup(child)
}

export function run(argv: readonly string[], { cwd, env, timeoutMilliseconds = 60_000 }: RunOptions): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const started = performance.now()
    const [file = '', ...args] = argv
    const child = spawn(file, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'], detached: true })
    children.add(child)
    const limit = globalThis.setTimeout(() => killGroup(child), timeoutMilliseconds)
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text
    })
    child.once('error', (error) => {
      clearTimeout(limit)
      children.delete(child)
      reject(new Error(`${file} cannot be run: ${error.message}`))
    })
    child.once('close', (status) => {
      clearTimeout(limit)
      children.delete(child)
      resolve({ status, stdout, stderr, milliseconds: performance.now() - started })
    })
  })
}

/**
 * Its output goes to `logFile` and not through this process, so that it can outlive the story (`--keep`) and be read
 * later.
 */
export function start(argv: readonly string[], { cwd, env }: RunOptions, logFile: string): Running {
  const [file = '', ...args] = argv
  const log = openSync(logFile, 'w')
  const child = spawn(file, args, { cwd, env, stdio: ['pipe', log, log], detached: true })
  closeSync(log)
  children.add(child)
  let ended: string | undefined
  child.stdin?.on('error', () => {})
  child.once('error', (error) => {
    ended = `cannot be run: ${error.message}`
  })
  const closed = new Promise<void>((resolve) => {
    child.once('close', (status, signal) => {
      ended ??= `ended with ${signal ?? `status ${status}`}`
      children.delete(child)
      resolve()
    })
  })
  const output = () => readFileSync(logFile, 'utf8')
  return {
    pid: child.pid ?? 0,
    output,
    async until(what, ready, timeoutMilliseconds) {
      const deadline = performance.now() + timeoutMilliseconds
      for (;;) {
        const wasEnded = ended
        const found = ready(output())
        if (found !== undefined) return found
        if (wasEnded !== undefined) throw new Error(`${what}: ${file} ${wasEnded}\n${output()}`)
        if (performance.now() > deadline)
          throw new Error(`${what}: nothing after ${timeoutMilliseconds / 1000} s\n${output()}`)
        await setTimeout(5)
      }
    },
    type: (line) => child.stdin?.write(`${line}\n`),
    async end() {
      killGroup(child, 'SIGTERM')
      const force = globalThis.setTimeout(() => killGroup(child), 3_000)
      await closed
      clearTimeout(force)
    },
  }
}

function killGroup(child: ChildProcess, signal: NodeJS.Signals = 'SIGKILL'): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, signal)
  } catch {
    // it has ended
  }
}
