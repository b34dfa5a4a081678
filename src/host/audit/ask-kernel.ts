/**
 * Asks the kernel itself: a prober in a network namespace sends one packet to each port of this host, over a pair of
 * interfaces made for that, and nftables traces what it does with it. No rule is changed. All of it ends with this
 * process, also by SIGKILL: the namespace with its prober, the interfaces with the namespace, and the table that begins
 * the trace with its owner.
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { inheritedOptions } from '../../daemon/warden/receiver-process/spawn.ts'
import { openNftables } from '../../firewall/nftables/library.ts'
import { PROGRAM_ENVIRONMENT } from '../../system/program-environment.ts'
import { milliseconds } from '../../units.ts'
import { type Known, known, notKnown } from '../known.ts'
import { runHere } from '../run-here.ts'
import { type Judged, judgeByKernel } from './judge.ts'
import { type ProbeAnswer, parseAnswer, writeLine } from './prober-lines.ts'
import { type Family, type Target, targetKey } from './target.ts'
import { parseTrace, probeKey } from './trace.ts'

/** This is a source file, or a part of dist/cli/policy.js. */
const PROGRAM = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? './prober.ts' : '../daemon/prober.js', import.meta.url),
)
/** How long a port has to answer. On this host an answer takes microseconds. */
const ANSWER_TIME = milliseconds(700)
const START_TIME = milliseconds(10_000)
/** How long the trace may lag behind. */
const TRACE_TIME = milliseconds(1500)
const PAUSE = milliseconds(25)
const FIRST_SOURCE_PORT = 20_000
/** Ports that are asked at once. */
const AT_ONCE = 16
/** So that an audit ends: a host with more listening ports is not asked about the rest. */
export const MOST_TARGETS = 400

export interface KernelAnswers {
  /** By {@link targetKey}. */
  readonly judged: ReadonlyMap<string, Judged>
  /** The interface of this host by which the packets came. */
  readonly by: string
}

/** @param legacy whether iptables-legacy has rules: they leave no trace. */
export async function askKernel(targets: readonly Target[], legacy: boolean): Promise<Known<KernelAnswers>> {
  const asked = targets.filter(({ address }) => address !== undefined).slice(0, MOST_TARGETS)
  if (asked.length === 0) return notKnown('this host has no address that others reach')
  const nft = openNftables()
  if (!nft.ok) return notKnown(nft.failure.detail)
  const table = `ghostport_audit_${process.pid}`
  let prober: Prober | undefined
  let monitor: Monitor | undefined
  try {
    const started = await Prober.start()
    if (typeof started === 'string') return notKnown(started)
    prober = started
    const link = layCable(started.pid, new Set(asked.map(({ family }) => family)))
    if (!link.known) return link
    const begun = nft.value.run(traceTable(table, link.value))
    if (!begun.ok) return notKnown(`the trace cannot be begun: ${begun.failure.detail}`)
    monitor = new Monitor()
    const listens = await monitor.listens(table, () => started.ask(asked[0], FIRST_SOURCE_PORT - 1))
    if (typeof listens === 'string') return notKnown(listens)
    const answers = await askAll(started, asked)
    const judged = await settle(monitor, table, asked, answers, legacy)
    return known({ judged, by: link.value })
  } finally {
    monitor?.end()
    await prober?.end()
    nft.value.close()
  }
}

/** The whole table. Its chain comes before all others, and decides nothing. */
function traceTable(table: string, link: string): string {
  return `table inet ${table} {
  flags owner;
  chain first {
    type filter hook prerouting priority -400; policy accept;
    iifname "${link}" meta nftrace set 1
  }
}
`
}

