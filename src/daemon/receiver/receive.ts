/**
 * The first half of a packet's life, in the process that has no privilege: a stranger's bytes → a knock that some key
 * vouches for. Leaves no trace of what no key opens. The second half is warden/admission/judge.ts.
 */
import { takesReport } from '../../access/gnupg-report.ts'
import { type HmacName, type Keyring, type KeyringName, runsCommands } from '../../access/keyring.ts'
import type { StanzaIndex } from '../../access/matching.ts'
import type { OpenerMemory } from '../../access/opener-memory.ts'
import type { Policy } from '../../access/policy.ts'
import type { Stanza, StanzaEncryption, StanzaId } from '../../access/stanza.ts'
import { USED_BEFORE } from '../../access/verdict.ts'
import { latin1Text } from '../../bytes/text.ts'
import { type CapturedPacket, wayOf } from '../../capture/capture.ts'
import type { AuthenticEnvelope } from '../../packet/authenticate.ts'
import { type Decrypted, decrypt } from '../../packet/decrypt.ts'
import { type Envelope, parseEnvelope } from '../../packet/envelope.ts'
import {
  authenticateGnupgPacket,
  authenticatePacket,
  type OpenedPacket,
  type OpenFailure,
  readPlaintext,
} from '../../packet/open.ts'
import { recipientsOf } from '../../packet/openpgp.ts'
import { type ReplayDigest, replayDigest } from '../../packet/replay-digest.ts'
import { type PacketFailure, refuseByRule } from '../../packet/strictness.ts'
import { MIN_GPG_LENGTH } from '../../packet/wire-limits.ts'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import type { Knock } from '../link/knock.ts'
import { MOST_TRIED } from '../link/protocol.ts'

export interface Receiving {
  readonly policy: Pick<Policy, 'http' | 'showsPackets' | 'namesTrials'>
  /** Of the policy's stanzas. */
  readonly index: StanzaIndex
  /** Which keys to try first. Forget it when the index is replaced. */
  readonly openers: OpenerMemory
  /** Whether a packet is known to be used. A copy is refused before it is decrypted: it costs little more than junk. */
  readonly isUsed?: ((digest: ReplayDigest) => boolean) | undefined
}

export type ReceiveFailure = (PacketFailure<TrialFailure['code']> | Failure<'ACCESS_NO_SOURCE' | 'SPA_REPLAYED'>) & {
  /** The stanza whose keys came closest, where any came closer than the others. */
  readonly stanza?: StanzaId
  /** Which keys were tried, in this order: where the policy wants their stanzas named, and not all of many. */
  readonly trials?: readonly Trial[]
}

/** Keys that did not open a packet. */
export interface Trial {
  readonly keys: KeyringName
  readonly code: TrialFailure['code']
}

/** How far a packet has come. */
export type Received =
  | { readonly state: 'opened'; readonly knock: Knock }
  | { readonly state: 'refused'; readonly failure: ReceiveFailure }
  | Pending

/**
 * A packet that a keyring may open: authentic, as far as the keyring can tell, and not decrypted yet. It holds nothing
 * of the capture's memory, so that it may wait. Its stanzas are those of the index that it began under: under another
 * one, begin again.
 */
export interface Pending {
  readonly state: 'pending'
  /** What to decrypt. */
  readonly envelope: AuthenticEnvelope
  /** What to decrypt it with. */
  readonly encryption: StanzaEncryption
  /** The HMAC key that vouches for it. Absent: none does. */
  readonly vouchedBy?: HmacName
  /** Goes on with the plaintext, or, where there is none, with the next keys. To be called once. */
  readonly goOn: (decrypted: Result<Decrypted, TrialFailure>, proof?: GnupgProof) => Received
}

/** What the GnuPG process says of a packet, and vouches for. */
export type GnupgProof = NonNullable<Knock['gnupg']>

/** Why a keyring does not open a packet. */
export type TrialFailure = OpenFailure | Failure<'GNUPG_FAILED' | 'GNUPG_BUSY' | 'SPA_REPLAYED'>

/**
 * Opens a packet, without GnuPG.
 * @returns the knock; or why the packet is none that any stanza for its source can open: `SPA_LENGTH`, `SPA_MALFORMED`,
 * `ACCESS_NO_SOURCE`, `SPA_REPLAYED`, and what `openPacket` says.
 */
export function receive(packet: CapturedPacket, receiving: Receiving): Result<Knock, ReceiveFailure> {
  let received = begin(packet, receiving)
  while (received.state === 'pending') received = goOnNow(received)
  return received.state === 'opened' ? ok(received.knock) : { ok: false, failure: received.failure }
}

