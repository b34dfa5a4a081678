/**
 * The warden’s side of GnuPG. It starts the GnuPG process where a stanza uses GnuPG, and again when the process dies or
 * the keyrings change. It holds the sockets between that process and the receiver, which outlive both. By a secret it
 * knows what that process said, although the words come through the receiver.
 */
import { randomBytes } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import { failureFields, type Log } from '../../../log.ts'
import type { Failure } from '../../../result.ts'
import { openSocketPair, type SocketPair } from '../../../system/socket-pair.ts'
import { type Milliseconds, milliseconds } from '../../../units.ts'
import { ATTESTATION_SECRET_LENGTH, type Attestation, type Attested, isAttested } from '../../link/attestation.ts'
import { type Channel, openChannel } from '../../link/channel.ts'
import { parseFromGnupg, type ToGnupg } from '../../link/gnupg-protocol.ts'
import type { ReceiverProcess } from '../receiver-process/spawn.ts'
import { logReceiverErrors } from '../receiver-process/standard-error.ts'
import type { GnupgOrder } from './gnupg-order.ts'
import type { SpawnedGnupg } from './spawn.ts'

/** How long to wait before the n-th new start in a row; the last value repeats. */
const RESTART_DELAYS: readonly Milliseconds[] = [0, 500, 2000, 10_000, 30_000].map(milliseconds)
/** A process that lived this long was healthy. */
const WELL_AFTER = milliseconds(60_000)
/** How long it may take until it is ready: a large keyring takes gpg a while to check. */
const START_TIME = milliseconds(60_000)
/** How long it may take to remove its copies when the server stops. */
const STOP_TIME = milliseconds(1000)

export interface GnupgParts {
  readonly spawn: (requests: number) => SpawnedGnupg
  readonly log: Log
}

export class Gnupg {
  /** The number under which the running receiver has {@link receiverEnd}, if it has it. */
  descriptor: number | undefined
  readonly #parts: GnupgParts
  #order: GnupgOrder | undefined
  #sockets: SocketPair | undefined
  #child: ReceiverProcess | undefined
  #channel: Channel | undefined
  #secret: Uint8Array = randomBytes(ATTESTATION_SECRET_LENGTH)
  #restarts = 0
  #timer: NodeJS.Timeout | undefined
  #stopped = false

  constructor(parts: GnupgParts) {
    this.#parts = parts
  }

  /** The receiver’s end of the sockets to the GnuPG process; undefined for a configuration without GnuPG. */
  get receiverEnd(): number | undefined {
    return this.#order === undefined ? undefined : this.#sockets?.ends[0]
  }

  get pid(): number | undefined {
    return this.#child?.pid
  }

  /** Begins to work, goes on, or stops, as this configuration needs it. Each time the keyrings are copied anew. */
  configured(order: GnupgOrder | undefined): void {
    const isSame = isDeepStrictEqual(order, this.#order)
    this.#order = order
    if (isSame) return
    this.#restarts = 0
    clearTimeout(this.#timer)
    if (order !== undefined) this.#sockets ??= openSocketPair()
    if (this.#child !== undefined) killAll(this.#child)
    else if (order !== undefined) this.#start()
  }

  /** Whether the running GnuPG process said this. */
  readonly isAttested = (attested: Attested, attestation: Attestation): boolean =>
    isAttested(this.#secret, attested, attestation)

  /** Ends it, and all that it started. Resolves when it is gone. */
  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#timer)
    const child = this.#child
    if (child !== undefined && child.exitCode === null && child.signalCode === null) {
      const gone = new Promise((done) => child.once('exit', done))
      // It takes the end of its channel for the order to stop.
      this.#channel?.end()
      const timer = setTimeout(() => killAll(child), STOP_TIME)
      await gone
      clearTimeout(timer)
      killAll(child)
    }
    this.#sockets?.close()
    this.#sockets = undefined
  }

  #start(): void {
    const { spawn, log } = this.#parts
    const order = this.#order
    const requests = this.#sockets?.ends[1]
    if (this.#stopped || order === undefined || requests === undefined) return
    const startedAt = performance.now()
    // Another secret for each: what an earlier one may have lost is worth nothing.
    this.#secret = randomBytes(ATTESTATION_SECRET_LENGTH)
    const { child, channel, errors } = spawn(requests)
    this.#child = child
    logReceiverErrors(errors, log, () => killAll(child), 'gnupg says')
    let own: Failure | undefined
    let isReady = false
    const deadline = setTimeout(() => {
      own ??= { code: 'GNUPG_FAILED', detail: `it was not ready in ${START_TIME / 1000} s` }
      killAll(child)
    }, START_TIME)
    const onValue = (value: unknown): void => {
      const message = parseFromGnupg(value)
      switch (message?.type) {
        case 'started': {
          const configure: ToGnupg = {
            type: 'configure',
            secret: Buffer.from(this.#secret).toString('base64'),
            ...order,
          }
          this.#channel?.send(configure)
          return
        }
        case 'ready':
          isReady = true
          clearTimeout(deadline)
          if (message.unconfined !== undefined) log.write('warning', 'notice', { text: message.unconfined })
          for (const problem of message.problems) log.write('error', 'gnupg problem', { detail: problem })
          log.write('info', 'gnupg ready', { pid: child.pid ?? 0, keyrings: order.keyrings.length })
          return
        case 'failed':
          own = { code: message.code, detail: message.detail }
          return
        case undefined:
          own ??= { code: 'GNUPG_FAILED', detail: 'it sent an invalid message' }
          killAll(child)
          return
        default:
          message satisfies never
      }
    }
    this.#channel = openChannel(channel, {
      onValues: (values) => values.forEach(onValue),
      onBroken: (detail) => {
        own ??= { code: 'GNUPG_FAILED', detail: `it sent an invalid message: ${detail}` }
        killAll(child)
      },
      onEnd: () => {},
    })
    let isLost = false
    const onLost = (why: string): void => {
      if (isLost) return
      isLost = true
      clearTimeout(deadline)
      // gpg and its agents are in its group.
      killAll(child)
      this.#channel = undefined
      this.#child = undefined
      if (this.#stopped) return
      if (order !== this.#order) {
        this.#start()
        return
      }
      if (isReady && performance.now() - startedAt > WELL_AFTER) this.#restarts = 0
      const again = RESTART_DELAYS[Math.min(this.#restarts++, RESTART_DELAYS.length - 1)] ?? milliseconds(0)
      const failure = own ?? { code: 'GNUPG_FAILED' as const, detail: why }
      log.write('error', 'gnupg lost', { ...failureFields(failure), againInMs: again })
      this.#timer = setTimeout(() => this.#start(), again)
    }
    child.once('error', (error) => onLost(error.message))
    child.once('exit', (status, signal) => {
      // Its last message comes before the end of its channel, and may come after the news of its end.
      setTimeout(
        () => onLost(signal !== null ? `killed by ${signal}` : status === null ? 'it ended' : `exit status ${status}`),
        LAST_MESSAGE_TIME,
      )
    })
  }
}

const LAST_MESSAGE_TIME = milliseconds(50)

/** It leads a process group, which none of its processes can leave. */
function killAll(child: ReceiverProcess): void {
  child.kill('SIGKILL')
  try {
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
  } catch {
    // The group is empty.
  }
}
