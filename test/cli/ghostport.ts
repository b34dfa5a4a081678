/** Runs the real command from its source, as a user would: its own process, a home directory of its own. */
import { type ChildProcess, spawn } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The words that run a program from its source. */
const commandOf = (program: string): readonly string[] => [
  process.execPath,
  '--conditions=ghostport-source',
  fileURLToPath(new URL(`../../src/cli/${program}.ts`, import.meta.url)),
]
/** Where the suite keeps compiled modules: a program starts in a third of the time. Empty without such a folder. */
export const compiledCode: NodeJS.ProcessEnv =
  process.env['NODE_COMPILE_CACHE'] === undefined ? {} : { NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'] }

export const ghostportCommand = commandOf('ghostport')
export const fwknopCommand = commandOf('fwknop')

export interface Transcript {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface RunOptions {
  readonly input?: string
  readonly descriptor3?: string
  /** Default: 20 s. */
  readonly timeoutMs?: number
  /** More variables. */
  readonly env?: Readonly<Record<string, string>>
}

/** A home directory with files in it, and commands run with it. */
export class Home implements Disposable {
  readonly path: string = mkdtempSync(join(tmpdir(), 'ghostport-cli-'))

  /** @returns its path. */
  write(name: string, text: string, mode = 0o600): string {
    const path = join(this.path, name)
    writeFileSync(path, text)
    chmodSync(path, mode)
    return path
  }

  /** @param options.descriptor3 descriptor 3 of the command. */
  async ghostport(argv: readonly string[], options: RunOptions = {}): Promise<Transcript> {
    return await this.run([...ghostportCommand, ...argv], options)
  }

  /** As {@link ghostport}, for our `fwknop`. */
  fwknop(argv: readonly string[], options: RunOptions = {}): Promise<Transcript> {
    return this.run([...fwknopCommand, ...argv], options)
  }

  /** The same for another program. @param command the program and its words. */
  async run([program = '', ...words]: readonly string[], options: RunOptions = {}): Promise<Transcript> {
    const child: ChildProcess = spawn(program, words, {
      stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
      cwd: this.path,
      // No controlling terminal: a command that would ask must refuse.
      detached: true,
      env: {
        ...compiledCode,
        PATH: process.env['PATH'],
        HOME: this.path,
        LOGNAME: 'ada',
        NO_COLOR: '1',
        ...options.env,
      },
      timeout: options.timeoutMs ?? 20_000,
    })
    const [stdin, , , third] = child.stdio
    for (const [stream, text] of [
      [stdin, options.input],
      [third, options.descriptor3],
    ] as const)
      if (stream !== null && stream !== undefined && 'end' in stream) {
        stream.on('error', () => {}) // a command that does not read has closed it
        stream.end(text ?? '')
      }
    let [stdout, stderr] = ['', '']
    child.stdout?.setEncoding('utf8').on('data', (chunk) => (stdout += chunk))
    child.stderr?.setEncoding('utf8').on('data', (chunk) => (stderr += chunk))
    const status = await new Promise<number | null>((resolve) => child.once('close', resolve))
    return { status, stdout, stderr }
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true })
  }
}
