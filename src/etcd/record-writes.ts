/**
 * Writes the records of a cluster. A record with a life goes by itself some time after it: it is written under a lease
 * that many share. What it is good for ends by what is in it, and not by its lease. Records that come at once, such as
 * thousands of revocations, go to etcd together.
 */
import { type Milliseconds, milliseconds, type Seconds } from '../units.ts'
import { encoded, isAbsent, type LeaseId } from './claim-txn.ts'
import type { Etcd } from './etcd.ts'
import { Groups } from './groups.ts'
import { GRPC_STATUS } from './grpc-status.ts'
import { type LeaseClocks, Leases } from './lease.ts'
import type { Fields } from './message-type.ts'

const SHORTEST_LEASE = 60
/** Of one transaction: etcd takes 128 operations and 1.5 MB, by its defaults. The bytes are those of base64. */
const [MOST_PUTS, MOST_BYTES] = [100, 512 * 1024] as const

export interface RecordWrite {
  readonly key: string
  /** Base64. */
  readonly value: string
  /** Absent: the record stays. */
  readonly life?: Seconds
}

interface Waiting extends RecordWrite {
  readonly until: Milliseconds
  readonly answer: (why: string | undefined) => void
}

export class RecordWrites {
  readonly #etcd: Pick<Etcd, 'ask'>
  readonly #clocks: LeaseClocks
  /** By their life: each is twice as long as the one before. */
  readonly #leases = new Map<number, Leases>()
  readonly #groups = new Groups<Waiting>(
    (waiting) => this.#group(waiting),
    (group) => this.#putGroup(group),
  )
  /** What is under way to etcd. */
  readonly #keys = new Set<string>()

  constructor(etcd: Pick<Etcd, 'ask'>, clocks: LeaseClocks) {
    this.#etcd = etcd
    this.#clocks = clocks
  }

  /** Never rejects. Written twice, it is the same. @returns why it may not be written; undefined if it is. */
  put(write: RecordWrite, limit: Milliseconds): Promise<string | undefined> {
    return new Promise((answer) => {
      const until = milliseconds(this.#clocks.monotonic() + limit)
      this.#groups.add({ ...write, until, answer })
    })
  }

  /** The first of those that wait. Of one key, the later write goes after the earlier one. */
  #group(waiting: Waiting[]): readonly Waiting[] {
    let bytes = 0
    let count = 0
    for (const { key, value } of waiting) {
      bytes += value.length
      if (this.#keys.has(key) || count >= MOST_PUTS || (count > 0 && bytes > MOST_BYTES)) break
      this.#keys.add(key)
      count++
    }
    return waiting.splice(0, count)
  }

  async #putGroup(group: readonly Waiting[]): Promise<void> {
    const why = await this.#putAll(group)
    for (const { key, answer } of group) {
      this.#keys.delete(key)
      answer(why)
    }
  }

  /** Never rejects. @returns why they may not be written. */
  async #putAll(group: readonly Waiting[]): Promise<string | undefined> {
    // Who waits for less time has its own clock.
    const until = Math.max(...group.map((one) => one.until))
    const left = (): Milliseconds => milliseconds(Math.max(0, until - this.#clocks.monotonic()))
    for (let attempt = 0; ; attempt++) {
      const leases = new Map<Leases, LeaseId>()
      for (const its of new Set(group.flatMap(({ life }) => (life === undefined ? [] : [this.#leasesFor(life)])))) {
        const got = attempt === 0 ? await its.current(left()) : await its.next(left())
        if (!got.ok) return got.failure.detail
        leases.set(its, got.value.id)
      }
      const puts = group.map(({ key, value, life }): Fields => {
        const lease = life === undefined ? undefined : leases.get(this.#leasesFor(life))
        return { key: encoded(key), value, ...(lease !== undefined && { lease }) }
      })
      const [only] = puts
      const answer =
        puts.length === 1 && only !== undefined
          ? await this.#etcd.ask('KV/Put', only, left())
          : await this.#etcd.ask('KV/Txn', { success: puts.map((put) => ({ request_put: put })) }, left())
      if (answer.kind === 'answer') return undefined
      // A lease has ended before its time.
      const isLeaseGone = answer.kind === 'refused' && answer.code === GRPC_STATUS.notFound && leases.size > 0
      if (isLeaseGone && attempt === 0) continue
      return answer.why
    }
  }

  /**
   * Writes a record that stays, if there is none of this name. Never rejects. @returns why it may not be written. After
   * an answer that was lost, `there is a record of this name already` may be said of this very record.
   */
  async create({ key, value }: Omit<RecordWrite, 'life'>, limit: Milliseconds): Promise<string | undefined> {
    const name = encoded(key)
    const body = {
      compare: [isAbsent(name)],
      success: [{ request_put: { key: name, value } }],
    }
    const answer = await this.#etcd.ask('KV/Txn', body, limit)
    if (answer.kind !== 'answer') return answer.why
    const { succeeded } = (answer.value ?? {}) as { readonly succeeded?: unknown }
    return succeeded === true ? undefined : 'there is a record of this name already'
  }

  /** Never rejects. @returns why it may still be there. */
  async remove(key: string, limit: Milliseconds): Promise<string | undefined> {
    const answer = await this.#etcd.ask('KV/DeleteRange', { key: encoded(key) }, limit)
    return answer.kind === 'answer' ? undefined : answer.why
  }

  #leasesFor(life: Seconds): Leases {
    const bucket = SHORTEST_LEASE * 2 ** Math.max(0, Math.ceil(Math.log2(life / SHORTEST_LEASE)))
    const known = this.#leases.get(bucket) ?? new Leases(this.#etcd, bucket as Seconds, this.#clocks)
    this.#leases.set(bucket, known)
    return known
  }
}
