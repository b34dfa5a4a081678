/**
 * Writes the records of a cluster. A record with a life goes by itself some time after it: it is written under a lease
 * that many share. What it is good for ends by what is in it, and not by its lease.
 */
import type { Milliseconds, Seconds } from '../units.ts'
import { encoded, isAbsent, type LeaseId } from './claim-txn.ts'
import type { Etcd } from './etcd.ts'
import { type LeaseClocks, Leases } from './lease.ts'

/** gRPC: NOT_FOUND. The lease has ended before its time. */
const NOT_FOUND = 5
const SHORTEST_LEASE = 60

export interface RecordWrite {
  readonly key: string
  /** Base64. */
  readonly value: string
  /** Absent: the record stays. */
  readonly life?: Seconds
}

export class RecordWrites {
  readonly #etcd: Pick<Etcd, 'ask'>
  readonly #clocks: LeaseClocks
  /** By their life: each is twice as long as the one before. */
  readonly #leases = new Map<number, Leases>()

  constructor(etcd: Pick<Etcd, 'ask'>, clocks: LeaseClocks) {
    this.#etcd = etcd
    this.#clocks = clocks
  }

  /** Never rejects. Written twice, it is the same. @returns why it may not be written; undefined if it is. */
  async put({ key, value, life }: RecordWrite, limit: Milliseconds): Promise<string | undefined> {
    for (let attempt = 0; ; attempt++) {
      let lease: LeaseId | undefined
      if (life !== undefined) {
        const leases = this.#leasesFor(life)
        const got = attempt === 0 ? await leases.current(limit) : await leases.next(limit)
        if (!got.ok) return got.failure.detail
        lease = got.value.id
      }
      const body = { key: encoded(key), value, ...(lease !== undefined && { lease }) }
      const answer = await this.#etcd.ask('KV/Put', body, limit)
      if (answer.kind === 'answer') return undefined
      if (answer.kind === 'refused' && answer.code === NOT_FOUND && lease !== undefined && attempt === 0) continue
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
