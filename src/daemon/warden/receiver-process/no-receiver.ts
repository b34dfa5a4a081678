/**
 * The receiver of a server that captures nothing (CAPTURE none): there is none. It answers the warden at once, as one
 * would that never sees a packet. So a configuration comes into force, and the server is ready.
 */
import { type Milliseconds, milliseconds } from '../../../units.ts'
import type { FromReceiver, ToReceiver } from '../../link/protocol.ts'
import type { ReceiverEvents, RestartedReceiver } from './restarted-receiver.ts'

/** What the warden does with its receiver. */
export type Receiver = Pick<
  RestartedReceiver,
  'pid' | 'start' | 'becameReady' | 'send' | 'backlog' | 'kill' | 'replace' | 'stop'
>

/** Nobody asks a process that does not exist whether it is alive. */
const ALIVE_EVERY: Milliseconds = milliseconds(1000)

export class NoReceiver implements Receiver {
  readonly pid = undefined
  readonly backlog = 0
  readonly #events: Pick<ReceiverEvents, 'onStarted' | 'onValues'>
  #alive: NodeJS.Timeout | undefined
  #isReady = false

  constructor(events: Pick<ReceiverEvents, 'onStarted' | 'onValues'>) {
    this.#events = events
  }

  start(): void {
    this.#events.onStarted()
    this.#say({ type: 'started' })
    this.#alive = setInterval(() => this.#say({ type: 'alive' }), ALIVE_EVERY)
  }

  send(message: ToReceiver): void {
    switch (message.type) {
      case 'configure':
        this.#say({ type: 'configured', generation: message.generation })
        if (!this.#isReady) this.#say({ type: 'ready' })
        this.#isReady = true
        return
      case 'tally?':
        this.#say({ type: 'tally', tally: { looked: 0, dropped: 0, refused: {} } })
        return
      default:
    }
  }

  becameReady(): void {}
  kill(): void {}

  replace(): boolean {
    return false
  }

  async stop(): Promise<void> {
    clearInterval(this.#alive)
  }

  /** Never within a call of the warden's. */
  #say(message: FromReceiver): void {
    setImmediate(() => this.#events.onValues([message]))
  }
}
