/**
 * Runs one test file in a process of its own, with the runner of node:test. That runner has no limit for a file, only
 * for each test; the limits of the file are enforced here. `forceExit` is not used: a file that does not end after its
 * tests has left something open, which is a failure.
 */
import { readFileSync } from 'node:fs'
import { run } from 'node:test'
import type { TestEvent } from 'node:test/reporters'
import type { TestResult } from './outcomes.ts'

export interface FileRun {
  readonly results: readonly TestResult[]
  /** Standard output and error, as they came. */
  readonly output: string
}

/** In seconds. */
export interface Limits {
  /** Below that of the file, so that a test that hangs is reported by its name. */
  readonly test: number
  readonly file: number
  /** After the last test. The hooks of the file itself run in this time. */
  readonly afterTests: number
}

/** @param stop ends the run early */
export async function runTestFile(file: string, limits: Limits, stop: AbortSignal): Promise<FileRun> {
  const late = new AbortController()
  let end: NodeJS.Timeout | undefined
  const giveUp = () => {
    signalTo(file, 'SIGUSR2')
    end = setTimeout(() => {
      signalTo(file, 'SIGKILL')
      late.abort()
    }, 1000)
  }
  const limit = setTimeout(giveUp, limits.file * 1000)
  let afterTests: NodeJS.Timeout | undefined
  // A runner below another one would run nothing.
  delete process.env['NODE_TEST_CONTEXT']
  const events: AsyncIterable<TestEvent> = run({
    files: [file],
    isolation: 'process',
    timeout: limits.test * 1000,
    signal: AbortSignal.any([stop, late.signal]),
    execArgv: ['--no-warnings=ExperimentalWarning', '--import', import.meta.resolve('./still-open.ts')],
  })
  const results: TestResult[] = []
  let output = ''
  let unfinished = 0
  for await (const { type, data } of events) {
    if (type === 'test:stdout' || type === 'test:stderr') output += data.message
    else if (type === 'test:pass' || type === 'test:fail') results.push(data)
    else if ((type === 'test:enqueue' || type === 'test:complete') && data.nesting === 0 && data.name !== file) {
      unfinished += type === 'test:enqueue' ? 1 : -1
      clearTimeout(afterTests)
      if (unfinished === 0) afterTests = setTimeout(giveUp, limits.afterTests * 1000)
    }
  }
  for (const timer of [limit, afterTests, end]) clearTimeout(timer)
  return { results, output }
}

/** To the process of a test file, if it still runs. */
function signalTo(file: string, signal: NodeJS.Signals): void {
  const children = readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').split(' ').filter(Number)
  for (const pid of children)
    if (readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').includes(file)) process.kill(Number(pid), signal)
}
