/** A server that can be measured, and the kernel's figures about its processes. */
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import type { Program } from '../../test/support/netns.ts'
import { type BenchKeys, DOOR_PORT } from '../knocks.ts'
import type { Lab } from '../lab.ts'

export interface ServerOptions {
  readonly keys: BenchKeys
  /** Of a grant, in seconds. Default 300. */
  readonly lifetime?: number
  /** Packets that it remembers before its start. Default none. */
  readonly replayEntries?: number
  /** More stanzas. A server of ours is waited for until it can decrypt GnuPG packets, if one is for GnuPG. */
  readonly access?: string
  /** More lines of fwknopd.conf, for a server of ours. */
  readonly settings?: readonly string[]
  /** What its output says when it is ready, for a server of ours. */
  readonly ready?: RegExp
  /** The Node.js to run ghostport with. Default: this one. */
  readonly node?: string
}

/** Something that is started on the server host of a {@link Lab}. */
export interface ServerKind {
  readonly name: string
  /** Whether targets are set for it. */
  readonly isOurs: boolean
  start(lab: Lab, options: ServerOptions): Promise<RunningServer>
  /** Opens the doors of these clients in the fastest way that leaves the same state as their knocks. */
  seedGrants?(lab: Lab, clients: readonly string[], lifetime: number): void
}

/** access.conf for both kinds of server: one stanza that opens the door to all. */
export function writeAccess(file: string, options: ServerOptions): void {
  writeFileSync(file, accessText(options), { mode: 0o600 })
}

/** Of access.conf. */
export function accessText({ keys, lifetime = 300, access = '' }: ServerOptions): string {
  const lines = [
    'SOURCE ANY',
    `OPEN_PORTS tcp/${DOOR_PORT}`,
    `FW_ACCESS_TIMEOUT ${lifetime}`,
    `MAX_FW_TIMEOUT ${lifetime}`,
    `KEY_BASE64 ${keys.encryptionBase64}`,
    `HMAC_KEY_BASE64 ${keys.hmacBase64}`,
  ]
  return lines.map((line) => `${line}\n`).join('') + access
}

export class RunningServer {
  readonly #program: Program
  readonly #log: string
  /** From the start of the program until it reported that it is ready, in milliseconds. */
  readonly startMilliseconds: number

  /**
   * Starts it with its output in the file `log`, and waits until the output matches `ready`. Looks every millisecond.
   */
  static async start(lab: Lab, log: string, words: readonly string[], ready: RegExp): Promise<RunningServer> {
    writeFileSync(log, '')
    const started = performance.now()
    const program = lab.server.start(['sh', '-c', `exec "$@" >>${log} 2>&1`, 'sh', ...words])
    let ended = false
    program.ended.then(() => {
      ended = true
    })
    for (;;) {
      const elapsed = performance.now() - started
      const said = readFileSync(log, 'utf8')
      if (ready.test(said)) return new RunningServer(program, log, elapsed)
      if (ended || elapsed > 20_000)
        throw new Error(`${program.label}: ${ended ? 'ended' : 'was not ready in 20 s'}\n${said}${program.output}`)
      await delay(1)
    }
  }

  private constructor(program: Program, log: string, startMilliseconds: number) {
    this.#program = program
    this.#log = log
    this.startMilliseconds = startMilliseconds
  }

  logBytes(): number {
    return statSync(this.#log).size
  }

  log(): string {
    return readFileSync(this.#log, 'utf8')
  }

  /** Processor time so far of its processes and their ended children, in milliseconds. */
  cpuMilliseconds(): number {
    return this.#processes().reduce((sum, pid) => sum + cpuTicks(pid) * TICK_MILLISECONDS, 0)
  }

  /** Proportional set size of all its processes, in bytes: memory that is shared counts once. */
  memory(): number {
    return this.#processes().reduce((sum, pid) => sum + proportionalSetSize(pid), 0)
  }

  async stop(): Promise<void> {
    await this.#program.stop('SIGKILL')
  }

  #processes(): readonly number[] {
    return withDescendants(this.#program.pid)
  }
}

const TICK_MILLISECONDS = 10

function withDescendants(pid: number): readonly number[] {
  const children = threadsOf(pid).flatMap((thread) =>
    ofProcess(pid, `task/${thread}/children`).split(' ').filter(Boolean).map(Number),
  )
  return [pid, ...children.flatMap(withDescendants)]
}

function threadsOf(pid: number): readonly string[] {
  try {
    return readdirSync(`/proc/${pid}/task`)
  } catch {
    return []
  }
}

/** A file of the kernel about a process; empty if the process has ended, such as an iptables of fwknopd's. */
function ofProcess(pid: number, name: string): string {
  try {
    return readFileSync(`/proc/${pid}/${name}`, 'utf8')
  } catch {
    return ''
  }
}

/** User and system time, its own and that of its children waited for. */
function cpuTicks(pid: number): number {
  const fields = ofProcess(pid, 'stat')
    .replace(/^.*\) /, '')
    .split(' ')
  return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0)
}

function proportionalSetSize(pid: number): number {
  const kilobytes = /^Pss:\s+(\d+) kB$/m.exec(ofProcess(pid, 'smaps_rollup'))?.[1]
  return Number(kilobytes ?? 0) * 1024
}
