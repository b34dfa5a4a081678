/**
 * What the receiver does with packets: open them, report knocks to the warden, fold refusals so that a flood stays
 * small.
 */

import { checkAge } from '../../access/age.ts'
import { takesReport } from '../../access/gnupg-report.ts'
import type { KeyringName } from '../../access/keyring.ts'
import { isAmong } from '../../access/matching.ts'
import type { Policy } from '../../access/policy.ts'
import { type CapturedPacket, type Elsewhere, type Way, wayOf } from '../../capture/capture.ts'
import { monotonic, systemClock } from '../../clock.ts'
import type { FailureCode } from '../../failure-codes.ts'
import type { ReplayDigest } from '../../packet/replay-digest.ts'
import { type Failure, refuse } from '../../result.ts'
import { type Knock, keyKindOf } from '../link/knock.ts'
import { type FromReceiver, MOST_TRIED, type TriedStanza } from '../link/protocol.ts'
import { FOLDED_INTERVAL, limiterFor, type RefusalLimiter } from '../link/refusal-log.ts'
import type { GnupgDesk } from './gnupg-desk.ts'
import {
  begin,
  goOnNow,
  type Pending,
  type Received,
  type ReceiveFailure,
  type Receiving,
  type Trial,
} from './receive.ts'
import { ReportedPackets } from './reported-packets.ts'

/**
 * Packets. Those under way are half of what the warden lets wait before it takes the receiver for hostile. What one key
 * may have under way is two batches of the warden's: enough to keep it busy, and judged in a fraction of a second.
 */
const REMEMBERED = { claimed: 16_384, underWay: 50_000, underWayPerKey: 2000 }
/** Bytes that may wait for the warden. A knock has some 600; past this, the warden has been away for long. */
const LARGEST_BACKLOG = 8 * 1024 * 1024

/** Packets under way while a file is read. */
const MOST_OF_A_FILE = 500

const BUSY = refuse(
  'KEY_BUSY',
  `${REMEMBERED.underWayPerKey} packets of this key already wait for their verdict, which is the limit`,
).failure
const OVERRUN = refuse('WARDEN_GONE', 'the warden does not take knocks fast enough').failure

/** What a packet that waits is refused without: only its source and ports are told. */
const NO_PAYLOAD = new Uint8Array()

/** What packets are opened under, and whether each counts once. */
export interface TriageReceiving extends Receiving {
  readonly policy: Receiving['policy'] & Pick<Policy, 'refuseReplays' | 'maxAge'>
}

export class Triage {
  #receiving: TriageReceiving
  #limiter: RefusalLimiter
  readonly #send: (message: FromReceiver) => void
  readonly #backlog: () => number
  readonly #gnupg: GnupgDesk | undefined
  readonly #reported = new ReportedPackets(REMEMBERED)
  #looked = 0
  /** When folded refusals were last reported. */
  #foldedReported = Number.NEGATIVE_INFINITY
  readonly #refused = new Map<FailureCode, number>()
  readonly #ways = new Map<Way, number>()

  constructor(
    receiving: TriageReceiving,
    refusalsPerSecond: number,
    send: (message: FromReceiver) => void,
    backlog: () => number,
    gnupg?: GnupgDesk,
  ) {
    this.#receiving = this.#withMemory(receiving)
    this.#limiter = limiterFor(refusalsPerSecond, monotonic())
    this.#send = send
    this.#backlog = backlog
    this.#gnupg = gnupg
  }

