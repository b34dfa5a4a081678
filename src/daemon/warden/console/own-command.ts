/**
 * Runs a command of ghostport's own, such as `ghostport user add`: with typed words, without a shell, with nothing of
 * this process but the two pipes of its output. It reads and changes the files by the same code as for an
 * administrator, under the same lock, and it writes to the audit log.
 */
import type { ChildProcess } from 'node:child_process'
import { jsonLine } from '../../../bytes/text.ts'
import { type Failure, ok, type Result, refuse } from '../../../result.ts'
import { PROGRAM_ENVIRONMENT } from '../../../system/program-environment.ts'
import { spawnApart } from '../../../system/spawn-apart.ts'
import { milliseconds } from '../../../units.ts'
import type { ConsoleActor } from '../../link/console-protocol.ts'

const PATIENCE = milliseconds(60_000)
/** A list of 10 000 users has some 3 MB. */
const MOST_OUTPUT = 16 * 1024 * 1024

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

  /**
   * @param by who asked for a change; absent: it only looks.
   * @returns what the command printed as JSON: also for a failure of its own. CONSOLE_REFUSED if it printed none.
   */
  async run(words: readonly string[], by?: ConsoleActor): Promise<Result<unknown, Failure<'CONSOLE_REFUSED'>>> {
    return read(await this.#output(words, by), (text) => JSON.parse(text))
  }

  /** The same for a command that prints a JSON value on each line. */
  async runLines(words: readonly string[]): Promise<Result<readonly unknown[], Failure<'CONSOLE_REFUSED'>>> {
    return read(await this.#output(words), (text) =>
      text.split('\n').flatMap((line): readonly unknown[] => (line === '' ? [] : [JSON.parse(line)])),
    )
  }

  #output(words: readonly string[], by?: ConsoleActor): Promise<Output> {
    const { options, file } = this.#program
    const child = spawnApart(process.execPath, [...options, file, ...words], {
      stdio: ['ignore', 'pipe', 'pipe'],
      cwd: '/',
      env: { ...PROGRAM_ENVIRONMENT, ...(by !== undefined && { GHOSTPORT_AUDIT_ACTOR: jsonLine(by) }) },
    })
    this.#running.add(child)
    const late = setTimeout(() => child.kill('SIGKILL'), PATIENCE)
    const [stdout, stderr] = [collected(child, 'stdout'), collected(child, 'stderr')]
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(late)
        this.#running.delete(child)
        resolve({ stdout: stdout.text, stderr: stderr.text })
      }
      child.once('error', end)
      child.once('close', end)
    })
  }

  stop(): void {
    for (const child of this.#running) child.kill('SIGKILL')
  }
}

interface Output {
  readonly stdout: string
  readonly stderr: string
}

function read<T>({ stdout, stderr }: Output, parse: (text: string) => T): Result<T, Failure<'CONSOLE_REFUSED'>> {
  try {
    return ok(parse(stdout))
  } catch {
    const [said = ''] = stderr.split('\n')
    return refuse('CONSOLE_REFUSED', `the command did not do it: ${said.slice(0, 500) || 'it printed nothing'}`)
  }
}

function collected(child: ChildProcess, stream: 'stdout' | 'stderr'): { readonly text: string } {
  const kept = { text: '' }
  child[stream]?.setEncoding('utf8').on('data', (chunk: string) => {
    if (kept.text.length < MOST_OUTPUT) kept.text += chunk
  })
  return kept
}