/** Opens a packet as far as that goes without decrypting anything. */
export function begin(packet: CapturedPacket, receiving: Receiving): Received {
  const envelope = parseEnvelope(packet.payload, receiving.policy)
  if (!envelope.ok) return { state: 'refused', failure: envelope.failure }
  return new KeyTrial(packet, envelope.value, receiving).next()
}

/** Decrypts here and now: without GnuPG. */
export function goOnNow(pending: Pending): Received {
  return pending.goOn(decryptNow(pending))
}

function decryptNow({ envelope, encryption }: Pending): Result<Decrypted, TrialFailure> {
  switch (encryption.kind) {
    case 'symmetric':
      return decrypt(envelope, encryption)
    case 'gnupg':
      return refuse('GNUPG_FAILED', 'there is no GnuPG process')
    default:
      return encryption satisfies never
  }
}

/**
 * Tries keys until one opens the packet: those that opened the last packet of the source, then those for the source.
 */
class KeyTrial {
  readonly #packet: Omit<CapturedPacket, 'payload'>
  readonly #envelope: Envelope
  readonly #index: StanzaIndex
  readonly #openers: OpenerMemory
  readonly #isUsed: Receiving['isUsed']
  readonly #showsPackets: boolean
  readonly #trials: Trial[] | undefined
  /** Those that opened the last packet of the source. */
  readonly #last: Keyring | undefined
  readonly #others: readonly Keyring[]
  /** How many have had their turn, the last opener included. */
  #tried = 0
  /** By the first keys that open it, of those whose stanzas do not take its signature. */
  #unwelcome: Knock | undefined
  #closest: { readonly failure: TrialFailure; readonly keyring: Keyring } | undefined

  constructor(packet: Omit<CapturedPacket, 'payload'>, envelope: Envelope, receiving: Receiving) {
    const { index, openers, isUsed, policy } = receiving
    this.#packet = packet
    this.#envelope = envelope
    this.#index = index
    this.#openers = openers
    this.#isUsed = isUsed
    this.#showsPackets = policy.showsPackets === true
    this.#trials = policy.namesTrials === true ? [] : undefined
    const { source, destinationPort } = packet
    const last = openers.last(source)
    // The source may have knocked at another port.
    this.#last = last !== undefined && index.isFor(last, source, destinationPort) ? last : undefined
    this.#others = index.keyringsFor(source, destinationPort)
  }