  reconfigure(receiving: TriageReceiving, refusalsPerSecond: number): void {
    this.#receiving = this.#withMemory(receiving)
    this.#reportSuppressed()
    this.#limiter.limit(refusalsPerSecond)
    // The stanzas of what waits are those of before.
    for (const packet of this.#gnupg?.clear() ?? []) this.#judge(packet)
  }

  /** Where used packets are welcome, each copy is a knock of its own. */
  #withMemory(receiving: TriageReceiving): TriageReceiving {
    if (!receiving.policy.refuseReplays) return receiving
    return { ...receiving, isUsed: (digest) => this.#reported.has(digest) }
  }

  look(packets: readonly CapturedPacket[]): void {
    this.#looked += packets.length
    for (const packet of packets) {
      this.#count(packet, 1)
      this.#judge(packet)
    }
  }

  /** By its way, unless it is the usual one: a flood comes by that. */
  #count(packet: CapturedPacket, more: 1 | -1): void {
    const way = wayOf(packet)
    if (way !== 'udp') this.#ways.set(way, (this.#ways.get(way) ?? 0) + more)
  }

  /** The warden has recorded these: a copy is refused here. */
  claimed(digests: readonly ReplayDigest[]): void {
    for (const digest of digests) this.#reported.claimed(digest)
  }

  /** The warden could not record these: if one comes again, it is reported again. */
  unclaimed(digests: readonly ReplayDigest[]): void {
    for (const digest of digests) this.#reported.unclaimed(digest)
  }

  /**
   * Sends the warden the numbers, and at most once a second what was folded.
   * @param dropped packets lost before they came here.
   * @param elsewhere packets that came in by other interfaces.
   */
  report(dropped: number, elsewhere?: Elsewhere): 'all reported' | 'more to report' {
    this.tally(dropped, elsewhere)
    const now = performance.now()
    if (now < this.#foldedReported + FOLDED_INTERVAL)
      return this.#limiter.hasSuppressed ? 'more to report' : 'all reported'
    if (this.#reportSuppressed()) this.#foldedReported = now
    return 'all reported'
  }

  /** Sends all that was not sent yet. */
  reportAll(dropped: number, elsewhere?: Elsewhere): void {
    this.tally(dropped, elsewhere)
    this.#reportSuppressed()
  }

  /** Whether so many packets wait for the warden that a capture which can wait should. */
  get isBusy(): boolean {
    return this.#reported.underWay > MOST_OF_A_FILE || this.#backlog() > MOST_OF_A_FILE * 1024
  }

  #reportSuppressed(): boolean {
    const counts = this.#limiter.takeSuppressed()
    if (counts !== undefined) this.#send({ type: 'suppressed', counts })
    return counts !== undefined
  }

  #judge(packet: CapturedPacket): void {
    if (packet.doubt !== undefined) {
      this.#refuse(packet, packet.doubt)
      return
    }
    this.#settle(packet, begin(packet, this.#receiving))
  }

  /** Goes on with a packet as far as that goes without the GnuPG process. */
  #settle(packet: CapturedPacket, begun: Received): void {
    let received: Received | undefined = begun
    while (received?.state === 'pending')
      received = received.encryption.kind === 'gnupg' ? this.#toGnupg(packet, received) : goOnNow(received)
    // Else it waits, and this is called again.
    if (received === undefined) return
    if (received.state === 'refused') {
      if (isForAnother(packet, received.failure)) {
        this.#looked--
        this.#count(packet, -1)
      } else this.#refuse(packet, received.failure)
      return
    }
    const { knock } = received
    const { refuseReplays } = this.#receiving.policy
    const key = this.#keyOf(knock)
    if (key !== undefined && !this.#reported.hasRoomFor(key)) this.#refuse(packet, { ...BUSY, stanza: knock.openedBy })
    else if (this.#reported.isFull || this.#backlog() > LARGEST_BACKLOG)
      this.#refuse(packet, { ...OVERRUN, stanza: knock.openedBy })
    else {
      if (refuseReplays && key !== undefined) this.#reported.add(knock.digest, key)
      this.#rememberSigner(knock)
      this.#send({ type: 'knock', knock })
    }
  }

  #toGnupg(packet: CapturedPacket, pending: Pending): Received | undefined {
    if (this.#gnupg === undefined) return goOnNow(pending)
    const { isUsed } = this.#receiving
    const { payload: _, ...rest } = packet
    const settle = (received: Received): void => this.#settle({ ...rest, payload: NO_PAYLOAD }, received)
    return this.#gnupg.take({ packet, pending, settle }, isUsed)
  }

  /** What a stanza would accept only: anybody can encrypt for the server, and send an old packet from a new address. */
  #rememberSigner({ gnupg, openedBy, message, packet: { source, destinationPort } }: Knock): void {
    const { index, policy } = this.#receiving
    const opener = gnupg === undefined ? undefined : index.byId(openedBy)
    const keyring = opener === undefined ? undefined : index.keyringOf(opener, 'gnupg')
    if (gnupg === undefined || keyring === undefined) return
    if (!checkAge(message.timestamp, policy.maxAge, systemClock.now()).ok) return
    const { signature } = gnupg
    const isAccepted = index.stanzasFor(keyring, source, destinationPort).some((stanza) => takesReport(stanza, gnupg))
    if (isAccepted) this.#gnupg?.remember({ source }, signature.kind === 'verified' ? signature.primary : 'nobody')
  }

