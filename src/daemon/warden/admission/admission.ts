/**
 * Admission: takes a knock from the receiver to its verdict. The steps, each with its file:
 *
 * 1. submit (here): knocks wait, and are judged in batches (queue.ts), under the policy with which the receiver opened
 *    them.
 * 2. believe (judge-believed.ts): a packet that the kernel would not have accepted is refused, and stays unused.
 * 3. claim (claim.ts): the packet is recorded as used, permanently. If there is a cluster, it is asked while the record
 *    is written.
 * 4. decide (judge.ts, access/decide.ts): the first stanza that allows the request grants it.
 * 5. open (open.ts): the firewall opens the grant; a command goes to the executor.
 * 6. settle (here): the verdict goes to the journal. Or the knock waits for the cluster, which says whether the packet
 *    is new there too (cluster-process/), or for a name (name-lookups.ts). Then it comes back to step 4, under the
 *    policy of that time. Others do not wait for it.
 * 7. answer (here): the receiver is told which packets are used up, so that it need not report copies.
 *
 * Why the cluster may be asked before the record is on the disk: a door opens only after both. If this host fails in
 * between, the packet has opened nothing, and is used in the cluster, or nowhere. If the disk fails, the knock is
 * refused. The answer of the cluster changes nothing then, and the cluster refuses a copy later.
 */

import type { Grant } from '../../../access/grant.ts'
import type { KeyringName } from '../../../access/keyring.ts'
import type { StanzaIndex } from '../../../access/matching.ts'
import type { Policy } from '../../../access/policy.ts'
import type { Stanza } from '../../../access/stanza.ts'
import { type Refusal, refusal, type Verdict } from '../../../access/verdict.ts'
import { type Clock, monotonic } from '../../../clock.ts'
import type { CommandRunner } from '../../../commands/commands.ts'
import type { FailureCode } from '../../../failure-codes.ts'
import type { Firewall } from '../../../firewall/firewall.ts'
import type { Log } from '../../../log.ts'
import type { IpAddress } from '../../../packet/address.ts'
import type { ReplayDigest } from '../../../packet/replay-digest.ts'
import type { ReplayStore } from '../../../replay/replay-store.ts'
import { type Failure, ok, refuse } from '../../../result.ts'
import type { Milliseconds, UnixSeconds } from '../../../units.ts'
import type { Attestation, Attested } from '../../link/attestation.ts'
import { type Knock, keyKindOf } from '../../link/knock.ts'
import type { ToReceiver } from '../../link/protocol.ts'
import { FOLDED_INTERVAL } from '../../link/refusal-log.ts'
import type { Cluster, ClusterClaim } from '../cluster-process/cluster.ts'
import type { Journal } from '../journal.ts'
import type { ReceiverNumber } from '../receiver-health.ts'
import { type Candidate, type IsConcerned, settlesWithin, UnderWay } from '../under-way.ts'
import { type ClaimedKnock, type Judging, judgeClaimed } from './judge.ts'
import { type Doubt, isDisbelieved, judgeBelieved } from './judge-believed.ts'
import { type AskResolver, type LookupAnswer, NameLookups } from './name-lookups.ts'
import type { CloseOwn } from './open.ts'
import { BatchQueue } from './queue.ts'

/** Knocks that may wait if copies are not replays: of one key, and in all. Two batches keep this process busy. */
const SHARE_OF_KEY = 2000
const MOST_COPIES = 50_000
const BUSY = refuse(
  'KEY_BUSY',
  `${SHARE_OF_KEY} packets of this key already wait for their verdict, which is the limit`,
).failure
const OVERRUN = refuse('WARDEN_GONE', 'the warden does not take knocks fast enough').failure

/** What a knock refers to: its stanza numbers are those of this index. */
export interface Terms {
  readonly policy: Policy
  readonly index: StanzaIndex
}

