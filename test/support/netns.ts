/**
 * Hosts for tests that need a real kernel: network namespaces joined by veth pairs, with programs, servers and probes
 * inside. They go with the test in any way that it ends (namespace.ts).
 *
 * @example
 * const skip = netnsUnavailable()
 * test('a door opens', { skip }, async () => {
 *   await using net = await Network.create()
 *   const [client, server] = [await net.host('client'), await net.host('server')]
 *   await net.link(client, ['10.0.0.1/24', 'fd00::1/64'], server, ['10.0.0.2/24', 'fd00::2/64'])
 *   await server.listen([{ protocol: 'tcp', port: 22, banner: 'ssh' }])
 *   assert.equal(await client.tcp('10.0.0.2', 22), 'ssh')
 * })
 */
import assert from 'node:assert/strict'
import { type ChildProcess, type ChildProcessByStdio, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readlinkSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { type HeldNamespace, holdNamespace, inside, layCable } from './namespace.ts'
import type { Answer, ConnectionId, Listen, Probe, Question, Reach } from './netns-agent.ts'

/** For `{ skip }`: why no namespace can be made here, or `false` where one can. */
export function netnsUnavailable(): string | false {
  const tried = spawnSync('unshare', ['--net', 'true'], { encoding: 'utf8' })
  if (tried.status === 0) return false
  return `network namespaces need privilege here: ${(tried.stderr || tried.error?.message || 'unshare failed').trim()}`
}

export interface Outcome {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}
export interface RunOptions {
  readonly input?: string
  readonly env?: NodeJS.ProcessEnv
  readonly cwd?: string
  /** Default 20 000 ms; the program is then killed, and `status` is null. */
  readonly timeoutMs?: number
}

/** A set of hosts that end together. */
export class Network implements AsyncDisposable {
  readonly #hosts: Host[] = []
  readonly #directories: string[] = []

  static async create(): Promise<Network> {
    return new Network()
  }

  /** A new host: its own interfaces (loopback is up), routes, firewall and ports. `name` is for messages only. */
  async host(name: string): Promise<Host> {
    const host = new Host(name, await holdNamespace(name))
    this.#hosts.push(host)
    return host
  }

  /**
   * Joins two hosts by a cable. Each end gets the addresses given (CIDR) and is up on return.
   * @returns the names of the two interfaces; the first cable's are `eth0`, unless `names` says otherwise.
   */
  async link(
    a: Host,
    aAddresses: readonly string[],
    b: Host,
    bAddresses: readonly string[],
    names?: readonly [string, string],
  ): Promise<readonly [string, string]> {
    const [aName, bName] = names ?? [`eth${a.nextInterface()}`, `eth${b.nextInterface()}`]
    layCable(
      { namespace: a.namespace, name: aName, addresses: aAddresses },
      { namespace: b.namespace, name: bName, addresses: bAddresses },
    )
    return [aName, bName]
  }

  /** A directory of this network's own, removed with it. */
  directory(): string {
    const path = mkdtempSync(join(tmpdir(), 'ghostport-netns-'))
    this.#directories.push(path)
    return path
  }

  /** Ends every process on the hosts, the hosts themselves, and the directories: each of them, also where one fails. */
  async close(): Promise<void> {
    const closed = await Promise.allSettled(this.#hosts.splice(0).map((host) => host.close()))
    for (const directory of this.#directories.splice(0)) rmSync(directory, { recursive: true, force: true })
    for (const each of closed) if (each.status === 'rejected') throw each.reason
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}

export class Host {
  readonly name: string
  /** A process in the namespace: for `nsenter -t`, `ip … netns`, `/proc/PID/ns/net`. */
  readonly pid: number
  readonly namespace: HeldNamespace
  readonly #programs = new Set<Program>()
  #interfaces = 0
  #agent: Promise<Agent> | undefined

  constructor(name: string, namespace: HeldNamespace) {
    this.name = name
    this.pid = namespace.pid
    this.namespace = namespace
  }

  /** `argv`, to be run inside. Killed by the kernel when the thread that starts it ends. */
  command(argv: readonly string[]): readonly string[] {
    return ['setpriv', '--pdeathsig', 'KILL', ...inside(this.namespace, argv)]
  }

  /** Runs a short program to its end. */
  run(argv: readonly string[], options: RunOptions = {}): Outcome {
    const [program, ...args] = this.command(argv) as [string, ...string[]]
    const { status, stdout, stderr, error } = spawnSync(program, args, {
      encoding: 'utf8',
      input: options.input ?? '',
      timeout: options.timeoutMs ?? 60_000,
      maxBuffer: 64 << 20,
      env: { ...process.env, LC_ALL: 'C', ...options.env },
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    })
    return { status, stdout: stdout ?? '', stderr: stderr || (error?.message ?? '') }
  }

  /** {@link run}, for what has to succeed. @returns its output. @throws AssertionError with what it said. */
  must(argv: readonly string[], options: RunOptions = {}): string {
    const { status, stdout, stderr } = this.run(argv, options)
    assert.equal(status, 0, `${this.name}: ${argv.join(' ')}\n${stderr}${stdout}`)
    return stdout
  }

  /** Sets kernel parameters of this host: `sysctl({ 'net.ipv4.ip_forward': 1 })`. */
  sysctl(values: Readonly<Record<string, number | string>>): void {
    for (const [name, value] of Object.entries(values)) this.must(['sysctl', '-qw', `${name}=${value}`])
  }

  /** Starts a program that goes on. It ends with the network, if not before. */
  start(argv: readonly string[], options: Omit<RunOptions, 'input' | 'timeoutMs'> = {}): Program {
    const [file, ...args] = this.command(argv) as [string, ...string[]]
    const child = spawn(file, args, {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, LC_ALL: 'C', ...options.env },
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    })
    const program = new Program(`${this.name}: ${argv.join(' ')}`, child)
    this.#programs.add(program)
    return program
  }

  /** Starts servers that greet with their banner (TCP: on connection; UDP: as the answer to any datagram). */
  async listen(servers: readonly Listen[]): Promise<void> {
    const agent = await this.#agentOf()
    for (const server of servers) await agent.ask({ do: 'listen', ...server })
  }

  /** Stops what {@link listen} started on this port. */
  async unlisten(protocol: 'tcp' | 'udp', port: number): Promise<void> {
    await (await this.#agentOf()).ask({ do: 'unlisten', protocol, port })
  }

  /** Connects once from here: the banner that greets, or `open` (without one), `refused`, `timeout`, `unreachable`. */
  async tcp(address: string, port: number, options: Partial<Probe> = {}): Promise<Reach> {
    return await this.#probe({ protocol: 'tcp', address, port, ...options })
  }

  /** Sends a datagram (thrice) from here: the banner that answers, or `refused`, `timeout`, `unreachable`. */
  async udp(address: string, port: number, options: Partial<Probe> = {}): Promise<Reach> {
    return await this.#probe({ protocol: 'udp', address, port, ...options })
  }

  /**
   * Probes until the answer is `wanted`.
   * @returns how long that took, in milliseconds. @throws AssertionError after `deadlineMs` (15 000), with the last
   * answer.
   */
  async until(wanted: Reach, probe: Probe, deadlineMs = 30_000): Promise<number> {
    const started = performance.now()
    let last: Reach
    do {
      last = await this.#probe({ timeoutMs: 150, ...probe })
      if (last === wanted) return performance.now() - started
      await delay(5)
    } while (performance.now() - started < deadlineMs)
    return assert.fail(
      `${this.name}: ${probe.protocol} ${probe.address} ${probe.port} is ${last}, not ${wanted}, after ${deadlineMs} ms`,
    )
  }

  /** Opens a TCP connection and keeps it. */
  async connect(address: string, port: number, options: Partial<Probe> = {}): Promise<Connection> {
    const agent = await this.#agentOf()
    const { connection } = await agent.ask({ do: 'connect', protocol: 'tcp', address, port, ...options })
    assert.ok(connection !== undefined, `${this.name}: no connection to ${address} ${port}`)
    return {
      /** Whether a line sent comes back. */
      echoes: async (timeoutMs = 1_000) => (await agent.ask({ do: 'echo', connection, timeoutMs })).reach === 'open',
      ended: async (withinMs) => {
        const begun = performance.now()
        const { reach } = await agent.ask({ do: 'await end', connection, timeoutMs: withinMs })
        return reach === 'ended' ? performance.now() - begun : undefined
      },
      close: async () => {
        await agent.ask({ do: 'disconnect', connection })
      },
      reset: async () => {
        await agent.ask({ do: 'disconnect', connection, reset: true })
      },
    }
  }

  /** For {@link Network.link}. */
  nextInterface(): number {
    return this.#interfaces++
  }

  async close(): Promise<void> {
    const agent = await this.#agent?.catch(() => undefined)
    agent?.close()
    await Promise.all([...this.#programs].map((program) => program.stop('SIGKILL')))
    this.#endTheRest()
    await this.namespace.close()
  }

  /**
   * What the programs started, and left running, would hold their pipes open, and so this process and the namespace.
   */
  #endTheRest(): void {
    const own = namespaceOf(this.pid)
    if (own === undefined) return
    const spared = [this.pid, process.pid]
    const rest = (): readonly number[] =>
      readdirSync('/proc')
        .map(Number)
        .filter((pid) => pid > 0 && !spared.includes(pid) && namespaceOf(pid) === own)
    for (let round = 0; round < 100; round++) {
      const pids = rest()
      if (pids.length === 0) return
      for (const pid of pids) killIfThere(pid)
    }
  }

  async #probe(probe: Probe): Promise<Reach> {
    const { reach } = await (await this.#agentOf()).ask({ do: 'probe', ...probe })
    assert.ok(reach !== undefined)
    return reach
  }

  #agentOf(): Promise<Agent> {
    this.#agent ??= Agent.start(this)
    return this.#agent
  }
}

export interface Connection {
  echoes(timeoutMs?: number): Promise<boolean>
  /** How long until this side is told its end, in milliseconds; undefined if it is not. Nothing is sent meanwhile. */
  ended(withinMs: number): Promise<number | undefined>
  close(): Promise<void>
  /** Forgets it here and now, and sends a reset. */
  reset(): Promise<void>
}

/** A program that runs inside a host. */
export class Program {
  readonly label: string
  readonly child: ChildProcessByStdio<Writable, Readable, Readable>
  /** All that it wrote so far. */
  output = ''
  /** Resolves to its exit code, or the signal that ended it, when `output` has all that it wrote. */
  readonly ended: Promise<number | NodeJS.Signals>

  constructor(label: string, child: ChildProcessByStdio<Writable, Readable, Readable>) {
    this.label = label
    this.child = child
    const note = (chunk: string): void => {
      this.output += chunk
    }
    child.stdout.setEncoding('utf8').on('data', note)
    child.stderr.setEncoding('utf8').on('data', note)
    this.ended = new Promise((resolve) => {
      child.once('error', () => resolve(127))
      child.once('exit', (code, signal) => {
        // What it wrote last may not have been read yet. A process that it left running holds the pipes open.
        const patience = setTimeout(() => resolve(code ?? signal ?? 'SIGKILL'), 1_000)
        child.once('close', () => {
          clearTimeout(patience)
          resolve(code ?? signal ?? 'SIGKILL')
        })
      })
    })
  }

  get pid(): number {
    assert.ok(this.child.pid, `${this.label} did not start`)
    return this.child.pid
  }

  /**
   * Waits until its output (both streams) matches. @throws AssertionError when it ends or `deadlineMs` (60 000) pass
   * first.
   */
  async says(pattern: RegExp, deadlineMs = 60_000): Promise<RegExpMatchArray> {
    const deadline = performance.now() + deadlineMs
    let running = true
    this.ended.then(() => {
      running = false
    })
    for (;;) {
      const match = this.output.match(pattern)
      if (match !== null) return match
      const why: string | undefined = !running
        ? 'ended'
        : performance.now() > deadline
          ? `${deadlineMs} ms passed`
          : undefined
      if (why !== undefined) assert.fail(`${this.label}: ${why} before it said ${pattern}\n${this.output}`)
      await this.#more(50)
    }
  }

  /** Resolves when there is more output, when it has ended, or after so many milliseconds. */
  async #more(timeoutMs: number): Promise<void> {
    const enough = new AbortController()
    const { signal } = enough
    const data = [once(this.child.stdout, 'data', { signal }), once(this.child.stderr, 'data', { signal })]
    for (const arrival of data) arrival.catch(() => {})
    await Promise.race([...data, this.ended, delay(timeoutMs)])
    enough.abort()
  }

  /** Ends it and waits for its end, as {@link end}. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | NodeJS.Signals> {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill(signal)
    return await this.end()
  }

  /** Waits for its end. @throws AssertionError after `deadlineMs` (30 000), when it has been killed. */
  async end(deadlineMs = 30_000): Promise<number | NodeJS.Signals> {
    const ended = await endsWithin(this.ended, deadlineMs)
    if (ended !== undefined) return ended
    this.child.kill('SIGKILL')
    return assert.fail(`${this.label}: still running after ${deadlineMs} ms\n${this.output}`)
  }
}

async function endsWithin<T>(ended: Promise<T>, deadlineMs: number): Promise<T | undefined> {
  const late = new AbortController()
  const patience = delay(deadlineMs, undefined, { signal: late.signal }).catch(() => undefined)
  try {
    return await Promise.race([ended, patience])
  } finally {
    late.abort()
  }
}

/** The network namespace of a process; undefined where it has ended. */
function namespaceOf(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/net`)
  } catch {
    return undefined
  }
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended by itself.
  }
}

/**
 * Moves the calling thread itself into a host's network, for tests of what opens sockets in process. Threads and
 * programs started before are not moved; sockets stay where they were opened.
 * @returns what moves it back.
 */
export async function enter(host: Host): Promise<() => void> {
  const { default: koffi } = await import('koffi')
  const libc = koffi.load('libc.so.6')
  const open = libc.func('int open(const char *path, int flags)')
  const close = libc.func('int close(int fd)')
  const setns = libc.func('int setns(int fd, int type)')
  const namespace = (path: string): number => {
    const fd: number = open(path, O_CLOEXEC)
    assert.ok(fd >= 0, `${path}: errno ${koffi.errno()}`)
    return fd
  }
  const moveTo = (fd: number): void => {
    const moved: number = setns(fd, CLONE_NEWNET)
    assert.equal(moved, 0, `setns: errno ${koffi.errno()}`)
    close(fd)
  }
  const home = namespace('/proc/thread-self/ns/net')
  moveTo(namespace(`/proc/${host.pid}/ns/net`))
  return () => moveTo(home)
}
const O_CLOEXEC = 0o2000000
const CLONE_NEWNET = 0x40000000

/** The process inside a host that listens and probes, so that a probe costs no program start. */
class Agent {
  readonly #child: ChildProcess
  readonly #waiting = new Map<number, (answer: Answer) => void>()
  #asked = 0

  static async start(host: Host): Promise<Agent> {
    const script = fileURLToPath(new URL('./netns-agent.ts', import.meta.url))
    const [program, ...args] = host.command([process.execPath, script]) as [string, ...string[]]
    const child = spawn(program, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    const failed = once(child, 'exit').then(() => assert.fail(`${host.name}: the agent ended`))
    await Promise.race([once(child, 'message'), failed])
    failed.catch(() => {})
    return new Agent(child)
  }

  private constructor(child: ChildProcess) {
    this.#child = child
    child.on('message', (answer: Answer) => {
      this.#waiting.get(answer.id)?.(answer)
      this.#waiting.delete(answer.id)
    })
    child.on('exit', () => {
      for (const [id, settle] of this.#waiting) settle({ id, problem: 'the agent ended' })
    })
  }

  async ask(question: Question): Promise<Answer> {
    const id = ++this.#asked
    const answer = await new Promise<Answer>((resolve) => {
      this.#waiting.set(id, resolve)
      this.#child.send({ id, ...question })
    })
    assert.equal(answer.problem, undefined)
    return answer
  }

  close(): void {
    this.#child.kill('SIGKILL')
  }
}

export type { ConnectionId, Listen, Probe, Reach }
