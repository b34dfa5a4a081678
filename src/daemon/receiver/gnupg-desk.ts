/**
 * Where packets wait for the GnuPG process. It decrypts two at a time, and a stranger can send thousands a second. So
 * those that an HMAC vouches for go first, then those from sources that a GnuPG packet opened for before, then all
 * others. Among these, each source has its turn and its share of the places. What finds no place is refused, and not
 * used up.
 */
import { decrypterName } from '../../access/keyring.ts'
import { USED_BEFORE } from '../../access/verdict.ts'
import { decodeBase64, encodeBase64 } from '../../bytes/base64.ts'
import type { CapturedPacket } from '../../capture/capture.ts'
import { familyOf, maskAddress } from '../../packet/address.ts'
import { decryptedByGnupg } from '../../packet/decrypt.ts'
import { type ReplayDigest, replayDigest } from '../../packet/replay-digest.ts'
import { ok, refuse } from '../../result.ts'
import { type Milliseconds, milliseconds } from '../../units.ts'
import { type GnupgAnswer, type GnupgRequest, parseGnupgAnswer } from '../link/gnupg-protocol.ts'
import { gnupgMessageOf, type Pending, type Received, type TrialFailure } from './receive.ts'

/** Packets with the GnuPG process at a time. */
const IN_FLIGHT = 2
/** Places in each lane; and of them for one source, or for one key. */
const PLACES = 256
const SHARE = { vouched: 64, known: 8, stranger: 4 } as const satisfies Record<Lane, number>
/** An IPv6 host has many addresses: its network counts as one source. */
const IPV6_SOURCE = 64
/** An answer takes longer only if the GnuPG process died over it. */
const ANSWER_TIME = milliseconds(10_000)
/** Packets of which it is remembered what became of them: a copy does not reach gpg again. */
const REMEMBERED = 4096

type Lane = 'vouched' | 'known' | 'stranger'
const LANES: readonly Lane[] = ['vouched', 'known', 'stranger']

const BUSY = refuse('GNUPG_BUSY', 'all places of its source, or of its key, are taken').failure
const FULL = refuse('GNUPG_BUSY', `${PLACES} packets wait already, which is the limit`).failure
const UNDER_WAY = refuse('GNUPG_BUSY', 'the same packet waits already').failure
const NO_ANSWER = refuse('GNUPG_FAILED', 'the GnuPG process did not answer: see the log').failure

/** A packet that waits. Nothing in it is of the capture's memory. */
export interface WaitingPacket {
  readonly packet: CapturedPacket
  readonly pending: Pending
  /** Whether a GnuPG packet opened for this source before. */
  readonly isKnown: boolean
  /** Gets what came of it. */
  readonly settle: (received: Received) => void
}

interface Waiting extends WaitingPacket {
  /** The identity of the ciphertext under these keys. */
  readonly name: string
  readonly lane: Lane
  readonly share: string
  readonly request: Omit<GnupgRequest, 'id'>
}

export class GnupgDesk {
  readonly #send: (request: GnupgRequest) => void
  readonly #now: () => Milliseconds
  /** By lane, then by source or key. A Map keeps the order of their turns. */
  readonly #lanes: Record<Lane, Map<string, Waiting[]>> = { vouched: new Map(), known: new Map(), stranger: new Map() }
  readonly #waiting: Record<Lane, number> = { vouched: 0, known: 0, stranger: 0 }
  readonly #inFlight = new Map<number, { readonly waiting: Waiting; readonly until: Milliseconds }>()
  readonly #underWay = new Set<string>()
  /** What became of ciphertexts. The first entry is the oldest. */
  readonly #known = new Map<string, ReplayDigest | TrialFailure>()
  /** Answers to an earlier receiver have other numbers. */
  #lastId = Math.floor(Math.random() * 2 ** 40)

  constructor(send: (request: GnupgRequest) => void, now: () => Milliseconds) {
    this.#send = send
    this.#now = now
  }