export interface AdmissionParts {
  readonly clock: Clock
  readonly firewall: Pick<Firewall, 'open'>
  readonly closeOwn?: CloseOwn
  readonly commands: CommandRunner
  /** Absent if used packets are not remembered. */
  readonly replays: ReplayStore | undefined
  /** The addresses of this host at the time of asking. */
  readonly ownAddresses: () => ReadonlySet<IpAddress>
  /** Why the kernel would not have accepted a packet. */
  readonly doubt: Doubt
  /** Asks for the address of a name. */
  readonly resolve: AskResolver
  /** Absent: this server shares used packets with no other. */
  readonly cluster?: Pick<Cluster, 'claim'> | undefined
  /** Why stanzas of the cluster grant nothing now. */
  readonly clusterCopyOld?: (() => string | undefined) | undefined
  /** Whether the GnuPG process vouches for this. */
  readonly isAttested?: (attested: Attested, attestation: Attestation) => boolean
  /** The terms for knocks that arrive now. */
  readonly current: () => Terms
  readonly journal: Journal
  readonly log: Log
  /** Called for each verdict that its sender is to learn. @param due the time of {@link Verdict.receiptDue}. */
  readonly onReceiptDue?: (knock: Knock, verdict: Verdict, due: UnixSeconds, index: StanzaIndex) => void
  /** Called for each grant that is open. */
  readonly onGranted?: (knock: Knock, grant: Grant, stanza: Stanza) => void
  readonly send: (message: ToReceiver) => void
  /** Called for a knock that an honest receiver never sends. @param from which receiver sent it. */
  readonly onForbidden: (failure: Failure, from: ReceiverNumber) => void
}

interface NewKnock {
  readonly knock: Knock
  readonly under: Terms
  readonly from: ReceiverNumber
}

/** A knock that waits, or waited, for the cluster or for a name. */
interface WaitingKnock extends ClaimedKnock {
  /** Its verdict is told. */
  readonly onTold: () => void
}

/** A new knock with its terms, or one that waited. */
type Queued = NewKnock | { readonly claimed: WaitingKnock; readonly under: 'current' }

export class Admission {
  readonly #parts: AdmissionParts
  readonly #queue: BatchQueue<Queued>
  readonly #lookups: NameLookups
  /** Knocks that wait for a name. */
  readonly #nameless = new Set<WaitingKnock>()
  /** Knocks that wait for the cluster or for a name, until their verdict is told. */
  readonly #underWay = new UnderWay<ClaimedKnock>()
  /** What the cluster was asked while the replay store wrote the packets of the batch. No answer rejects. */
  readonly #asked = new Map<ReplayDigest, Promise<ClusterClaim>>()
  /** Knocks that wait for the cluster. Each settles. */
  readonly #atCluster = new Set<Promise<void>>()
  /** How many new knocks of each key wait, if copies are not replays. */
  readonly #ofKey = new Map<KeyringName, number>()
  #foldedTimer: NodeJS.Timeout | undefined

  constructor(parts: AdmissionParts) {
    this.#parts = parts
    this.#queue = new BatchQueue((batch) => this.#work(batch))
    this.#lookups = new NameLookups(parts.resolve, monotonic)
  }

  /** How many knocks wait. */
  get length(): number {
    return this.#queue.length + this.#lookups.length + this.#atCluster.size
  }

  /** Takes knocks of the receiver. Each gets a verdict, and an answer to the receiver. */
  submit(knocks: readonly Knock[], under: Terms, from: ReceiverNumber): void {
    const taken = under.policy.refuseReplays ? knocks : knocks.filter((knock) => this.#hasRoomFor(knock, under))
    this.#queue.push(taken.map((knock) => ({ knock, under, from })))
    if (taken.length < knocks.length) this.#logSuppressedSoon()
  }

  /**
   * If copies are not replays, the receiver cannot tell how many packets of a key are under way. Without this limit,
   * one packet that is sent repeatedly could fill the whole queue.
   * @returns whether the knock may wait. If not, it is refused, but not used up.
   */
  #hasRoomFor(knock: Knock, { index }: Terms): boolean {
    const keyring = keyringOf(knock, index)
    if (keyring === undefined) return true
    const waiting = this.#ofKey.get(keyring) ?? 0
    const isBusy = waiting >= SHARE_OF_KEY
    if (!isBusy && this.#queue.length < MOST_COPIES) {
      this.#ofKey.set(keyring, waiting + 1)
      return true
    }
    const { openedBy } = knock
    const refused: Refusal = { granted: false, failure: isBusy ? BUSY : OVERRUN, stanza: openedBy, denials: [] }
    this.#parts.journal.knock(knock, refused, index)
    return false
  }

