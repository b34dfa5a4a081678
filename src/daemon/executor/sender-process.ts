/** Starts the process that delivers webhooks, and starts it again when it dies. */
import type { Duplex } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { currentSituation, receiverCommand } from '../../system/privilege.ts'
import { spawnApart } from '../../system/spawn-apart.ts'
import { milliseconds } from '../../units.ts'
import { type Channel, openChannel } from '../link/channel.ts'
import {
  LONGEST_TO_SENDER,
  type Post,
  SENDER_CHANNEL,
  type SenderCounts,
  senderCounts,
  sumOfCounts,
  type Trust,
} from '../link/sender-protocol.ts'
import { connectProcess, failedStart } from '../warden/receiver-process/connected-process.ts'
import { senderAccount } from '../warden/receiver-process/receiver-user.ts'
import { inheritedOptions, type ReceiverProcess } from '../warden/receiver-process/spawn.ts'

/** This is a source file, or a part of dist/daemon/executor.js. */
const PROGRAM = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? '../sender/program.ts' : './sender.js', import.meta.url),
)
/** In MB. */
const NODE_OPTIONS = ['--max-semi-space-size=1', '--max-old-space-size=64']
const RESTART_DELAY = milliseconds(5000)
/** Bytes that may wait for the sender. */
const LARGEST_BACKLOG = 1024 * 1024 + LONGEST_TO_SENDER

export class SenderProcess {
  readonly #onCounts: (counts: SenderCounts) => void
  readonly #helpers: string | undefined
  #child: ReceiverProcess | undefined
  #channel: Channel | undefined
  #timer: NodeJS.Timeout | undefined
  #stopped = false
  #trust: Trust | undefined
  /** Of senders that have ended, and what none of them got. */
  #past: SenderCounts = { delivered: 0, failed: 0, dropped: 0 }
  #current = this.#past

  /** @param helpers the socket by which systemd starts senders; undefined if this process starts them. */
  constructor(onCounts: (counts: SenderCounts) => void, helpers?: string) {
    this.#onCounts = onCounts
    this.#helpers = helpers
  }

  start(): void {
    if (this.#child !== undefined || this.#timer !== undefined || this.#stopped) return
    const { child, channel } = this.#helpers === undefined ? spawnSender() : senderBySocket(this.#helpers)
    this.#child = child
    this.#channel = openChannel(channel, {
      onValues: (values) => {
        for (const value of values) this.#count(senderCounts(value))
      },
      onBroken: () => child.kill('SIGKILL'),
      onEnd: () => {},
    })
    if (this.#trust !== undefined) this.#channel.send(this.#trust)
    child.once('error', () => this.#lost())
    child.once('exit', () => this.#lost())
  }

  /** For this sender, and those after it. */
  trust(trust: Trust): void {
    this.#trust = trust
    this.#channel?.send(trust)
  }

  deliver(order: Post): void {
    if (this.#channel !== undefined && this.#channel.backlog <= LARGEST_BACKLOG) {
      this.#channel.send(order)
      return
    }
    this.#past = { ...this.#past, dropped: this.#past.dropped + 1 }
    this.#count(this.#current)
  }

  stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
    this.#child?.kill('SIGKILL')
  }

  #lost(): void {
    if (this.#child === undefined) return
    this.#child = undefined
    this.#channel?.end()
    this.#channel = undefined
    this.#past = sumOfCounts(this.#past, this.#current)
    this.#current = { delivered: 0, failed: 0, dropped: 0 }
    if (this.#stopped) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.start()
    }, RESTART_DELAY)
  }

  #count(counts: SenderCounts | undefined): void {
    if (counts === undefined) return
    this.#current = counts
    this.#onCounts(sumOfCounts(this.#past, counts))
  }
}

interface StartedSender {
  readonly child: ReceiverProcess
  readonly channel: Duplex
}

function spawnSender(): StartedSender {
  const program = [process.execPath, ...inheritedOptions(), ...NODE_OPTIONS, PROGRAM] as const
  const { file, args, options } = receiverCommand(program, senderAccount(), currentSituation())
  const child = spawnApart(file, args, { ...options, stdio: ['ignore', 'ignore', 'ignore', 'pipe'] })
  return { child, channel: child.stdio[SENDER_CHANNEL] as unknown as Duplex }
}

function senderBySocket(helpers: string): StartedSender {
  try {
    const { child, channel, errors } = connectProcess(helpers, [], 'webhooks')
    errors.resume()
    return { child, channel }
  } catch (error) {
    return failedStart(error as Error)
  }
}
