/**
 * Runs a command of ghostport's own, such as `ghostport user add`: with typed words, without a shell, with nothing of
 * this process but the two pipes of its output. It reads and changes the files by the same code as for an
 * administrator, under the same lock, and it writes to the audit log.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { jsonLine } from '../../../bytes/text.ts'
import { type Failure, ok, type Result, refuse } from '../../../result.ts'
import { keepToOurselves } from '../../../system/keep-to-ourselves.ts'
import { PROGRAM_ENVIRONMENT } from '../../../system/program-environment.ts'
import { milliseconds } from '../../../units.ts'
import type { ConsoleActor } from '../../link/console-protocol.ts'

const PATIENCE = milliseconds(60_000)
const MOST_OUTPUT = 256 * 1024

/** How this process was started: Node's options, and the file of the program. */
export interface OwnProgram {
  readonly options: readonly string[]
  readonly file: string
}

export class OwnCommands {
  readonly #program: OwnProgram
  readonly #running = new Set<ChildProcess>()

  constructor(program: OwnProgram) {
    this.#program = program
  }

  /** @returns what the command printed as JSON: also for a failure of its own. CONSOLE_REFUSED if it printed none. */
  run(words: readonly string[], by: ConsoleActor): Promise<Result<unknown, Failure<'CONSOLE_REFUSED'>>> {
    const { options, file } = this.#program
    keepToOurselves()
    const child = spawn(process.execPath, [...options, file, ...words], {
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
      cwd: '/',
      env: { ...PROGRAM_ENVIRONMENT, GHOSTPORT_AUDIT_ACTOR: jsonLine(by) },
    })
    this.#running.add(child)
    const late = setTimeout(() => child.kill('SIGKILL'), PATIENCE)
    const [stdout, stderr] = [collected(child, 'stdout'), collected(child, 'stderr')]
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(late)
        this.#running.delete(child)
        try {
          resolve(ok(JSON.parse(stdout.text)))
        } catch {
          const [said = 'it printed nothing'] = stderr.text.split('\n')
          resolve(refuse('CONSOLE_REFUSED', `the command did not do it: ${said.slice(0, 500)}`))
        }
      }
      child.once('error', end)
      child.once('close', end)
    })
  }

  stop(): void {
    for (const child of this.#running) child.kill('SIGKILL')
  }
}

function collected(child: ChildProcess, stream: 'stdout' | 'stderr'): { readonly text: string } {
  const kept = { text: '' }
  child[stream]?.setEncoding('utf8').on('data', (chunk: string) => {
    if (kept.text.length < MOST_OUTPUT) kept.text += chunk
  })
  return kept
}
