/**
 * Runs one program to its end: without a shell, in a session of its own, with nothing of this process but two pipes for
 * its output. It gets a limit of time, and all that it started is ended with it.
 */
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { closeSync } from 'node:fs'
import { Socket } from 'node:net'
import type { Readable } from 'node:stream'
import { textFromBytes } from '../bytes/text.ts'
import type { Words } from '../bytes/words.ts'
import { systemReason } from '../system/errno.ts'
import { keepToOurselves } from '../system/keep-to-ourselves.ts'
import { libc, O_CLOEXEC } from '../system/libc.ts'
import { type Milliseconds, milliseconds, type Seconds } from '../units.ts'
import type { Login } from './accounts.ts'
import { type Environment, environmentFor } from './environment.ts'
import { whyMissing } from './find-program.ts'
import { processTree, signalTree } from './process-tree.ts'

/** Bytes of output that are kept; what comes after them is read and dropped. */
const MOST_OUTPUT = 4096
/** How long a program may take to end after SIGTERM, before SIGKILL. */
const GRACE = milliseconds(2000)
/** How long to read on after the end of a program whose output others may still hold open. */
const LAST_OUTPUT_TIME = milliseconds(200)

export interface Order {
  readonly words: Words
  /** Absent: the user of this process. */
  readonly login?: Login | undefined
  /** What the environment holds besides the usual names. */
  readonly facts: Environment
  readonly timeout: Seconds
  /** What it reads from standard input. Absent: nothing. */
  readonly input?: string
  /** Path of setpriv(1), if installed. */
  readonly setpriv?: string | undefined
}

/** How a program ended. */
export interface Ended {
  /** `timeout`: it was ended because it took too long. */
  readonly how: 'exit' | 'signal' | 'timeout' | 'stopped' | 'not started'
  /** For `exit`. */
  readonly status?: number
  /** For `signal`. */
  readonly signal?: string
  /** For `not started`: why. */
  readonly why?: string
  readonly took: Milliseconds
  /** The first bytes of standard output and standard error together. Not yet printable. */
  readonly output: string
  /** How many bytes it wrote in all. */
  readonly outputBytes: number
}

/** A program that was started, or could not be. */
export interface Running {
  readonly ended: Promise<Ended>
  /** Ends it and all that it started. */
  stop(): void
}

/** Whether it ended by itself, and well. */
export function isGood({ how, status }: Pick<Ended, 'how' | 'status'>): boolean {
  return how === 'exit' && status === 0
}

export function runProgram(order: Order): Running {
  const begun = performance.now()
  const took = (): Milliseconds => milliseconds(Math.round(performance.now() - begun))
  const notStarted = (why: string): Running => ({
    ended: Promise.resolve({ how: 'not started', why, took: took(), output: '', outputBytes: 0 }),
    stop: () => {},
  })
  const missing = whyMissing(order.words[0])
  if (missing !== undefined) return notStarted(missing)
  const pipe = openPipe()
  let child: ChildProcess
  try {
    keepToOurselves()
    child = start(order, pipe?.write ?? 'pipe')
  } catch (error) {
    if (pipe !== undefined) closeSync(pipe.read)
    return notStarted(systemReason(error))
  } finally {
    if (pipe !== undefined) closeSync(pipe.write)
  }
  const { pid, stdin } = child
  // A program need not read it.
  stdin?.on('error', () => {})
  stdin?.end(order.input)
  const streams = pipe === undefined ? [child.stdout, child.stderr] : [new Socket({ fd: pipe.read, readable: true })]
  const output = new Output(streams)
  let ending: 'timeout' | 'stopped' | undefined
  let kill: NodeJS.Timeout | undefined
  const end = (why: 'timeout' | 'stopped'): void => {
    if (ending !== undefined || pid === undefined) return
    ending = why
    const tree = processTree(pid)
    signalTree(pid, tree, 'SIGTERM')
    kill = setTimeout(() => signalTree(pid, [...tree, ...processTree(pid)], 'SIGKILL'), GRACE)
  }
  const limit = setTimeout(() => end('timeout'), order.timeout * 1000)
  const ended = new Promise<Ended>((resolve) => {
    child.once('error', (error) => {
      clearTimeout(limit)
      output.discard()
      resolve({ how: 'not started', why: systemReason(error), took: took(), output: '', outputBytes: 0 })
    })
    child.once('exit', async (status, signal) => {
      clearTimeout(limit)
      const time = took()
      await output.rest(LAST_OUTPUT_TIME)
      // What ignored SIGTERM is ended when the grace is over; the program itself has ended.
      const how = ending ?? (signal === null ? 'exit' : 'signal')
      resolve({
        how,
        ...(ending === undefined && status !== null && { status }),
        ...(ending === undefined && signal !== null && { signal }),
        took: time,
        ...output.kept(),
      })
      if (ending === undefined) clearTimeout(kill)
    })
  })
  return { ended, stop: () => end('stopped') }
}

