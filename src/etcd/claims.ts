/**
 * Claims replay digests in etcd, in groups. Every claim gets an answer in its time. An answer is `first` only if etcd
 * said so, under a lease that lives long enough, in a cluster that has forgotten nothing.
 */
import { randomBytes } from 'node:crypto'
import { showUntil } from '../access/age.ts'
import type { NodeName } from '../config/server/cluster-settings.ts'
import type { ReplayDigest } from '../packet/replay-digest.ts'
import { type Milliseconds, milliseconds, type Seconds, type UnixSeconds, unixSeconds } from '../units.ts'
import type { EtcdAnswer } from './call.ts'
import {
  type ClaimSpace,
  claimTxn,
  closedKey,
  type EtcdClaim,
  encoded,
  MOST_CLAIMS,
  readClaimAnswer,
  readClosed,
} from './claim-txn.ts'
import type { Etcd } from './etcd.ts'
import { Groups } from './groups.ts'
import { GRPC_STATUS } from './grpc-status.ts'
import { type EtcdPast, goesOn, readPast } from './header.ts'
import { type LeaseClocks, Leases } from './lease.ts'

/** What is known of a packet after its claim. `unknown`: it may be used elsewhere, or not; with the reason. */
export type Claimed = 'first' | { readonly usedAt: NodeName | 'unknown' } | { readonly unknown: string }

/** Claims that wait for a group. */
const MOST_WAITING = 20_000
/** How long a look tells that a claim was denied: etcd may let this node read, and not write. */
const DENIAL_TOLD = milliseconds(60_000)
/** For the end of a time in which no packet counts as new, each time that it is told. */
const TELL_LIMIT = milliseconds(10_000)

export interface ClaimsParts extends ClaimSpace {
  readonly etcd: Pick<Etcd, 'ask' | 'preferLeader'>
  /** How long a claim must be kept: no node accepts its packet after that. */
  readonly life: Seconds
  /** What is known of the cluster from before. */
  readonly past: EtcdPast | undefined
  readonly clocks: LeaseClocks
  /** Called when the cluster has changed. */
  readonly onPast: (past: EtcdPast) => void
}

interface Waiting extends EtcdClaim {
  readonly until: Milliseconds
  readonly answer: (claimed: Claimed) => void
}

/** What a look at the cluster without a claim tells. */
export type Health = { readonly took: Milliseconds } | { readonly why: string }