  next(): Received {
    for (let keyring = this.#nextKeyring(); keyring !== undefined; keyring = this.#nextKeyring()) {
      const { encryption } = keyring
      const authentic = authenticateUnder(keyring, this.#envelope)
      if (authentic.ok) {
        if (encryption.kind === 'symmetric' && this.#isCopy(authentic.value))
          return { state: 'refused', failure: { ...USED_BEFORE, stanza: keyring.stanzas[0].id } }
        const goOn = this.#goOn.bind(this, keyring)
        const { vouchedBy } = keyring
        return {
          ...{ state: 'pending', envelope: authentic.value, encryption, goOn },
          ...(vouchedBy !== undefined && { vouchedBy }),
        }
      }
      this.#notOpened(authentic.failure, keyring)
    }
    if (this.#unwelcome !== undefined) return { state: 'opened', knock: this.#unwelcome }
    return { state: 'refused', failure: this.#failure() }
  }

  #isCopy({ envelope, tagLength }: AuthenticEnvelope): boolean {
    const ciphertext = this.#isUsed === undefined ? undefined : envelope.ciphertext(tagLength)
    return ciphertext !== undefined && this.#isUsed?.(replayDigest(ciphertext)) === true
  }

  #nextKeyring(): Keyring | undefined {
    const i = this.#tried++
    if (this.#last === undefined) return this.#others[i]
    if (i === 0) return this.#last
    // A place further on, from where the last opener has been passed over.
    const keyring = this.#others[i - 1]
    if (keyring !== this.#last) return keyring
    return this.#nextKeyring()
  }

  #goOn(keyring: Keyring, decrypted: Result<Decrypted, TrialFailure>, proof?: GnupgProof): Received {
    const opened = decrypted.ok ? readPlaintext(decrypted.value) : decrypted
    if (!opened.ok) {
      this.#notOpened(opened.failure, keyring)
      return this.next()
    }
    const { source, destinationPort } = this.#packet
    const welcome =
      proof === undefined
        ? undefined
        : this.#index.stanzasFor(keyring, source, destinationPort).find((one) => takesReport(one, proof))
    const opener = welcome ?? keyring.stanzas[0]
    const opening = knockOf(opened.value, opener, this.#packet, this.#envelope)
    const knock = this.#showsPackets ? { ...opening, text: textOf(this.#envelope) } : opening
    if (proof !== undefined && welcome === undefined) return this.#notWelcome({ ...knock, gnupg: proof })
    this.#openers.remember(source, keyring)
    return { state: 'opened', knock: proof === undefined ? knock : { ...knock, gnupg: proof } }
  }

  /**
   * No stanza of this keyring takes what GnuPG reports. Another keyring may have the same secret key, and know the
   * signer. If none does, the warden says why.
   */
  #notWelcome(knock: Knock): Received {
    this.#unwelcome ??= knock
    return this.next()
  }

  #notOpened(failure: TrialFailure, keyring: Keyring): void {
    if (this.#trials !== undefined && this.#trials.length < MOST_TRIED)
      this.#trials.push({ keys: keyring.name, code: failure.code })
    if (this.#closest === undefined || progress[failure.code] > progress[this.#closest.failure.code])
      this.#closest = { failure, keyring }
  }

  #failure(): ReceiveFailure {
    if (this.#closest === undefined) {
      const { source, destinationPort } = this.#packet
      const isPort = this.#index.keyringsFor(source, 'any').length > 0
      const where = isPort ? ` at port ${destinationPort}` : ''
      return refuse('ACCESS_NO_SOURCE', `no stanza is for ${source}${where}`).failure
    }
    const { failure, keyring } = this.#closest
    return {
      ...failure,
      ...(isSomebodys(failure, keyring) && { stanza: keyring.stanzas[0].id }),
      ...(this.#trials && { trials: this.#trials }),
    }
  }
}

function authenticateUnder(keyring: Keyring, envelope: Envelope) {
  switch (keyring.encryption.kind) {
    case 'symmetric':
      return authenticatePacket(envelope, keyring, mayBeLong(envelope, keyring) ? LONG : SHORT)
    case 'gnupg':
      return authenticateForGnupg(envelope, keyring)
    default:
      return keyring.encryption satisfies never
  }
}

/** Stanzas that run commands take longer packets, as in fwknopd (docs/WIRE.md § 7). */
const [LONG, SHORT] = [{ commands: true }, { commands: false }] as const

function mayBeLong({ wireLength }: Envelope, keyring: Keyring): boolean {
  return wireLength >= MIN_GPG_LENGTH && runsCommands(keyring)
}

/** What has not the outline of an encrypted message never reaches the GnuPG process. */
function authenticateForGnupg(envelope: Envelope, keyring: Keyring): Result<AuthenticEnvelope, OpenFailure> {
  const authentic = authenticateGnupgPacket(envelope, keyring)
  if (!authentic.ok) return authentic
  const message = gnupgMessageOf(authentic.value)
  if (message === undefined)
    return refuseByRule('SPA_MALFORMED', 'outer-base64', 'the ciphertext is not in canonical base64')
  return recipientsOf(message) === undefined ? NO_MESSAGE : authentic
}

const NO_MESSAGE = refuse('SPA_MALFORMED', 'it is not an encrypted OpenPGP message')

/** The OpenPGP message of a packet: binary. @returns undefined for one that is not in canonical base64. */
export function gnupgMessageOf({ envelope, tagLength }: AuthenticEnvelope): Uint8Array | undefined {
  return envelope.ciphertext(tagLength)
}

/** How far a packet came under a key, by what it failed at. */
const progress = {
  SPA_LENGTH: 0,
  SPA_HMAC_MISMATCH: 1,
  SPA_MALFORMED: 2,
  SPA_DECRYPT_FAILED: 3,
  GNUPG_BUSY: 3,
  GNUPG_FAILED: 3,
  SPA_DIGEST_MISMATCH: 4,
  SPA_FIELD_INVALID: 5,
  SPA_REPLAYED: 6,
} as const satisfies Record<TrialFailure['code'], number>

/** Whether the packet had the HMAC of a key, or the plaintext that its cipher key gives. */
function isSomebodys({ code }: TrialFailure, { hmac }: Keyring): boolean {
  return progress[code] > progress[hmac === undefined ? 'SPA_DECRYPT_FAILED' : 'SPA_HMAC_MISMATCH']
}

/** As it came, without a prefix. */
function textOf({ ascii, prefixLength }: Envelope): string {
  return latin1Text(ascii.subarray(prefixLength))
}

function knockOf(
  { message, digest, fwknopDigest }: OpenedPacket,
  opener: Stanza,
  captured: Omit<CapturedPacket, 'payload'>,
  { forwardedFor, inRequest }: Envelope,
): Knock {
  const { source, sourcePort, destination, destinationPort, interfaceIndex } = captured
  const way = wayOf(captured)
  return {
    openedBy: opener.id,
    digest,
    fwknopDigest,
    message,
    packet: {
      ...{ source, sourcePort, destinationPort },
      ...(destination === undefined ? {} : { destination }),
      ...(interfaceIndex === undefined ? {} : { interfaceIndex }),
      ...(way === 'udp' ? {} : { way }),
    },
    ...(inRequest && { http: true }),
    ...(forwardedFor === undefined ? {} : { forwardedFor }),
  }
}