  #judged(knocks: readonly Knock[], { index, policy }: Terms): void {
    if (policy.refuseReplays) return
    for (const knock of knocks) {
      const keyring = keyringOf(knock, index)
      if (keyring === undefined) continue
      const left = (this.#ofKey.get(keyring) ?? 0) - 1
      if (left > 0) this.#ofKey.set(keyring, left)
      else this.#ofKey.delete(keyring)
    }
  }

  /**
   * The terms have changed. Knocks that wait for a name are judged again, and names that are no longer needed are not
   * asked for.
   */
  reconsider(): void {
    this.#lookups.abandon()
    const waiting = [...this.#nameless]
    this.#nameless.clear()
    this.#queue.push(waiting.map((claimed) => ({ claimed, under: 'current' })))
  }

  /**
   * Resolves when the knocks of before have their verdict, or after this time: all that are in the queue, and of those
   * that wait for the cluster or for a name the ones that count.
   * @returns whether they have it.
   */
  settled(patience: Milliseconds, isConcerned: IsConcerned = () => true): Promise<boolean> {
    return settlesWithin(this.#settled(isConcerned), patience)
  }

  async #settled(isConcerned: IsConcerned): Promise<void> {
    // First: who is in the queue may come to wait for the cluster.
    await this.#queue.settled()
    await this.#underWay.settled((claimed) => isConcerned(this.#candidate(claimed)))
  }

  /** Under the current terms: these judge it. */
  #candidate({ knock: { message, packet }, keyring: name }: ClaimedKnock): Candidate {
    const { index } = this.#parts.current()
    const keyring = index.keyringNamed(name)
    const stanzas = keyring === undefined ? [] : index.stanzasFor(keyring, packet.source, packet.destinationPort)
    const { source } = message
    return {
      stanzas: stanzas.map((stanza) => stanza.name ?? `${stanza.id}`),
      sources: source === 'packet-source' ? [packet.source] : [packet.source, source],
    }
  }

  /** Judges what still waits, refuses what waits for a name, and logs what is still folded. */
  async close(): Promise<void> {
    await this.#lookups.close()
    await this.#queue.drained()
    while (this.#atCluster.size > 0) {
      await Promise.all(this.#atCluster)
      await this.#queue.drained()
    }
    clearTimeout(this.#foldedTimer)
    this.#parts.journal.logSuppressed()
  }

  /**
   * The terms change rarely. A batch has one set of terms, or two in a row, with the knocks that waited for names
   * between them.
   */
  async #work(batch: readonly Queued[]): Promise<void> {
    for (let start = 0; start < batch.length; ) {
      const under = batch[start]?.under
      if (under === undefined) return
      const end = batch.findIndex((item, i) => i > start && item.under !== under)
      const group = batch.slice(start, end < 0 ? batch.length : end)
      if (under === 'current')
        await this.#judgeClaimed(group.flatMap((item) => ('claimed' in item ? [item.claimed] : [])))
      else
        await this.#judgeNew(
          group.flatMap((item) => ('knock' in item ? [item] : [])),
          under,
        )
      start += group.length
    }
  }

