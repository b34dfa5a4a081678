/**
 * Sends receipts (docs/WIRE.md § 16): one datagram to the gateway that a packet came through, from the address and port
 * that the packet was sent to. By a raw socket that is open for this one datagram: the warden reads nothing from the
 * network, no port begins to listen, and the receiver goes on without the right to send. Loaded only where
 * GATEWAY_RECEIPTS asks for it.
 */
import { randomBytes } from 'node:crypto'
import type { StanzaIndex } from '../../access/matching.ts'
import type { Verdict } from '../../access/verdict.ts'
import { type Clock, monotonic } from '../../clock.ts'
import { rawDelivery } from '../../delivery/raw.ts'
import { failureFields, type Log } from '../../log.ts'
import { RECEIPT_SALT_LENGTH, type ReceiptKeys, type ReceiptVerdict, sealReceipt } from '../../packet/receipt.ts'
import { TokenBucket } from '../../token-bucket.ts'
import { type Milliseconds, type UnixSeconds, unixSeconds } from '../../units.ts'
import { type Knock, keyKindOf } from '../link/knock.ts'
import { ownAddresses } from './admission/own-addresses.ts'

/** Receipts for the packets of one stanza, and in all. What is above goes without one. */
const OF_STANZA = { perSecond: 5, burst: 20 } as const
const IN_ALL = { perSecond: 100, burst: 200 } as const
/** Lines about receipts that could not be sent. */
const LINES = { perSecond: 0.1, burst: 5 } as const

export class Receipts {
  readonly #clock: Clock
  readonly #log: Log
  readonly #inAll: TokenBucket
  readonly #lines: TokenBucket
  /** By number of the stanza. Those of another configuration are forgotten. */
  #ofStanza = new Map<number, TokenBucket>()
  #index: StanzaIndex | undefined

  constructor(clock: Clock, log: Log) {
    this.#clock = clock
    this.#log = log
    this.#inAll = new TokenBucket(IN_ALL, monotonic())
    this.#lines = new TokenBucket(LINES, monotonic())
  }

  /** @param due the time of this host at the decision. @param index the one under which the verdict was made. */
  async send(knock: Knock, verdict: Verdict, due: UnixSeconds, index: StanzaIndex): Promise<void> {
    const keys = receiptKeysOf(knock, index)
    if (keys === undefined || !this.#mayAnswer(knock, index, monotonic())) return
    const receipt = { ...receiptFor(verdict, due), serverTime: this.#clock.now() }
    const text = sealReceipt(knock.fwknopDigest, keys, receipt, randomBytes(RECEIPT_SALT_LENGTH))
    if (text === undefined) return
    const { source, sourcePort, destination, destinationPort } = knock.packet
    // The receiver reports the destination. A packet leaves from no address but this host's own.
    if (destination !== undefined && !ownAddresses().has(destination)) return
    const delivery = rawDelivery({
      transport: 'udpraw',
      sourcePort: destinationPort,
      ...(destination !== undefined && { spoofedSource: destination }),
    })
    const sent = await delivery.send({ text, address: source, port: sourcePort })
    if (!sent.ok && this.#lines.take(1, monotonic()))
      this.#log.write('warning', 'receipt', { ...failureFields(sent.failure), gateway: source })
  }

  #mayAnswer({ openedBy }: Knock, index: StanzaIndex, now: Milliseconds): boolean {
    if (this.#index !== index) {
      this.#ofStanza = new Map()
      this.#index = index
    }
    let bucket = this.#ofStanza.get(openedBy)
    if (bucket === undefined) {
      bucket = new TokenBucket(OF_STANZA, now)
      this.#ofStanza.set(openedBy, bucket)
    }
    return bucket.take(1, now) && this.#inAll.take(1, now)
  }
}

/** The keys that opened the packet. @returns undefined if the sender has no key of this server's. */
function receiptKeysOf(knock: Knock, index: StanzaIndex): ReceiptKeys | undefined {
  const stanza = index.byId(knock.openedBy)
  const keyring = stanza === undefined ? undefined : index.keyringOf(stanza, keyKindOf(knock))
  if (keyring === undefined) return undefined
  const { encryption, hmac } = keyring
  return {
    ...(encryption.kind === 'symmetric' && { encryption }),
    ...(hmac !== undefined && { hmac }),
  }
}

/** What a verdict says to the sender: never a detail, and nothing of other stanzas. */
export function receiptFor(verdict: Verdict, due: UnixSeconds): ReceiptVerdict {
  if (!verdict.granted) return { verdict: 'refused', code: verdict.failure.code }
  const { action } = verdict
  switch (action.kind) {
    case 'grant':
    case 'cycle':
      // The door opened at `due` or later.
      return { verdict: 'open', until: unixSeconds(due + action.grant.lifetime) }
    case 'command':
      return { verdict: 'done' }
    case 'close':
      return { verdict: 'closed' }
    default:
      return action satisfies never
  }
}
