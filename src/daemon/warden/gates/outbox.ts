/**
 * Records on their way to etcd. Of each name one is written at a time, so that an earlier one never comes after a later
 * one. What could not be written is tried again until its end: also while etcd tells changes but takes none (NOSPACE).
 */
import type { Clock } from '../../../clock.ts'
import type { RecordName } from '../../../cluster-record/record-name.ts'
import { type Milliseconds, milliseconds, seconds, type UnixSeconds } from '../../../units.ts'
import type { Records } from '../cluster-process/records.ts'

/** How long a record is needed. */
export interface Use {
  readonly end: UnixSeconds
  /** Seconds that etcd keeps it after that. */
  readonly spare: number
}

interface Waiting extends Use {
  readonly name: RecordName
  readonly value: unknown
  /** Why it is not written yet. */
  readonly why: string
}

const AGAIN_AFTER = milliseconds(2000)
/** Records of one wave of tries. */
const WAVE = 200

export class Outbox {
  readonly #records: Pick<Records, 'put'>
  readonly #clock: Clock
  readonly #again: Milliseconds
  readonly #waiting = new Map<string, Waiting>()
  readonly #sending = new Map<string, Promise<string | undefined>>()
  #timer: NodeJS.Timeout | undefined
  #isClosed = false

  constructor(records: Pick<Records, 'put'>, clock: Clock, again = AGAIN_AFTER) {
    this.#records = records
    this.#clock = clock
    this.#again = again
  }

  /**
   * Never rejects. What waits under the same name is not written any more.
   * @returns why it is not written yet; undefined if it is.
   */
  put(name: RecordName, value: unknown, use: Use): Promise<string | undefined> {
    const key = keyOf(name)
    this.#waiting.set(key, { ...use, name, value, why: 'it is being written' })
    return this.#send(key)
  }

  /** It is not to be written any more. */
  drop(name: RecordName): void {
    this.#waiting.delete(keyOf(name))
  }

  /** @returns why it is not written yet; undefined if it is. */
  problem(name: RecordName): string | undefined {
    return this.#waiting.get(keyOf(name))?.why
  }

  /** Tries again what waits. */
  async again(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const now = this.#clock.now()
    for (const [key, { end }] of this.#waiting) if (end <= now && !this.#sending.has(key)) this.#waiting.delete(key)
    const wave = [...this.#waiting.keys()].filter((key) => !this.#sending.has(key)).slice(0, WAVE)
    const written = await Promise.all(wave.map((key) => this.#send(key)))
    if (written.includes(undefined)) await this.again()
  }

  close(): void {
    this.#isClosed = true
    clearTimeout(this.#timer)
  }

  #send(key: string): Promise<string | undefined> {
    const sending = this.#sending.get(key) ?? this.#sendLatest(key)
    this.#sending.set(key, sending)
    return sending
  }

  async #sendLatest(key: string): Promise<string | undefined> {
    for (let one = this.#waiting.get(key); one !== undefined; ) {
      const life = seconds(Math.max(0, one.end - this.#clock.now()) + one.spare)
      const why = await this.#records.put(one.name, one.value, life)
      const latest = this.#waiting.get(key)
      if (latest !== one) {
        one = latest
        continue
      }
      this.#sending.delete(key)
      if (why === undefined) this.#waiting.delete(key)
      else {
        this.#waiting.set(key, { ...one, why })
        this.#againSoon()
      }
      return why
    }
    this.#sending.delete(key)
    return undefined
  }

  #againSoon(): void {
    if (this.#isClosed) return
    this.#timer ??= setTimeout(() => void this.again(), this.#again).unref()
  }
}

function keyOf({ kind, id }: RecordName): string {
  return `${kind}/${id}`
}
