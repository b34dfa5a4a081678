/** What the receiver does with packets: open them, tell the warden of knocks, fold refusals so that a flood stays small. */
import type { StanzaId } from '../access/stanza.ts'
import type { CapturedPacket } from '../capture/capture.ts'
import type { FailureCode } from '../failure-codes.ts'
import type { ReplayDigest } from '../packet/replay-digest.ts'
import { type Failure, refuse } from '../result.ts'
import { milliseconds } from '../units.ts'
import type { Knock } from './knock.ts'
import { resolveTarget as systemResolve } from './nat-names.ts'
import type { FromReceiver } from './protocol.ts'
import { type Receiving, receive, resolveTarget } from './receive.ts'
import { RefusalLimiter } from './refusal-log.ts'

/** Digests that the warden has claimed are remembered here up to this number, so that a flood of one packet stays here. */
const CLAIMED_REMEMBERED = 16_384
/** Bytes that may wait for the warden. A knock has some 600; past this, the warden has been away for long. */
const LARGEST_BACKLOG = 8 * 1024 * 1024
/** How often folded refusals are told, in milliseconds. */
const FOLDED_INTERVAL = 1000
/** Lines that a quiet receiver may say at once, as a multiple of its lines a second. */
const BURST = 2

const REPLAYED = refuse('SPA_REPLAYED', 'somebody sent it again, or it reached this host twice').failure
const OVERRUN = refuse('WARDEN_GONE', 'the warden does not take knocks fast enough').failure

export class ReceiveLoop {
  #receiving: Receiving
  #limiter: RefusalLimiter
  readonly #say: (word: FromReceiver) => void
  readonly #backlog: () => number
  readonly #claimed = new Set<ReplayDigest>()
  #looked = 0
  /** When folded refusals were last told. */
  #foldedTold = Number.NEGATIVE_INFINITY
  readonly #refused = new Map<FailureCode, number>()

  constructor(
    receiving: Receiving,
    refusalsPerSecond: number,
    say: (word: FromReceiver) => void,
    backlog: () => number,
  ) {
    this.#receiving = receiving
    this.#limiter = limiter(refusalsPerSecond)
    this.#say = say
    this.#backlog = backlog
  }

  reconfigure(receiving: Receiving, refusalsPerSecond: number): void {
    this.#receiving = receiving
    this.#limiter = limiter(refusalsPerSecond)
    // Whether a used packet matters is policy, which may have changed.
    this.#claimed.clear()
  }

  look(packets: readonly CapturedPacket[]): void {
    this.#looked += packets.length
    for (const packet of packets) {
      const received = receive(packet, this.#receiving)
      if (!received.ok) this.#refuse(packet, received.failure)
      else if (this.#claimed.has(received.value.digest))
        this.#refuse(packet, { ...REPLAYED, stanza: received.value.openedBy })
      else if (this.#backlog() > LARGEST_BACKLOG) this.#refuse(packet, { ...OVERRUN, stanza: received.value.openedBy })
      else this.#knock(received.value, packet)
    }
  }

  /** The warden has recorded these: whoever sends one again is refused here. It decides; this only remembers. */
  claimed(digests: readonly ReplayDigest[]): void {
    for (const digest of digests) this.#claimed.add(digest)
    for (const oldest of this.#claimed) {
      if (this.#claimed.size <= CLAIMED_REMEMBERED) return
      this.#claimed.delete(oldest)
    }
  }

  /**
   * Tells the warden the numbers, and at most once a second what was folded.
   * @param dropped packets lost before they came here.
   */
  report(dropped: number): 'all told' | 'more to tell' {
    this.#say({ say: 'tally', tally: { looked: this.#looked, dropped, refused: Object.fromEntries(this.#refused) } })
    const now = performance.now()
    if (now < this.#foldedTold + FOLDED_INTERVAL) return this.#limiter.hasSuppressed ? 'more to tell' : 'all told'
    const suppressed = this.#limiter.takeSuppressed()
    if (suppressed !== undefined) {
      this.#foldedTold = now
      this.#say({ say: 'suppressed', counts: suppressed })
    }
    return 'all told'
  }

  #knock(knock: Knock, packet: CapturedPacket): void {
    const { message } = knock
    if (message.kind !== 'natAccess' || typeof message.target.host === 'string') {
      this.#say({ say: 'knock', knock })
      return
    }
    const receiving = this.#receiving
    resolveTarget(knock, receiving.policy, systemResolve).then((resolved) => {
      // The stanzas may have been numbered anew while the name was asked for.
      if (this.#receiving === receiving) this.#say({ say: 'knock', knock: resolved })
      else this.look([packet])
    })
  }

  #refuse(packet: CapturedPacket, { code, detail, stanza }: Failure & { stanza?: StanzaId }): void {
    this.#refused.set(code, (this.#refused.get(code) ?? 0) + 1)
    if (!this.#limiter.admit(code, milliseconds(performance.now()))) return
    const { source, sourcePort, destinationPort } = packet
    const note = { code, detail, source, sourcePort, destinationPort, ...(stanza !== undefined && { stanza }) }
    this.#say({ say: 'refused', note })
  }
}

function limiter(perSecond: number): RefusalLimiter {
  return new RefusalLimiter({ perSecond, burst: perSecond * BURST }, milliseconds(performance.now()))
}