  /**
   * Takes a packet, or says at once what becomes of it.
   * @param isUsed whether a packet is known to be used.
   * @returns undefined if it waits now.
   */
  take(waiting: WaitingPacket, isUsed: ((digest: ReplayDigest) => boolean) | undefined): Received | undefined {
    const { packet, pending, isKnown } = waiting
    const { encryption, envelope } = pending
    const lane: Lane = envelope.tagLength > 0 ? 'vouched' : isKnown ? 'known' : 'stranger'
    const share = lane === 'vouched' ? pending.keyring : shareOf(packet)
    const ofShare = this.#lanes[lane].get(share)
    // Before anything is computed: in a flood, this is what a packet costs.
    if (this.#waiting[lane] >= PLACES) return pending.goOn({ ok: false, failure: FULL })
    if ((ofShare?.length ?? 0) >= SHARE[lane]) return pending.goOn({ ok: false, failure: BUSY })
    const message = gnupgMessageOf(envelope)
    if (encryption.kind !== 'gnupg' || message === undefined) return pending.goOn({ ok: false, failure: NO_ANSWER })
    const decrypter = decrypterName(encryption)
    const name = `${decrypter} ${replayDigest(message)}`
    const known = this.#known.get(name)
    if (typeof known === 'object') return pending.goOn({ ok: false, failure: known })
    if (known !== undefined && isUsed?.(known) === true) return pending.goOn({ ok: false, failure: USED_BEFORE })
    if (this.#underWay.has(name)) return pending.goOn({ ok: false, failure: UNDER_WAY })
    const made = {
      ...waiting,
      packet: { ...packet, payload: packet.payload.slice() },
      ...{ name, lane, share, request: { decrypter, message: encodeBase64(message) } },
    } as const
    if (ofShare === undefined) this.#lanes[lane].set(share, [made])
    else ofShare.push(made)
    this.#waiting[lane]++
    this.#underWay.add(name)
    this.#next()
    return undefined
  }

  /** A value from the GnuPG process, which gpg may have brought into hostile hands. */
  answered(value: unknown): void {
    const answer = parseGnupgAnswer(value)
    const inFlight = answer === undefined ? undefined : this.#inFlight.get(answer.id)
    if (answer === undefined || inFlight === undefined) return
    this.#inFlight.delete(answer.id)
    this.#settle(inFlight.waiting, answer)
    this.#next()
  }

  #settle(waiting: Waiting, answer: GnupgAnswer): void {
    const { name, pending, settle } = waiting
    this.#underWay.delete(name)
    const plaintext = 'opened' in answer ? decodeBase64(answer.opened.plaintext) : undefined
    if ('failure' in answer || plaintext === undefined) {
      const failure = 'failure' in answer ? answer.failure : NO_ANSWER
      // A gpg that did not work may work the next time.
      if (failure.code !== 'GNUPG_FAILED') this.#remember(name, failure)
      settle(pending.goOn({ ok: false, failure }))
      return
    }
    this.#remember(name, replayDigest(plaintext))
    const { signature, attestation } = answer.opened
    settle(pending.goOn(ok(decryptedByGnupg(pending.envelope, plaintext)), { signature, attestation }))
  }

  #remember(name: string, outcome: ReplayDigest | TrialFailure): void {
    this.#known.set(name, outcome)
    if (this.#known.size <= REMEMBERED) return
    for (const oldest of this.#known.keys()) {
      this.#known.delete(oldest)
      return
    }
  }

  /** When {@link expire} has to be called; undefined while no answer is awaited. */
  get deadline(): Milliseconds | undefined {
    let soonest: Milliseconds | undefined
    for (const { until } of this.#inFlight.values()) if (soonest === undefined || until < soonest) soonest = until
    return soonest
  }

  /** Gives up packets whose answer does not come. */
  expire(): void {
    const now = this.#now()
    for (const [id, { waiting, until }] of [...this.#inFlight]) {
      if (until > now) continue
      this.#inFlight.delete(id)
      this.#settle(waiting, { id, failure: NO_ANSWER })
    }
    this.#next()
  }

  /** Forgets all that waits. @returns the packets: under another configuration they begin again. */
  clear(): readonly CapturedPacket[] {
    const all = [
      ...[...this.#inFlight.values()].map(({ waiting }) => waiting),
      ...LANES.flatMap((lane) => [...this.#lanes[lane].values()].flat()),
    ]
    this.#inFlight.clear()
    this.#underWay.clear()
    this.#known.clear()
    for (const lane of LANES) {
      this.#lanes[lane].clear()
      this.#waiting[lane] = 0
    }
    return all.map(({ packet }) => packet)
  }

  #next(): void {
    while (this.#inFlight.size < IN_FLIGHT) {
      const waiting = this.#takeNext()
      if (waiting === undefined) return
      const id = ++this.#lastId
      this.#inFlight.set(id, { waiting, until: milliseconds(this.#now() + ANSWER_TIME) })
      this.#send({ id, ...waiting.request })
    }
  }

  #takeNext(): Waiting | undefined {
    for (const lane of LANES)
      for (const [share, packets] of this.#lanes[lane]) {
        const waiting = packets.shift()
        // Its turn is over: it goes to the end of the row.
        this.#lanes[lane].delete(share)
        if (packets.length > 0) this.#lanes[lane].set(share, packets)
        if (waiting === undefined) continue
        this.#waiting[lane]--
        return waiting
      }
    return undefined
  }
}

function shareOf({ source }: CapturedPacket): string {
  return familyOf(source) === 6 ? maskAddress(source, IPV6_SOURCE) : source
}
