/**
 * The lease under which claims are made: etcd forgets them when it ends. One lease serves all claims of a minute.
 *
 * A claim must be kept until no node accepts its packet any more. So what counts is how long the lease still lives when
 * etcd makes the claim. This process may be stopped in between, or a request may be slow; so the age of the lease is
 * looked at **after** the answer ({@link Lease.isYoung}). By the clock that goes on while the host sleeps, if one does.
 */
import { mapped, record, text } from '../json-reader.ts'
import { type Failure, ok, type Result, refuse } from '../result.ts'
import { within } from '../system/within.ts'
import { type Milliseconds, milliseconds, type Seconds } from '../units.ts'
import type { LeaseId } from './claim-txn.ts'
import type { Etcd } from './etcd.ts'

/** How long claims are made under one lease; then the next begins. */
const PERIOD = milliseconds(60_000)
/** For claims that were under way at its end. */
const SLACK = milliseconds(30_000)

/** Two clocks of this host. The first goes on steadily, the second also while the host sleeps. */
export interface LeaseClocks {
  monotonic(): Milliseconds
  wall(): Milliseconds
}

export interface Lease {
  readonly id: LeaseId
  /** Whether a claim that was made just now, or earlier, lives as long as it must. */
  isYoung(): boolean
}

type LeaseFailure = Failure<'CLUSTER_UNREACHABLE'>

/** `silent`: etcd gave no answer in the time of the one who asked. */
interface Asked {
  readonly lease: Result<Lease, LeaseFailure>
  readonly silent: boolean
}

const readGrant = record({ ID: mapped(text({ max: 20 }), leaseId) }, {})

function leaseId(read: string): LeaseId | undefined {
  return /^[0-9]{1,20}$/.test(read) ? (read as LeaseId) : undefined
}

export class Leases {
  readonly #etcd: Pick<Etcd, 'ask'>
  readonly #life: Seconds
  readonly #clocks: LeaseClocks
  #current: (Lease & { readonly since: readonly [Milliseconds, Milliseconds] }) | undefined
  #asked: Promise<Asked> | undefined

  /** @param life how long a claim must be kept after it is made. */
  constructor(etcd: Pick<Etcd, 'ask'>, life: Seconds, clocks: LeaseClocks) {
    this.#etcd = etcd
    this.#life = life
    this.#clocks = clocks
  }

  /** @returns a lease for claims that begin now; or why there is none. */
  async current(limit: Milliseconds): Promise<Result<Lease, LeaseFailure>> {
    const current = this.#current
    if (current !== undefined && this.#age(current.since) < PERIOD) return ok(current)
    return await this.next(limit)
  }

  /**
   * Begins the next one: etcd does not know the current one any more, or it is about to end. One request serves all who
   * ask at once. Each waits for its own time: who joined another that had less of it asks once more.
   */
  async next(limit: Milliseconds): Promise<Result<Lease, LeaseFailure>> {
    const until = this.#clocks.monotonic() + limit
    const left = (): Milliseconds => milliseconds(Math.max(0, until - this.#clocks.monotonic()))
    for (let joined = this.#asked; joined !== undefined; joined = this.#asked) {
      const { lease, silent } = (await within(joined, left())) ?? TOO_LATE
      if (lease.ok || !silent || left() === 0) return lease
    }
    const asked = this.#ask(left()).finally(() => {
      this.#asked = undefined
    })
    this.#asked = asked
    return (await asked).lease
  }

  async #ask(limit: Milliseconds): Promise<Asked> {
    const since = [this.#clocks.monotonic(), this.#clocks.wall()] as const
    const answer = await this.#etcd.ask('Lease/LeaseGrant', { TTL: `${this.#life + (PERIOD + SLACK) / 1000}` }, limit)
    if (answer.kind !== 'answer')
      return { lease: refuse('CLUSTER_UNREACHABLE', answer.why), silent: answer.kind === 'silence' }
    const { ID } = answer.value as { readonly ID?: unknown }
    const read = readGrant({ ID })
    if (read === undefined) return { lease: refuse('CLUSTER_UNREACHABLE', 'a lease without an id'), silent: false }
    const lease = { id: read.ID, since, isYoung: () => this.#age(since) <= PERIOD + SLACK }
    this.#current = lease
    return { lease: ok(lease), silent: false }
  }

  /** The longer of both: a clock that was set back makes no lease younger. */
  #age([monotonic, wall]: readonly [Milliseconds, Milliseconds]): number {
    return Math.max(this.#clocks.monotonic() - monotonic, this.#clocks.wall() - wall)
  }
}

const TOO_LATE: Asked = { lease: refuse('CLUSTER_UNREACHABLE', 'no answer in time'), silent: true }
