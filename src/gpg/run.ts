/**
 * Runs gpg(1) once: by argument vector, with its input and secrets on descriptors, and a time limit. Its status
 * descriptor is read apart from its text for people.
 */
import { spawn } from 'node:child_process'
import type { Readable, Writable } from 'node:stream'
import { errorCode, systemReason } from '../system/errno.ts'
import type { Milliseconds } from '../units.ts'

export interface GpgRun {
  /** Path of gpg, or of a program that becomes gpg; then `args` begin with its arguments. */
  readonly program: string
  readonly args: readonly string[]
  readonly env: NodeJS.ProcessEnv
  readonly input: Uint8Array
  /** What gpg reads from {@link PASSPHRASE_DESCRIPTOR}. */
  readonly passphrase?: Uint8Array | undefined
  readonly limit: Milliseconds
}

export interface GpgOutcome {
  /** Null if a signal ended it. */
  readonly exit: number | null
  readonly output: Uint8Array
  readonly status: string
  /** The last line of its text for people. */
  readonly remark: string
  /** Why there is no outcome: it was not started, took too long, or wrote too much. */
  readonly broken?: string
}

export const STATUS_DESCRIPTOR = 3
export const PASSPHRASE_DESCRIPTOR = 4

/** Bytes. No packet holds so much. */
const LONGEST = { output: 64 * 1024, status: 64 * 1024, remark: 16 * 1024 }

export function runGpg({ program, args, env, input, passphrase, limit }: GpgRun): Promise<GpgOutcome> {
  return new Promise((resolve) => {
    let broken: string | undefined
    const child = spawn(program, [...args], {
      env,
      cwd: '/',
      stdio: ['pipe', 'pipe', 'pipe', 'pipe', passphrase === undefined ? 'ignore' : 'pipe'],
    })
    const end = (why: string): void => {
      broken ??= why
      child.kill('SIGKILL')
    }
    const tooLong = (): void => end(`gpg took longer than ${limit / 1000} s`)
    const timer = setTimeout(tooLong, limit)
    const tooMuch = (): void => end('gpg wrote more than a packet can hold')
    const [, , errors, status, secret] = child.stdio as unknown as (Readable & Writable)[]
    const parts = {
      output: collect(child.stdout, LONGEST.output, tooMuch),
      status: collect(status, LONGEST.status, tooMuch),
      remark: collect(errors, LONGEST.remark, tooMuch),
    }
    write(child.stdin, input)
    if (passphrase !== undefined) write(secret, passphrase)
    child.once('error', (error) => {
      broken ??= `${program} cannot be started: ${whyNotStarted(error)}`
      clearTimeout(timer)
      resolve({ exit: null, output: new Uint8Array(), status: '', remark: '', broken })
    })
    child.once('close', (exit) => {
      clearTimeout(timer)
      resolve({
        exit,
        output: parts.output(),
        status: parts.status().toString('latin1'),
        remark: lastLine(parts.remark().toString('utf8')),
        ...(broken !== undefined && { broken }),
      })
    })
  })
}

/** @returns what came so far. */
function collect(from: Readable | null | undefined, most: number, onTooMuch: () => void): () => Buffer {
  const chunks: Buffer[] = []
  let length = 0
  from?.on('data', (chunk: Buffer) => {
    length += chunk.length
    if (length <= most) chunks.push(chunk)
    else onTooMuch()
  })
  from?.on('error', () => {})
  return () => Buffer.concat(chunks)
}

/** gpg may end before it has read all: then its status says why. */
function write(to: Writable | null | undefined, bytes: Uint8Array): void {
  to?.on('error', () => {})
  to?.end(bytes)
}

function lastLine(text: string): string {
  return text.trimEnd().split('\n').at(-1) ?? ''
}

function whyNotStarted(error: Error): string {
  if (errorCode(error) !== 'ENOENT') return systemReason(error)
  return 'there is no such program. Install it (Debian: package gnupg), or name another one with GPG_EXE'
}