  /** Always there: the packet was opened under this index. */
  #keyOf(knock: Knock): KeyringName | undefined {
    const { index } = this.#receiving
    const stanza = index.byId(knock.openedBy)
    return stanza === undefined ? undefined : index.keyringOf(stanza, keyKindOf(knock))?.name
  }

  /** Sends the warden the numbers of this moment. @param dropped as for {@link report}. */
  tally(dropped: number, elsewhere?: Elsewhere): void {
    const ways = this.#ways.size > 0 && { ways: Object.fromEntries(this.#ways) }
    const refused = Object.fromEntries(this.#refused)
    this.#send({
      type: 'tally',
      tally: { looked: this.#looked, dropped, refused, ...ways, ...(elsewhere && { elsewhere }) },
    })
  }

  #refuse(packet: CapturedPacket, failure: Failure & Pick<ReceiveFailure, 'stanza' | 'trials'>): void {
    const { code, detail, stanza, trials } = failure
    this.#refused.set(code, (this.#refused.get(code) ?? 0) + 1)
    if (!this.#limiter.mayLog(code, monotonic())) return
    const { source, sourcePort, destinationPort } = packet
    const way = wayOf(packet)
    const tried = trials === undefined ? [] : this.#stanzasOf(trials, packet)
    const note = {
      ...{ code, detail, source, sourcePort, destinationPort },
      ...(stanza !== undefined && { stanza }),
      ...(way !== 'udp' && { way }),
      ...(tried.length > 0 && { tried }),
    }
    this.#send({ type: 'refused', note })
  }

  /** The stanzas of these keys that are for this packet, in file order. Asked only for a refusal with its own line. */
  #stanzasOf(
    trials: readonly Trial[],
    { source, destination, destinationPort }: CapturedPacket,
  ): readonly TriedStanza[] {
    const { index } = this.#receiving
    return trials
      .flatMap(({ keys, code }) => {
        const keyring = index.keyringNamed(keys)
        return keyring === undefined
          ? []
          : index.stanzasFor(keyring, source, destinationPort).map((stanza) => ({ stanza, code }))
      })
      .filter(({ stanza }) => isAmong(stanza.destinations, destination))
      .map(({ stanza, code }) => ({ stanza: stanza.id, code }))
      .sort((one, other) => one.stanza - other.stanza)
      .slice(0, MOST_TRIED)
  }
}

/**
 * What a packet socket sees on the port of a web server is for that server, unless it has the form of an SPA packet.
 * Visitors of a web site are not counted, and not in the log.
 */
function isForAnother({ via, carrier }: CapturedPacket, { code }: Failure): boolean {
  return via !== 'tcp-server' && carrier === 'tcp' && (code === 'SPA_LENGTH' || code === 'SPA_MALFORMED')
}
