/**
 * `ghostport serve` on a test host, from its source, behind a default drop made with plain nft; its log as events; and
 * knocks from other hosts, by ghostport's client and by the real fwknop.
 */
import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { getPriority } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Tree } from './copied-tree.ts'
import type { Host, Network, Outcome, Program } from './netns.ts'

/** What a server takes that these tests start: −10, if they have none themselves. */
export function wardenPriority(): number {
  return getPriority() === 0 ? -10 : getPriority()
}

/** One line of the log. */
export interface LogEvent {
  readonly event: string
  readonly level: string
  readonly code?: string
  readonly verdict?: string
  readonly stanza?: number
  readonly [field: string]: unknown
}

export interface DaemonSettings {
  /** Lines of fwknopd.conf, without the semicolon, in addition to those that name the files of this test. */
  readonly server?: readonly string[]
  /** Of access.conf. */
  readonly access: string | Uint8Array
  /** More words for the command line. */
  readonly argv?: readonly string[]
  /** A copy of this tree to run it from. */
  readonly tree?: Tree
  /** Another program than this source: Node and the file of the command. */
  readonly program?: readonly string[]
  /** The program to run it in: words before the command, which must exec it. */
  readonly inside?: readonly string[]
}

const ghostport = fileURLToPath(new URL('../../src/cli/ghostport.ts', import.meta.url))
export function ghostportCommand(...argv: readonly string[]): readonly string[] {
  return [process.execPath, '--conditions=ghostport-source', ghostport, ...argv]
}

/** The same, from a copy of this tree. */
export function copiedGhostport(tree: Tree, ...argv: readonly string[]): readonly string[] {
  return [tree.node, '--conditions=ghostport-source', join(tree.root, 'src/cli/ghostport.ts'), ...argv]
}

/**
 * The host's own policy: drops by default, lets in what is established, answers pings, and accepts ghostport's mark.
 */
export function dropByDefault(host: Host, mark = '0x200000'): void {
  const chain = (hook: string): string => `
    chain ${hook} {
      type filter hook ${hook} priority filter; policy drop;
      ct state established,related accept
      iif lo accept
      meta l4proto { icmp, icmpv6 } accept
      ct mark and ${mark} == ${mark} accept
    }`
  host.must(['nft', '-f', '-'], { input: `table inet filter {${chain('input')}${chain('forward')}\n}\n` })
}

/** Where {@link clientAndServer} puts the server. */
export const SERVER = '10.9.0.2'

/** A client, 10.9.0.1, and a server with ssh on tcp/22 behind {@link dropByDefault}, on one cable. */
export async function clientAndServer(net: Network): Promise<readonly [client: Host, server: Host]> {
  const [client, server] = [await net.host('client'), await net.host('server')]
  await net.link(client, ['10.9.0.1/24'], server, [`${SERVER}/24`])
  dropByDefault(server)
  await server.listen([{ protocol: 'tcp', port: 22, banner: 'ssh' }])
  return [client, server]
}

/** The events in a server's output; other lines are skipped, and so is an incomplete line. */
export function eventsIn(log: string): readonly LogEvent[] {
  const lines = log.split('\n').slice(0, -1)
  return lines.flatMap((line) => (line.startsWith('{') ? [JSON.parse(line) as LogEvent] : []))
}

export class Daemon {
  readonly directory: string
  readonly #host: Host
  readonly #argv: readonly string[]
  #program: Program
  #before = ''

  /** Starts it and waits until packets are being received. */
  static async start(net: Network, host: Host, settings: DaemonSettings): Promise<Daemon> {
    const directory = net.directory()
    mkdirSync(join(directory, 'state'), { mode: 0o700 })
    const daemon = new Daemon(host, directory, settings)
    await daemon.ready()
    return daemon
  }

  private constructor(host: Host, directory: string, settings: DaemonSettings) {
    this.#host = host
    this.directory = directory
    this.configure(settings)
    const words = ['serve', '-c', this.path('fwknopd.conf'), '-a', this.path('access.conf'), ...(settings.argv ?? [])]
    const { tree, program } = settings
    const command =
      program !== undefined
        ? [...program, ...words]
        : tree === undefined
          ? ghostportCommand(...words)
          : copiedGhostport(tree, ...words)
    this.#argv = [...(settings.inside ?? []), ...command]
    this.#program = host.start(this.#argv)
  }

