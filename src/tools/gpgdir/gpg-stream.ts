/** Runs gpg on open files: names of files never reach it, and it opens none of the tree. */
import { spawn } from 'node:child_process'
import type { Readable, Writable } from 'node:stream'
import { type GpgProgram, gpgCommand } from '../../gpg/program.ts'
import { PASSPHRASE_DESCRIPTOR, STATUS_DESCRIPTOR } from '../../gpg/run.ts'
import { type StatusLine, statusLines } from '../../gpg/status-lines.ts'
import { systemReason } from '../../system/errno.ts'

export interface StreamOutcome {
  /** Null if a signal ended it. */
  readonly exit: number | null
  readonly status: readonly StatusLine[]
  /** Its text for people. */
  readonly remarks: readonly string[]
  /** Why it was not started. */
  readonly broken?: string
  /** What it wrote to `memory`: the first {@link LONGEST_OUTPUT} bytes of it. */
  readonly output?: Uint8Array
}

/** The first descriptor of {@link StreamRun.more}; for `-&5` (gpg, --enable-special-filenames). */
export const FIRST_EXTRA_DESCRIPTOR = 5
export const LONGEST_OUTPUT = 64 * 1024 * 1024
const LONGEST_STATUS = 256 * 1024
const LONGEST_REMARKS = 16 * 1024

export interface StreamRun {
  /** What gpg reads: from a descriptor, or these bytes. Absent: it reads nothing. */
  readonly input?: number | Uint8Array
  /** Where gpg writes to: a descriptor, or {@link StreamOutcome.output}. */
  readonly output?: number | 'memory'
  /** Descriptors that gpg gets besides. */
  readonly more?: readonly number[]
}

/** Each running gpg, so that an interrupted run can end them. */
export class GpgStreams {
  readonly #gpg: GpgProgram
  readonly #running = new Set<() => void>()

  constructor(gpg: GpgProgram) {
    this.#gpg = gpg
  }

  /** Ends every gpg that runs. Its outcome is that of a signal. */
  endAll(): void {
    for (const end of this.#running) end()
  }

  run(args: readonly string[], { input, output, more = [] }: StreamRun): Promise<StreamOutcome> {
    const { file, argv, passphrase } = gpgCommand(this.#gpg, args)
    return new Promise((resolve) => {
      const child = spawn(file, argv, {
        env: this.#gpg.env,
        cwd: '/',
        stdio: [
          input instanceof Uint8Array ? 'pipe' : (input ?? 'ignore'),
          output === 'memory' ? 'pipe' : (output ?? 'ignore'),
          'pipe',
          'pipe',
          passphrase === undefined ? 'ignore' : 'pipe',
          ...more,
        ],
      })
      const end = (): void => void child.kill('SIGKILL')
      this.#running.add(end)
      const streams = child.stdio as unknown as readonly (Readable & Writable)[]
      const status = collect(streams[STATUS_DESCRIPTOR], LONGEST_STATUS)
      const remarks = collect(child.stderr, LONGEST_REMARKS)
      const written = collect(output === 'memory' ? child.stdout : undefined, LONGEST_OUTPUT)
      if (input instanceof Uint8Array) child.stdin?.on('error', () => {}).end(input)
      const secret = streams[PASSPHRASE_DESCRIPTOR]
      if (passphrase !== undefined) secret?.on('error', () => {}).end(passphrase)
      child.once('error', (error) => {
        this.#running.delete(end)
        resolve({ exit: null, status: [], remarks: [], broken: `${file} cannot be started: ${systemReason(error)}` })
      })
      child.once('close', (exit) => {
        this.#running.delete(end)
        resolve({
          exit,
          status: statusLines(status().toString()),
          remarks: remarks()
            .toString()
            .split('\n')
            .filter((text) => text !== ''),
          ...(output === 'memory' && { output: written() }),
        })
      })
    })
  }
}

/** @returns what came so far; what is beyond `most` is left out. */
function collect(from: Readable | null | undefined, most: number): () => Buffer {
  const chunks: Buffer[] = []
  let length = 0
  from?.on('data', (chunk: Buffer) => {
    if (length < most) chunks.push(chunk.subarray(0, most - length))
    length += chunk.length
  })
  from?.on('error', () => {})
  return () => Buffer.concat(chunks)
}
