/**
 * The first half of a packet's life, in the process that has no privilege: bytes of a stranger's → a knock that some key
 * vouches for. Leaves no trace of what no key opens. The second half is warden/admission/judge.ts.
 */
import type { Keyring } from '../../access/keyring.ts'
import type { StanzaIndex } from '../../access/matching.ts'
import type { OpenerMemory } from '../../access/opener-memory.ts'
import type { Policy } from '../../access/policy.ts'
import type { StanzaId } from '../../access/stanza.ts'
import type { CapturedPacket } from '../../capture/capture.ts'
import type { IpAddress } from '../../packet/address.ts'
import { type Envelope, parseEnvelope } from '../../packet/envelope.ts'
import { type OpenedPacket, type OpenFailure, openPacket } from '../../packet/open.ts'
import type { PacketFailure } from '../../packet/strictness.ts'
import { type Failure, ok, type Refused, type Result, refuse } from '../../result.ts'
import type { Knock } from '../link/knock.ts'

export interface Receiving {
  readonly policy: Pick<Policy, 'http'>
  /** Of the policy's stanzas. */
  readonly index: StanzaIndex
  /** Which keys to try first. Forget it when the index is replaced. */
  readonly openers: OpenerMemory
}

export type ReceiveFailure = (PacketFailure<OpenFailure['code']> | Failure<'ACCESS_NO_SOURCE'>) & {
  /** The stanza whose keys came closest, where any came closer than the others. */
  readonly stanza?: StanzaId
}

/**
 * Opens a packet.
 * @returns the knock; or why the packet is none that any stanza for its source can open: `SPA_LENGTH`, `SPA_MALFORMED`,
 * `ACCESS_NO_SOURCE`, and what {@link openPacket} says.
 */
export function receive(packet: CapturedPacket, { policy, index, openers }: Receiving): Result<Knock, ReceiveFailure> {
  const envelope = parseEnvelope(packet.payload, policy)
  if (!envelope.ok) return envelope
  const opened = openForSource(envelope.value, packet.source, index, openers)
  if (!opened.ok) return opened
  const { keyring, message, digest, fwknopDigest } = opened.value
  const { source, sourcePort, destination, destinationPort, interfaceIndex } = packet
  const { forwardedFor } = envelope.value
  return ok({
    openedBy: keyring.stanzas[0].id,
    digest,
    fwknopDigest,
    message,
    packet: {
      ...{ source, sourcePort, destinationPort },
      ...(destination === undefined ? {} : { destination }),
      ...(interfaceIndex === undefined ? {} : { interfaceIndex }),
    },
    ...(forwardedFor === undefined ? {} : { forwardedFor }),
  })
}

/** Tries keys until one opens the packet: those that opened the last packet of the source, then those for the source. */
export function openForSource(
  envelope: Envelope,
  source: IpAddress,
  index: StanzaIndex,
  openers: OpenerMemory,
): Result<OpenedPacket & { readonly keyring: Keyring }, ReceiveFailure> {
  const last = openers.last(source)
  let closest: { failure: OpenFailure; keyring: Keyring } | undefined
  for (const keyring of keysToTry(index, source, last)) {
    const opened = openPacket(envelope, keyring)
    if (opened.ok) {
      openers.remember(source, keyring)
      return ok({ ...opened.value, keyring })
    }
    if (closest === undefined || progress[opened.failure.code] > progress[closest.failure.code])
      closest = { failure: opened.failure, keyring }
  }
  if (closest === undefined) return refuse('ACCESS_NO_SOURCE', `no stanza is for ${source}`)
  return notOpened(closest.failure, closest.keyring)
}

function* keysToTry(index: StanzaIndex, source: IpAddress, last: Keyring | undefined): Iterable<Keyring> {
  if (last !== undefined) yield last
  for (const keyring of index.keyringsFor(source)) if (keyring !== last) yield keyring
}

/** How far a packet came under a key, by what it failed at. */
const progress = {
  SPA_LENGTH: 0,
  SPA_HMAC_MISMATCH: 1,
  SPA_MALFORMED: 2,
  SPA_DECRYPT_FAILED: 3,
  SPA_DIGEST_MISMATCH: 4,
  SPA_FIELD_INVALID: 5,
} as const satisfies Record<OpenFailure['code'], number>

/** From here on, the packet had the HMAC of a key, or the plaintext that its cipher key gives: it is somebody's. */
function notOpened(failure: OpenFailure, { hmac, stanzas }: Keyring): Refused<ReceiveFailure> {
  const isSomebodys = progress[failure.code] > progress[hmac === undefined ? 'SPA_DECRYPT_FAILED' : 'SPA_HMAC_MISMATCH']
  return { ok: false, failure: isSomebodys ? { ...failure, stanza: stanzas[0].id } : failure }
}
