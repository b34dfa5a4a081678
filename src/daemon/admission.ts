/**
 * Knocks on their way to a verdict: taken in groups, judged under the policy that the receiver worked under when it opened
 * them, told to the journal, and answered, so that the receiver need not ask again about a packet that is used up.
 */
import type { StanzaIndex } from '../access/matching.ts'
import type { Policy } from '../access/policy.ts'
import type { Refusal, Verdict } from '../access/verdict.ts'
import type { Clock } from '../clock.ts'
import type { FailureCode } from '../failure-codes.ts'
import type { Firewall } from '../firewall/firewall.ts'
import type { Log } from '../log.ts'
import type { IpAddress } from '../packet/address.ts'
import type { ReplayStore } from '../replay/replay-store.ts'
import { type Failure, ok } from '../result.ts'
import { admit } from './admit.ts'
import type { Journal } from './journal.ts'
import type { Knock } from './knock.ts'
import type { ToReceiver } from './protocol.ts'
import { BatchQueue } from './queue.ts'
import { FOLDED_INTERVAL } from './refusal-log.ts'

/** What a knock means: its numbers of stanzas are those of this index. */
export interface Terms {
  readonly policy: Policy
  readonly index: StanzaIndex
}

export interface AdmissionParts {
  readonly clock: Clock
  readonly firewall: Firewall
  /** Absent where used packets are not to be remembered. */
  readonly replays: ReplayStore | undefined
  /** The addresses of this host at the time of asking. */
  readonly ownAddresses: () => ReadonlySet<IpAddress>
  readonly journal: Journal
  readonly log: Log
  readonly tell: (word: ToReceiver) => void
  /** A knock that no honest receiver sends. */
  readonly onForbidden: (failure: Failure) => void
}

export class Admission {
  readonly #parts: AdmissionParts
  readonly #queue: BatchQueue<{ readonly knock: Knock; readonly under: Terms }>
  #foldedTimer: NodeJS.Timeout | undefined

  constructor(parts: AdmissionParts) {
    this.#parts = parts
    this.#queue = new BatchQueue((batch) => this.#work(batch))
  }

  /** How many wait. */
  get length(): number {
    return this.#queue.length
  }

  push(knocks: readonly Knock[], under: Terms): void {
    this.#queue.push(knocks.map((knock) => ({ knock, under })))
  }

  /** Judges what still waits, and tells what is still folded. */
  async close(): Promise<void> {
    await this.#queue.drained()
    clearTimeout(this.#foldedTimer)
    this.#parts.journal.tellSuppressed()
  }

  /** The terms change once in a long while: a batch has one, or two in a row. */
  async #work(batch: readonly { readonly knock: Knock; readonly under: Terms }[]): Promise<void> {
    for (let start = 0; start < batch.length; ) {
      const under = batch[start]?.under
      if (under === undefined) return
      const end = batch.findIndex((item, i) => i > start && item.under !== under)
      const group = batch.slice(start, end < 0 ? batch.length : end)
      await this.#admit(
        group.map(({ knock }) => knock),
        under,
      )
      start += group.length
    }
  }

  async #admit(knocks: readonly Knock[], { policy, index }: Terms): Promise<void> {
    const { firewall, replays, ownAddresses, clock, journal, log, tell, onForbidden } = this.#parts
    const admitting = { policy, index, firewall, clock, ownAddresses, replays: replays ?? FORGETFUL }
    let verdicts: readonly Verdict[]
    try {
      verdicts = await admit(knocks, admitting)
    } catch (error) {
      // A mistake of ours. Nothing was opened that the log does not say; the next batch gets its chance.
      log.write('error', 'fault', { detail: error instanceof Error ? (error.stack ?? error.message) : 'unknown' })
      verdicts = []
    }
    const claimed: Knock['digest'][] = []
    const unclaimed: Knock['digest'][] = []
    for (const [i, knock] of knocks.entries()) {
      const verdict = verdicts[i]
      if (verdict !== undefined) journal.knock(knock, verdict, index)
      if (verdict?.granted === false && verdict.failure.code === 'WARDEN_FORBIDDEN') onForbidden(verdict.failure)
      else if (verdict === undefined || (!verdict.granted && isUnrecorded(verdict))) unclaimed.push(knock.digest)
      else claimed.push(knock.digest)
    }
    this.#tellSuppressedSoon()
    if (replays === undefined) return
    // Each knock is answered: until then, the receiver asks about no copy of it.
    if (claimed.length > 0) tell({ say: 'claimed', digests: claimed })
    if (unclaimed.length > 0) tell({ say: 'unclaimed', digests: unclaimed })
  }

  /** Once a second, and the last of them although nothing comes any more. */
  #tellSuppressedSoon(): void {
    const { journal } = this.#parts
    if (this.#foldedTimer !== undefined || !journal.hasSuppressed) return
    this.#foldedTimer = setTimeout(() => {
      this.#foldedTimer = undefined
      journal.tellSuppressed()
    }, FOLDED_INTERVAL)
  }
}

/** Whether the store had no room for the packet or could not record it: it is as unused as before. */
function isUnrecorded({ failure }: Refusal): boolean {
  return UNRECORDED.has(failure.code)
}

const UNRECORDED: ReadonlySet<FailureCode> = new Set([
  'REPLAY_STORE_FULL',
  'REPLAY_STORE_FAILED',
  'REPLAY_STORE_CORRUPT',
  'REPLAY_STORE_LOCKED',
])

/** Where used packets are not to be remembered. `admit` asks nothing of it then. */
const FORGETFUL: Pick<ReplayStore, 'claim'> = { claim: async (claims) => ok(claims.map(() => 'first')) }
