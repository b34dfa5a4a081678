/**
 * Where packets wait for the GnuPG process. It decrypts two at a time, and a stranger can send thousands a second. So
 * there are three lanes: packets that an HMAC vouches for, packets from sources that an accepted signer used before,
 * and all others. The first lanes have most of the turns. No key, signer or source can take all places of a lane. A
 * packet that finds no place is refused, and not used up.
 */
import { decrypterName } from '../../access/keyring.ts'
import { USED_BEFORE } from '../../access/verdict.ts'
import { decodeBase64, encodeBase64 } from '../../bytes/base64.ts'
import type { CapturedPacket } from '../../capture/capture.ts'
import { familyOf, type IpAddress, maskAddress } from '../../packet/address.ts'
import { decryptedByGnupg } from '../../packet/decrypt.ts'
import { type ReplayDigest, replayDigest } from '../../packet/replay-digest.ts'
import { ok, refuse } from '../../result.ts'
import { type Milliseconds, milliseconds } from '../../units.ts'
import { type GnupgAnswer, type GnupgRequest, parseGnupgAnswer } from '../link/gnupg-protocol.ts'
import { FairRows } from './fair-rows.ts'
import { KnownSigners } from './known-signers.ts'
import { gnupgMessageOf, type Pending, type Received, type TrialFailure } from './receive.ts'

/** Packets with the GnuPG process at a time. */
const IN_FLIGHT = 2
/** Places in each lane. */
const PLACES = 256
/** One HMAC key has two groups: one for known signers, and one for sources, which its holder can forge. */
const OF_HMAC_KEY = 32
/** One signer, or one source. */
const SHARE = { vouched: 8, known: 8, stranger: 4 } as const satisfies Record<Lane, number>
/** An IPv6 host has many addresses: its network counts as one source. */
const IPV6_SOURCE = 64
/** An answer takes longer only if the GnuPG process died over it. */
const ANSWER_TIME = milliseconds(20_000)
/** Packets of which it is remembered what became of them: a copy does not reach gpg again. */
const REMEMBERED = 4096

type Lane = 'vouched' | 'known' | 'stranger'
const LANES: readonly Lane[] = ['vouched', 'known', 'stranger']
/** Whose turn it is, again and again. If nothing waits there, the first lane in which something waits has the turn. */
const TURNS: readonly Lane[] = ['vouched', 'vouched', 'known', 'vouched', 'vouched', 'vouched', 'known', 'stranger']

const FULL = {
  all: refuse('GNUPG_BUSY', `${PLACES} packets wait already, which is the limit`).failure,
  group: refuse('GNUPG_BUSY', 'all places that its HMAC key may have are taken').failure,
  share: refuse('GNUPG_BUSY', 'all places of its source, or of its signer, are taken').failure,
} as const
const UNDER_WAY = refuse('GNUPG_BUSY', 'the same packet waits already').failure
const NO_ANSWER = refuse('GNUPG_FAILED', 'the GnuPG process did not answer: see the log').failure

/** A packet that waits. Nothing in it is of the capture's memory. */
export interface WaitingPacket {
  readonly packet: CapturedPacket
  readonly pending: Pending
  /** Gets what came of it. */
  readonly settle: (received: Received) => void
}

interface Waiting extends WaitingPacket {
  /** The identity of the ciphertext under these keys. */
  readonly name: string
  readonly request: Omit<GnupgRequest, 'id'>
}

export class GnupgDesk {
  readonly #send: (request: GnupgRequest) => void
  readonly #now: () => Milliseconds
  readonly #lanes: Readonly<Record<Lane, FairRows<Waiting>>> = {
    vouched: new FairRows({ inAll: PLACES, ofGroup: OF_HMAC_KEY, ofShare: SHARE.vouched }),
    known: new FairRows({ inAll: PLACES, ofGroup: PLACES, ofShare: SHARE.known }),
    stranger: new FairRows({ inAll: PLACES, ofGroup: PLACES, ofShare: SHARE.stranger }),
  }
  readonly #signers = new KnownSigners()
  #turn = 0
  #isClosed = false
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
    const { packet, pending } = waiting
    const { encryption, envelope } = pending
    if (this.#isClosed) return pending.goOn({ ok: false, failure: NO_ANSWER })
    const { lane, group, share } = this.#placeFor(packet, pending)
    const rows = this.#lanes[lane]
    // Before anything is computed: in a flood, this is what a packet costs.
    const full = rows.fullFor(group, share)
    if (full !== undefined) return pending.goOn({ ok: false, failure: FULL[full] })
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
      ...{ name, request: { decrypter, message: encodeBase64(message) } },
    } as const
    rows.add(group, share, made)
    this.#underWay.add(name)
    this.#next()
    return undefined
  }

  /**
   * A signer is known by the sources of its packets. If its own places are taken, another signer of the same source may
   * have some: a client cannot use up those of another one by its address.
   */
  #placeFor(packet: CapturedPacket, { vouchedBy }: Pending): { lane: Lane; group: string; share: string } {
    const source = shareOf(packet)
    const signers = this.#signers.at(source)
    const [lane, group] =
      vouchedBy === undefined ? (['known', ''] as const) : (['vouched', `known ${vouchedBy}`] as const)
    const signer = signers.find((it) => this.#lanes[lane].fullFor(group, it) === undefined) ?? signers[0]
    if (signer !== undefined) return { lane, group, share: signer }
    if (vouchedBy === undefined) return { lane: 'stranger', group: '', share: source }
    return { lane, group: `new ${vouchedBy}`, share: source }
  }

  /** A packet from here was fresh, and a stanza accepts its signature. @param signer a name for the key. */
  remember(packet: Pick<CapturedPacket, 'source'>, signer: string): void {
    this.#signers.remember(shareOf(packet), signer)
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
      if (failure.code !== 'GNUPG_FAILED') this.#keep(name, failure)
      settle(pending.goOn({ ok: false, failure }))
      return
    }
    this.#keep(name, replayDigest(plaintext))
    const { signature, decryptIds, attestation } = answer.opened
    settle(pending.goOn(ok(decryptedByGnupg(pending.envelope, plaintext)), { signature, decryptIds, attestation }))
  }

  #keep(name: string, outcome: ReplayDigest | TrialFailure): void {
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

  /** Takes no more packets, and gives up those that wait: each is told. */
  close(): void {
    this.#isClosed = true
    const all = [
      ...[...this.#inFlight.values()].map(({ waiting }) => waiting),
      ...LANES.flatMap((lane) => this.#lanes[lane].clear()),
    ]
    this.#inFlight.clear()
    for (const waiting of all) this.#settle(waiting, { id: 0, failure: NO_ANSWER })
  }

  /** Forgets all that waits. @returns the packets: under another configuration they begin again. */
  clear(): readonly CapturedPacket[] {
    const all = [
      ...[...this.#inFlight.values()].map(({ waiting }) => waiting),
      ...LANES.flatMap((lane) => this.#lanes[lane].clear()),
    ]
    this.#inFlight.clear()
    this.#underWay.clear()
    this.#known.clear()
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
    const turn = TURNS[this.#turn++ % TURNS.length] ?? 'vouched'
    for (const lane of [turn, ...LANES]) {
      const waiting = this.#lanes[lane].take()
      if (waiting !== undefined) return waiting
    }
    return undefined
  }
}

function shareOf({ source }: Pick<CapturedPacket, 'source'>): IpAddress {
  return familyOf(source) === 6 ? maskAddress(source, IPV6_SOURCE) : source
}