/**
 * A pipe for both outputs, so that they keep their order. Node’s own pipes are sockets, which programs cannot open
 * again: a shell’s `>/dev/stderr` fails.
 * @returns undefined where there is no C library that can be asked.
 */
function openPipe(): { readonly read: number; readonly write: number } | undefined {
  const ends = new Int32Array(2)
  try {
    if (libc().pipe2(new Uint8Array(ends.buffer), O_CLOEXEC) < 0) return undefined
  } catch {
    return undefined
  }
  return { read: ends[0] ?? 0, write: ends[1] ?? 0 }
}

function start({ words, login, facts, setpriv, input }: Order, output: number | 'pipe'): ChildProcess {
  const env = { ...environmentFor(facts, login) }
  const options: SpawnOptions = {
    cwd: '/',
    env,
    stdio: [input === undefined ? 'ignore' : 'pipe', output, output],
    detached: true,
  }
  // It ends when this process is killed.
  const closed = ['--inh-caps=-all', '--pdeathsig=KILL', '--'] as const
  const other = login === undefined || isOurs(login) ? undefined : login
  const become = other === undefined ? [] : [`--reuid=${other.uid}`, `--regid=${other.gid}`, '--init-groups']
  if (setpriv !== undefined) return spawn(setpriv, [...become, ...closed, ...words], options)
  const [file, ...args] = words
  // Without supplementary groups: libuv drops them.
  return spawn(file, args, { ...options, ...(other !== undefined && { uid: other.uid, gid: other.gid }) })
}

/** Whether this process is that user already: a service may be unable to change users. */
export function isOurs({ uid, gid }: Pick<Login, 'uid' | 'gid'>): boolean {
  return uid === process.geteuid?.() && gid === process.getegid?.()
}

/** Reads all output, and keeps the first bytes of it. */
class Output {
  readonly #streams: readonly Readable[]
  readonly #kept: Buffer[] = []
  #room = MOST_OUTPUT
  #bytes = 0
  #open: number
  #onEnd: () => void = () => {}

  constructor(streams: readonly (Readable | null)[]) {
    this.#streams = streams.filter((stream) => stream !== null)
    this.#open = this.#streams.length
    for (const stream of this.#streams) {
      stream.on('data', (chunk: Buffer) => this.#take(chunk))
      stream.on('error', () => {})
      stream.once('close', () => {
        if (--this.#open === 0) this.#onEnd()
      })
    }
  }

  #take(chunk: Buffer): void {
    this.#bytes += chunk.length
    if (this.#room === 0) return
    // A copy: the rest of a large chunk is not kept alive.
    const part = Buffer.from(chunk.subarray(0, this.#room))
    this.#kept.push(part)
    this.#room -= part.length
  }

  /** Resolves when all is read, or after this time. Nothing is read after that. */
  async rest(time: Milliseconds): Promise<void> {
    if (this.#open > 0)
      await new Promise<void>((done) => {
        this.#onEnd = done
        setTimeout(done, time)
      })
    this.discard()
  }

  discard(): void {
    for (const stream of this.#streams) stream.destroy()
  }

  kept(): Pick<Ended, 'output' | 'outputBytes'> {
    return { output: textFromBytes(Buffer.concat(this.#kept)), outputBytes: this.#bytes }
  }
}