  async #judgeNew(group: readonly NewKnock[], terms: Terms): Promise<void> {
    const knocks = group.map(({ knock }) => knock)
    const { replays, doubt, send, onForbidden } = this.#parts
    const verdicts = await this.#attempt(() => judgeBelieved(knocks, this.#judging(terms), doubt))
    this.#judged(knocks, terms)
    const claimed: Knock['digest'][] = []
    const unclaimed: Knock['digest'][] = []
    for (const [i, { knock, from }] of group.entries()) {
      const verdict = verdicts[i]
      if (verdict !== undefined) this.#settle(knock, verdict, terms)
      if (isDisbelieved(verdict)) {
        unclaimed.push(knock.digest)
        continue
      }
      if (verdict?.granted === false && verdict.failure.code === 'WARDEN_FORBIDDEN') onForbidden(verdict.failure, from)
      else if (verdict === undefined || (!verdict.granted && isUnrecorded(verdict))) unclaimed.push(knock.digest)
      else claimed.push(knock.digest)
    }
    // Answers for packets that the store could not record. These open nothing, also if the cluster says “first”.
    this.#asked.clear()
    this.#logSuppressedSoon()
    if (replays === undefined) return
    // Each knock gets an answer: until then, the receiver reports no copy of it.
    if (claimed.length > 0) send({ type: 'claimed', digests: claimed })
    if (unclaimed.length > 0) send({ type: 'unclaimed', digests: unclaimed })
  }

  async #judgeClaimed(knocks: readonly WaitingKnock[]): Promise<void> {
    const terms = this.#parts.current()
    const verdicts = await this.#attempt(() => judgeClaimed(knocks, this.#judging(terms)))
    for (const [i, claimed] of knocks.entries()) {
      const verdict = verdicts[i]
      if (verdict === undefined) claimed.onTold()
      else this.#settle(claimed.knock, verdict, terms, claimed)
    }
    this.#logSuppressedSoon()
  }

  #judging({ policy, index }: Terms): Judging {
    const { firewall, closeOwn, commands, replays, ownAddresses, clock, isAttested, cluster } = this.#parts
    const isInCluster = cluster !== undefined
    const onNewHere = cluster && ((digests: readonly ReplayDigest[]) => this.#askAtOnce(cluster, digests))
    const clusterCopyOld = this.#parts.clusterCopyOld?.()
    return {
      ...{ policy, index, firewall, closeOwn, commands, clock, ownAddresses, isAttested, isInCluster, clusterCopyOld },
      ...{ replays: replays ?? FORGETFUL, onNewHere },
    }
  }

  async #attempt(work: () => Promise<readonly Verdict[]>): Promise<readonly Verdict[]> {
    try {
      return await work()
    } catch (error) {
      // A mistake in ghostport. Nothing is open that the log does not report. The next batch is worked as usual.
      const detail = error instanceof Error ? (error.stack ?? error.message) : 'unknown'
      this.#parts.log.write('error', 'fault', { detail })
      return []
    }
  }

  /** Tells the verdict, or asks the cluster, or looks up the name that it waits for. @param before if it waited. */
  #settle(knock: Knock, verdict: Verdict, terms: Terms, before?: WaitingKnock): void {
    const { current } = this.#parts
    const { index } = terms
    const stanza = verdict.stanza === undefined ? undefined : index.byId(verdict.stanza)
    if (verdict.granted || stanza === undefined || (verdict.lookUp === undefined && !verdict.askCluster)) {
      this.#tell(knock, verdict, index)
      before?.onTold()
      return
    }
    const keyring = index.keyringOf(stanza, keyKindOf(knock))
    if (keyring === undefined) throw new Error('a stanza without the keys of its packet')
    const isOfKey = (one: ClaimedKnock): boolean => one.keyring === keyring.name
    // What its client asked for before a close ends by it, also where that waits.
    const earlier = knock.message.kind === 'close' ? this.#underWay.settled(isOfKey) : undefined
    const claimed = before ?? this.#begins({ knock, keyring: keyring.name })
    if (verdict.askCluster) this.#askCluster(claimed, earlier)
    if (verdict.lookUp === undefined) return
    const asker = { keyring: claimed.keyring, source: knock.packet.source }
    // The current terms may not need the name.
    if (terms !== current()) {
      this.#queue.push([{ claimed, under: 'current' }])
      return
    }
    this.#nameless.add(claimed)
    this.#lookups.find(verdict.lookUp, asker, (answer: LookupAnswer) => {
      this.#nameless.delete(claimed)
      if (answer.ok) this.#queue.push([{ claimed: { ...claimed, resolvedTarget: answer.value }, under: 'current' }])
      else {
        const { receiptDue } = verdict
        this.#tell(
          knock,
          { ...refusal(answer.failure, [stanza]), ...(receiptDue !== undefined && { receiptDue }) },
          index,
        )
        claimed.onTold()
        this.#logSuppressedSoon()
      }
    })
  }

  #begins(claimed: ClaimedKnock): WaitingKnock {
    return { ...claimed, onTold: this.#underWay.begin(claimed) }
  }

  #askAtOnce(cluster: Pick<Cluster, 'claim'>, digests: readonly ReplayDigest[]): void {
    const answers = cluster.claim(digests, 'at once')
    for (const [i, digest] of digests.entries()) {
      const answer = answers[i]
      if (answer !== undefined) this.#asked.set(digest, answer)
    }
  }

  /** Others do not wait for it. @param earlier what it waits for as well. */
  #askCluster(claimed: WaitingKnock, earlier?: Promise<void>): void {
    const { digest } = claimed.knock
    const asked = this.#asked.get(digest) ?? this.#parts.cluster?.claim([digest])[0]
    this.#asked.delete(digest)
    if (asked === undefined) throw new Error('a knock waits for a cluster that is not there')
    const answered = earlier === undefined ? asked : earlier.then(() => asked)
    const waiting = answered.then((cluster) => {
      this.#atCluster.delete(waiting)
      this.#queue.push([{ claimed: { ...claimed, cluster }, under: 'current' }])
    })
    this.#atCluster.add(waiting)
  }

  #tell(knock: Knock, verdict: Verdict, index: StanzaIndex): void {
    const { journal, onGranted } = this.#parts
    const stanza = verdict.stanza === undefined ? undefined : index.byId(verdict.stanza)
    if (verdict.granted && verdict.action.kind === 'grant' && stanza !== undefined)
      onGranted?.(knock, verdict.action.grant, stanza)
    journal.knock(knock, verdict, index)
    if (verdict.receiptDue !== undefined) this.#parts.onReceiptDue?.(knock, verdict, verdict.receiptDue, index)
  }

  /** Once a second, and the last of them although nothing comes any more. */
  #logSuppressedSoon(): void {
    const { journal } = this.#parts
    if (this.#foldedTimer !== undefined || !journal.hasSuppressed) return
    this.#foldedTimer = setTimeout(() => {
      this.#foldedTimer = undefined
      journal.logSuppressed()
    }, FOLDED_INTERVAL)
  }
}

/** The keys that the receiver says opened it. */
function keyringOf(knock: Knock, index: StanzaIndex): KeyringName | undefined {
  const stanza = index.byId(knock.openedBy)
  return stanza === undefined ? undefined : index.keyringOf(stanza, keyKindOf(knock))?.name
}

/** Whether the store had no room for the packet or could not record it. The packet is then still unused. */
function isUnrecorded({ failure }: Refusal): boolean {
  return UNRECORDED.has(failure.code)
}

const UNRECORDED: ReadonlySet<FailureCode> = new Set([
  'GNUPG_FAILED',
  'REPLAY_STORE_FULL',
  'REPLAY_STORE_FAILED',
  'REPLAY_STORE_CORRUPT',
  'REPLAY_STORE_LOCKED',
])

/** For when used packets are not remembered. `claim` never calls it then. */
const FORGETFUL: Pick<ReplayStore, 'claim'> = { claim: async (claims) => ok(claims.map(() => 'first')) }