  path(name: string): string {
    return join(this.directory, name)
  }

  /** Writes the configuration; {@link reload} or {@link restart} makes it count. */
  configure({ server = [], access }: DaemonSettings): void {
    const own = server.some((line) => line.startsWith('REPLAY_DB '))
    const places = [
      ...(own ? [] : [`REPLAY_DB ${this.path('state/replay.db')}`]),
      `CONTROL_SOCKET ${this.path('state/control.sock')}`,
    ]
    writeFileSync(this.path('fwknopd.conf'), [...places, ...server].map((line) => `${line};\n`).join(''), {
      mode: 0o600,
    })
    writeFileSync(this.path('access.conf'), access, { mode: 0o600 })
  }

  /** Of the warden: the program that starts it on the host replaces itself with exec. */
  get pid(): number {
    return this.#program.pid
  }

  get program(): Program {
    return this.#program
  }

  /** Also of the runs before {@link again}. */
  get allEvents(): readonly LogEvent[] {
    return eventsIn(this.#before + this.#program.output)
  }

  get events(): readonly LogEvent[] {
    return eventsIn(this.#program.output)
  }

  /** The first event, from index `from` on, for which `is` holds. @throws AssertionError with the whole log. */
  async until(is: (event: LogEvent) => boolean, from = 0, deadlineMs = 60_000): Promise<LogEvent> {
    const deadline = performance.now() + deadlineMs
    for (;;) {
      const found = this.events.slice(from).find(is)
      if (found !== undefined) return found
      assert.ok(performance.now() < deadline, `not in the log after ${deadlineMs} ms: ${is}\n${this.#program.output}`)
      await delay(5)
    }
  }

  async ready(from = 0, deadlineMs = 60_000): Promise<LogEvent> {
    await this.#program.says(/"event":"ready"/, deadlineMs)
    return await this.until(({ event }) => event === 'ready', from, deadlineMs)
  }

  /** The next log line that is about a packet. */
  async verdictAfter(act: () => unknown): Promise<LogEvent> {
    const from = this.events.length
    await act()
    return await this.until(({ verdict }) => verdict !== undefined, from)
  }

  reload(): void {
    process.kill(this.pid, 'SIGHUP')
  }

  /** Ends it with a signal and starts it again with the current files. */
  async restart(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    await this.stop(signal)
    await this.again()
  }

  /** Starts it again after its end. */
  async again(deadlineMs?: number): Promise<void> {
    this.#before += `${this.#program.output}\n`
    this.#program = this.#host.start(this.#argv)
    await this.ready(0, deadlineMs)
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    process.kill(this.pid, signal)
    await this.#program.end()
  }

  /** `ghostport status --json`. */
  status(): {
    readonly grants: readonly {
      for: string
      open: string[]
      secondsLeft: number
      stanza: number
      name?: string
      user: string
    }[]
  } & Record<string, unknown> {
    const socket = this.path('state/control.sock')
    return JSON.parse(this.#host.must(ghostportCommand('status', '--json', '--socket', socket)))
  }
}

/** Keys for a stanza and for the clients that use it. */
export interface TestKeys {
  readonly key: string
  readonly hmac?: string
}
export const keys = { key: 'a key for tests', hmac: 'another key for tests' } as const satisfies TestKeys

/** A stanza for {@link keys}, open to all, with more lines. */
export function stanza(lines: readonly string[] = [], { key, hmac }: TestKeys = keys): string {
  return ['SOURCE ANY', `KEY ${key}`, ...(hmac === undefined ? [] : [`HMAC_KEY ${hmac}`]), ...lines, ''].join('\n')
}

/** Sends the text of a packet from a host, like an attacker who has kept a copy. */
export function sendPacket(from: Host, server: string, packet: string): void {
  from.must(['bash', '-c', `printf %s "$1" > /dev/udp/${server}/62201`, 'send', packet])
}

/** `ghostport knock` with {@link keys} from a host. */
export function knock(from: Host, server: string, ...argv: readonly string[]): Outcome {
  const secrets = ['--key-rijndael', keys.key, '--key-hmac', keys.hmac]
  const outcome = from.run(ghostportCommand('knock', '--no-rc-file', '-D', server, ...secrets, ...argv))
  assert.equal(outcome.status, 0, outcome.stderr)
  return outcome
}