export class Claims {
  readonly #parts: ClaimsParts
  readonly #leases: Leases
  readonly #groups = new Groups<Waiting>(
    (waiting) => waiting.splice(0, MOST_CLAIMS),
    (group) => this.#claimGroup(group),
  )
  #past: EtcdPast | undefined
  /** Seconds since 1970: the cluster forgot something, and this node saw it. */
  #closedUntil: UnixSeconds | undefined
  /** Whether etcd, and so each other node, has yet to learn of that. Until then the next start must notice it again. */
  #isUntold = false
  #isTelling = false
  /** What etcd said of the last claim, unless it took it. */
  #denied: { readonly why: string; readonly at: Milliseconds } | undefined
  /** When the newest claims began that it took. */
  #tookAt = Number.NEGATIVE_INFINITY

  constructor(parts: ClaimsParts) {
    this.#parts = parts
    this.#past = parts.past
    this.#leases = new Leases(parts.etcd, parts.life, parts.clocks)
  }

  /** Never rejects. @param limit until an answer is needed. */
  claim(digest: ReplayDigest, limit: Milliseconds): Promise<Claimed> {
    if (this.#groups.waiting >= MOST_WAITING)
      return Promise.resolve({ unknown: 'too many packets wait for the cluster' })
    return new Promise((resolve) => {
      const until = milliseconds(this.#parts.clocks.monotonic() + limit)
      const late = setTimeout(() => resolve({ unknown: 'no answer in time' }), limit)
      const answer = (claimed: Claimed): void => {
        clearTimeout(late)
        resolve(claimed)
      }
      this.#groups.add({ digest, nonce: randomBytes(12).toString('base64url'), until, answer })
    })
  }

  /** Asks the cluster for what a claim would need. Has a lease ready, and the leader as the first to be asked. */
  async look(limit: Milliseconds): Promise<Health> {
    const { etcd, cluster, clocks } = this.#parts
    const before = this.#past
    const began = clocks.monotonic()
    const answer = await etcd.ask('KV/Range', { key: encoded(closedKey(cluster)) }, limit)
    if (answer.kind !== 'answer') return { why: answer.why }
    const took = milliseconds(clocks.monotonic() - began)
    if (this.#isUntold) void this.#tellClosed()
    const judged = this.#judgePast(before, answer.value)
    if (judged !== undefined) return { why: judged }
    const read = readClosed(answer.value)
    if (read === undefined) return { why: 'etcd’s answer has no sense' }
    const closedUntil = this.#closedFor(read)
    if (closedUntil !== undefined) return { why: closed(closedUntil) }
    await etcd.preferLeader(limit)
    const lease = await this.#leases.current(limit)
    if (!lease.ok) return { why: lease.failure.detail }
    const denied = this.#denied
    return denied !== undefined && clocks.monotonic() - denied.at < DENIAL_TOLD ? { why: denied.why } : { took }
  }

  /** etcd has forgotten something. @returns until when no packet counts as new. */
  closeAsForgotten(): UnixSeconds {
    const { clocks, life } = this.#parts
    const until = unixSeconds(Math.ceil(clocks.wall() / 1000) + life)
    this.#closedUntil = unixSeconds(Math.max(until, this.#closedUntil ?? 0))
    this.#isUntold = true
    void this.#tellClosed()
    return until
  }

  async #claimGroup(all: readonly Waiting[]): Promise<void> {
    // etcd takes a key once in a transaction. The local store lets no digest through twice.
    const once = new Map(all.map((claim) => [claim.digest as string, claim]))
    for (const claim of all)
      if (once.get(claim.digest) !== claim) claim.answer({ unknown: 'the same packet was claimed twice at once' })
    const group = [...once.values()]
    let answers: readonly Claimed[]
    try {
      answers = await this.#ask(group)
    } catch (error) {
      answers = group.map(() => ({ unknown: error instanceof Error ? error.message : 'a mistake in ghostport' }))
    }
    for (const [i, { answer }] of group.entries()) answer(answers[i] ?? { unknown: 'no answer' })
  }

  async #ask(group: readonly Waiting[]): Promise<readonly Claimed[]> {
    const { etcd, clocks } = this.#parts
    const all = (why: string): readonly Claimed[] => group.map(() => ({ unknown: why }))
    // Who has less time is answered by then.
    const until = Math.max(...group.map((claim) => claim.until))
    const left = (): Milliseconds => milliseconds(Math.max(0, until - clocks.monotonic()))
    for (let attempt = 0; ; attempt++) {
      const lease = attempt === 0 ? await this.#leases.current(left()) : await this.#leases.next(left())
      if (!lease.ok) return all(lease.failure.detail)
      const before = this.#past
      const began = clocks.monotonic()
      const answer = await etcd.ask('KV/Txn', claimTxn(this.#parts, group, lease.value.id), left())
      // The lease has ended before its time. Nothing was claimed by this request.
      if (answer.kind === 'refused' && answer.code === GRPC_STATUS.notFound && attempt === 0) continue
      this.#learnOf(answer, began)
      if (answer.kind !== 'answer') return all(answer.why)
      const wentBack = this.#judgePast(before, answer.value)
      if (wentBack !== undefined) return all(wentBack)
      const read = readClaimAnswer(answer.value, group)
      if (read === undefined) return all('etcd’s answer has no sense')
      const closedUntil = this.#closedFor(read)
      const isYoung = lease.value.isYoung()
      return read.outcomes.map((outcome) => {
        if (outcome === undefined) return { unknown: 'etcd’s answer has no sense' }
        if (outcome !== 'first') return outcome
        if (!isYoung) return { unknown: 'etcd’s answer came too late' }
        if (closedUntil !== undefined) return { unknown: closed(closedUntil) }
        return 'first'
      })
    }
  }

  /**
   * Compares etcd's answer with what was known before the request.
   * @returns why no packet counts as new now; undefined if the cluster has forgotten nothing.
   */
  #judgePast(before: EtcdPast | undefined, value: unknown): string | undefined {
    const { onPast } = this.#parts
    const now = readPast(value)
    if (now === undefined) return 'an answer that is not etcd’s'
    if (before !== undefined && !goesOn(before, now)) {
      this.#past = now
      return closed(this.closeAsForgotten())
    }
    const { revision, cluster } = this.#past ?? { revision: -1n, cluster: '' }
    if (now.cluster !== cluster || now.revision > revision) {
      this.#past = now
      if (!this.#isUntold) onPast(now)
    }
    return undefined
  }

  #learnOf(answer: EtcdAnswer, began: Milliseconds): void {
    if (answer.kind === 'answer') {
      this.#tookAt = Math.max(this.#tookAt, began)
      this.#denied = undefined
    } else if (answer.kind === 'refused' && answer.code === GRPC_STATUS.permissionDenied && began >= this.#tookAt)
      this.#denied = { why: answer.why, at: began }
  }

  /** @returns until when no packet counts as new, as etcd says or this node saw; undefined: the cluster is open. */
  #closedFor({ closedUntil = 0 }: { readonly closedUntil?: number }): number | undefined {
    const until = Math.max(closedUntil, this.#closedUntil ?? 0)
    return until * 1000 > this.#parts.clocks.wall() ? until : undefined
  }

  /** Tells all nodes, also those that know nothing of before. If it fails, the next look tries it again. */
  async #tellClosed(): Promise<void> {
    const { clocks, onPast } = this.#parts
    if (this.#isTelling) return
    this.#isTelling = true
    const until = this.#closedUntil ?? unixSeconds(0)
    const isTold = until * 1000 <= clocks.wall() || (await this.#closeUntil(until))
    this.#isTelling = false
    // Else etcd has forgotten something once more.
    if (!isTold || until !== this.#closedUntil) return
    this.#isUntold = false
    if (this.#past !== undefined) onPast(this.#past)
  }

  /** What etcd says already is never made earlier. Never rejects. @returns whether etcd says it now. */
  async #closeUntil(until: UnixSeconds): Promise<boolean> {
    const { etcd, cluster } = this.#parts
    const key = encoded(closedKey(cluster))
    const answer = await etcd.ask('KV/Range', { key }, TELL_LIMIT)
    const known = answer.kind === 'answer' ? readClosed(answer.value) : undefined
    if (known === undefined) return false
    if ((known.closedUntil ?? 0) >= until) return true
    return (await etcd.ask('KV/Put', { key, value: encoded(`${until}`) }, TELL_LIMIT)).kind === 'answer'
  }
}

function closed(until: number): string {
  return `etcd has forgotten packets (a backup was restored?): none counts as new until ${showUntil(until)}`
}
