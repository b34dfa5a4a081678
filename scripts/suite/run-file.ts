/**
 * Runs one file of tests in a process of its own. Not through the runner of node:test, whose time limit is one for each
 * test and leaves a file that hangs after its tests running for ever; ours ends the whole process group.
 */
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import type { TestEvent } from './tally.ts'

export interface FileRun {
  readonly events: readonly TestEvent[]
  /** Standard output and error, as they came. */
  readonly output: string
  /** How the process ended, where that was not simply with a failed or passed test. */
  readonly crash?: string
  readonly milliseconds: number
}

const reporter = join(import.meta.dirname, 'reporter.ts')
/** How long a file may go on after its last test: the hooks of the file itself run in this time. */
const PATIENCE = 15_000

/** @param patience how long, in milliseconds, the file may go on after its last test; see reporter.ts. */
export async function runTestFile(
  file: string,
  root: string,
  timeoutMilliseconds: number,
  patience: number = PATIENCE,
): Promise<FileRun> {
  const started = performance.now()
  const folder = mkdtempSync(join(tmpdir(), 'ghostport-test-'))
  const report = join(folder, 'report')
  const child = spawn(
    process.execPath,
    [
      '--conditions=ghostport-source',
      '--no-warnings=ExperimentalWarning',
      `--test-reporter=${reporter}`,
      `--test-reporter-destination=${report}`,
      file,
    ],
    {
      ...{ cwd: root, stdio: ['ignore', 'pipe', 'pipe'], detached: true },
      // Without the second, a file that is run by a test of node --test would report to that.
      env: { ...process.env, GHOSTPORT_TEST_PATIENCE: String(patience), NODE_TEST_CONTEXT: undefined },
    },
  )
  const endGroup = () => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
    } catch {
      // nobody of the group is left
    }
  }
  running.add(endGroup)
  let isLate = false
  const limit = setTimeout(() => {
    isLate = true
    endGroup()
  }, timeoutMilliseconds)

  const exited = new Promise<string | undefined>((done, failed) => {
    child.once('error', failed)
    // Whoever the tests left behind in their group ends with them; otherwise it would hold our pipes open.
    child.once('exit', (status, signal) => {
      endGroup()
      done(status === 0 ? undefined : (signal ?? `status ${status}`))
    })
  })
  const [out, error, ended] = await Promise.all([text(child.stdout), text(child.stderr), exited])
  clearTimeout(limit)
  running.delete(endGroup)
  const events = readEvents(report)
  rmSync(folder, { recursive: true, force: true })

  const hasFailure = events.some((event) => !event.passed)
  let crash: string | undefined
  if (isLate) crash = `not done after ${timeoutMilliseconds / 1000} s`
  else if (ended !== undefined && !hasFailure) crash = `the process ended with ${ended}`
  return {
    events,
    output: out + error,
    ...(crash !== undefined && { crash }),
    milliseconds: performance.now() - started,
  }
}

const running = new Set<() => void>()

/** Ends what is still running, for a runner that is being stopped: the process groups do not end by themselves. */
export function endRunningFiles(): void {
  for (const end of running) end()
}

function readEvents(report: string): readonly TestEvent[] {
  let lines: string
  try {
    lines = readFileSync(report, 'utf8')
  } catch {
    return []
  }
  // The last line is cut where the process was killed while it wrote.
  return lines.split('\n').flatMap((line) => (line.endsWith('}') ? [JSON.parse(line) as TestEvent] : []))
}