async function askAll(prober: Prober, asked: readonly Target[]): Promise<readonly ProbeAnswer[]> {
  const answers: ProbeAnswer[] = []
  const queue = asked.entries()
  const worker = async (): Promise<void> => {
    for (const [i, target] of queue) answers[i] = await prober.ask(target, FIRST_SOURCE_PORT + i)
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
  return answers
}

/** Waits until the trace has a word on each probe. */
async function settle(
  monitor: Monitor,
  table: string,
  asked: readonly Target[],
  answers: readonly ProbeAnswer[],
  legacy: boolean,
): Promise<ReadonlyMap<string, Judged>> {
  const deadline = performance.now() + TRACE_TIME
  for (;;) {
    const traced = parseTrace(monitor.output, table)
    const missing = asked.some(({ protocol }, i) => !traced.has(probeKey(protocol, FIRST_SOURCE_PORT + i)))
    if (!missing || performance.now() > deadline)
      return new Map(
        asked.map((target, i) => [
          targetKey(target),
          judgeByKernel(
            target,
            answers[i] ?? 'silence',
            traced.get(probeKey(target.protocol, FIRST_SOURCE_PORT + i)),
            legacy,
          ),
        ]),
      )
    await delay(PAUSE)
  }
}

/**
 * The addresses of the two ends: from networks that are for tests only (RFC 2544, and a ULA). Neighbours are entered by
 * hand, so that a host that drops neighbour discovery is asked all the same.
 */
function layCable(pid: number, families: ReadonlySet<Family>): Known<string> {
  const [a = 0, b = 0, c = 0, d = 0] = randomBytes(4)
  const name = `gpa${randomBytes(3).toString('hex')}`
  const [near, far] = ['02:67:70:61:00:01', '02:67:70:61:00:02']
  const four = [`198.18.${a}.${(b & 63) * 4 + 1}`, `198.18.${a}.${(b & 63) * 4 + 2}`] as const
  const six = ['1', '2'].map((end) => `fd67:7061:${hex(a, b)}:${hex(c, d)}::${end}`) as [string, string]
  const inside = (...argv: string[]): readonly string[] => ['nsenter', `--net=/proc/${pid}/ns/net`, 'ip', ...argv]
  const steps: (readonly string[])[] = [
    [
      'ip',
      'link',
      'add',
      name,
      'address',
      near,
      'type',
      'veth',
      'peer',
      'name',
      'probe',
      'address',
      far,
      'netns',
      String(pid),
    ],
    ['ip', 'link', 'set', name, 'addrgenmode', 'none', 'up'],
    inside('link', 'set', 'lo', 'up'),
    inside('link', 'set', 'probe', 'addrgenmode', 'none', 'up'),
  ]
  const ends = (
    family: '-4' | '-6',
    length: string,
    [here, there]: readonly [string, string],
    ...more: string[]
  ): void => {
    steps.push(
      ['ip', family, 'address', 'add', `${here}/${length}`, 'dev', name, ...more],
      ['ip', family, 'neigh', 'replace', there, 'lladdr', far, 'dev', name],
      inside(family, 'address', 'add', `${there}/${length}`, 'dev', 'probe', ...more),
      inside(family, 'neigh', 'replace', here, 'lladdr', near, 'dev', 'probe'),
      inside(family, 'route', 'add', 'default', 'via', here),
    )
  }
  if (families.has(4)) ends('-4', '30', four)
  if (families.has(6)) ends('-6', '64', six, 'nodad')
  for (const [program = 'ip', ...argv] of steps) {
    const { status, reason } = runHere([program, ...argv])
    if (status !== 0) return notKnown(`the interface of the prober cannot be made: ${reason}`)
  }
  return known(name)
}

function hex(high: number, low: number): string {
  return ((high << 8) | low).toString(16)
}

/** Of standard error, for a message. */
const MOST_COMPLAINT = 4096

function firstLine(text: string): string {
  return text.trim().split('\n')[0] ?? ''
}

/** The prober, and the namespace that it lives in. */
class Prober {
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>
  readonly #waiting = new Map<number, (answer: ProbeAnswer) => void>()
  #asked = 0

  /** @returns why there is none. */
  static async start(): Promise<Prober | string> {
    const argv = ['--net', process.execPath, ...inheritedOptions(), PROGRAM]
    const child = spawn('unshare', argv, { stdio: ['pipe', 'pipe', 'pipe'], env: PROGRAM_ENVIRONMENT })
    let complaint = ''
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      if (complaint.length < MOST_COMPLAINT) complaint += chunk
    })
    child.stdin.on('error', () => {})
    const prober = new Prober(child)
    const ready = new Promise<string | undefined>((resolve) => {
      child.once('error', () => resolve('no prober: unshare is not installed'))
      child.once('close', () => resolve(`no prober: ${firstLine(complaint) || 'it ended at once'}`))
      createInterface({ input: child.stdout }).on('line', (line) => {
        if (line === 'ready') resolve(undefined)
        else prober.#answered(line)
      })
    })
    const late = delay(START_TIME, 'no prober: it did not start in time', { ref: false })
    const why = await Promise.race([ready, late])
    if (why === undefined) return prober
    await prober.end()
    return why
  }

  private constructor(child: ChildProcessByStdio<Writable, Readable, Readable>) {
    this.#child = child
    child.once('exit', () => {
      for (const settle of this.#waiting.values()) settle('silence')
      this.#waiting.clear()
    })
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  ask(target: Target | undefined, sourcePort: number): Promise<ProbeAnswer> {
    const { address } = target ?? {}
    if (target === undefined || address === undefined) return Promise.resolve('silence')
    const id = ++this.#asked
    return new Promise((resolve) => {
      this.#waiting.set(id, resolve)
      const { protocol, port } = target
      this.#child.stdin.write(writeLine({ id, protocol, address, port, sourcePort, time: ANSWER_TIME }))
    })
  }

  async end(): Promise<void> {
    const { exitCode, signalCode, pid } = this.#child
    if (exitCode !== null || signalCode !== null || pid === undefined) return
    const ended = new Promise((resolve) => this.#child.once('exit', resolve))
    this.#child.stdin.end()
    this.#child.kill('SIGKILL')
    await ended
  }

  #answered(line: string): void {
    const read = parseAnswer(line)
    if (read === undefined) return
    this.#waiting.get(read.id)?.(read.answer)
    this.#waiting.delete(read.id)
  }
}

/** More than the traces of all probes take. */
const MOST_OUTPUT = 16 << 20

/** `nft monitor trace`. */
class Monitor {
  readonly #child: ChildProcessByStdio<null, Readable, null>
  #failed = false
  output = ''

  constructor() {
    // It would outlive a parent that is killed until it writes the next line.
    const argv = ['--pdeathsig', 'KILL', 'nft', 'monitor', 'trace']
    this.#child = spawn('setpriv', argv, { stdio: ['ignore', 'pipe', 'ignore'], env: PROGRAM_ENVIRONMENT })
    this.#child.once('error', () => {
      this.#failed = true
    })
    this.#child.once('exit', () => {
      this.#failed = true
    })
    this.#child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      if (this.output.length < MOST_OUTPUT) this.output += chunk
    })
  }

  /** Waits until a probe shows up: it does not say when it begins to listen. @returns why none does. */
  async listens(table: string, probe: () => Promise<unknown>): Promise<string | undefined> {
    const deadline = performance.now() + START_TIME
    while (performance.now() < deadline) {
      if (this.#failed) return 'there is no trace: “nft monitor trace” does not run'
      await probe()
      if (this.output.includes(` inet ${table} first `)) return undefined
      await delay(PAUSE)
    }
    return 'there is no trace of the prober’s packets'
  }

  end(): void {
    this.#child.removeAllListeners()
    this.#child.on('error', () => {})
    this.#child.kill('SIGKILL')
  }
}
