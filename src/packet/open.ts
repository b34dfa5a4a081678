/**
 * Opens a packet with the keys of one stanza: authenticate, decrypt, read. Each step takes a type that only the step
 * before it makes, so another order does not compile.
 */
import { ok, type Result, refuse } from '../result.ts'
import { type Authentication, type AuthenticEnvelope, acceptUnauthenticated, authenticate } from './authenticate.ts'
import type { Encryption } from './cipher.ts'
import { type Decrypted, decrypt } from './decrypt.ts'
import type { Envelope } from './envelope.ts'
import { type DecodedFields, parseFields } from './fields.ts'
import type { Message } from './message.ts'
import { parseMessage } from './message-fields.ts'
import { type FwknopDigest, fwknopDigest, type ReplayDigest, replayDigest } from './replay-digest.ts'
import type { PacketFailure } from './strictness.ts'
import { MIN_GPG_LENGTH } from './wire-limits.ts'

/** The keys of a stanza. A stanza itself fits too. */
export interface PacketKeys {
  readonly encryption: Encryption
  /** Absent: packets carry no HMAC, so anybody can have any ciphertext decrypted. */
  readonly hmac?: Authentication
}

/** A packet that was opened: what it says, and its names. */
export interface OpenedPacket {
  readonly message: Message
  /** The same message as fields of the wire. */
  readonly fields: DecodedFields
  /** The identity of the packet, the same for all its spellings. */
  readonly digest: ReplayDigest
  /** The identity that fwknopd gives it. */
  readonly fwknopDigest: FwknopDigest
}

/** Why a packet was not opened. */
export type OpenFailure = PacketFailure<
  | 'SPA_LENGTH'
  | 'SPA_HMAC_MISMATCH'
  | 'SPA_MALFORMED'
  | 'SPA_DECRYPT_FAILED'
  | 'SPA_DIGEST_MISMATCH'
  | 'SPA_FIELD_INVALID'
>

/** What else a stanza says of its packets. */
export interface OpenOptions {
  /** Whether the stanza runs commands (ENABLE_CMD_EXEC). fwknopd then accepts longer packets (docs/WIRE.md § 7). */
  readonly commands?: boolean
}

/**
 * Opens a packet, or says why these keys do not. In three steps: {@link authenticatePacket}, `decrypt`,
 * {@link readPlaintext}. A program that decrypts elsewhere, or later, takes the steps one by one.
 * @param envelope the packet, unopened.
 * @param keys of a stanza.
 * @param options what else the stanza says.
 * @returns what the packet says; or `SPA_LENGTH`, `SPA_HMAC_MISMATCH`, `SPA_MALFORMED`, `SPA_DECRYPT_FAILED`,
 * `SPA_DIGEST_MISMATCH`, `SPA_FIELD_INVALID`, of the first step that refuses.
 * @example
 * ```ts
 * import {
 *   type Authentication,
 *   type Encryption,
 *   EncryptionKey,
 *   HmacKey,
 *   openPacket,
 *   parseEnvelope,
 *   parseKeyText,
 * } from 'ghostport/packet'
 *
 * const wire =
 *   '8AAAAAAAAAAEyb6oBOur4aCyx3oONiC6Z9eiu78gOwa2+jv2tyAhbRvU1r21d2YXZNUcTf2tC097QrySM' +
 *   'VYQNFiqQ8nxt7xSXziVVs860vOgS0wCmskOJR/n09ngYeCN5EjBA8eqDt0Ax0tPTL0h/vvj1j3pFzaGQA'
 * const envelope = parseEnvelope(new TextEncoder().encode(wire), { http: 'off' })
 * const key = parseKeyText(EncryptionKey, 'one')
 * const hmacKey = parseKeyText(HmacKey, 'two')
 * if (!envelope.ok || !key.ok || !hmacKey.ok) throw new Error('not usable')
 * const encryption: Encryption = { key: key.value, mode: 'CBC' }
 * const hmac: Authentication = { key: hmacKey.value, type: 'md5' }
 * const opened = openPacket(envelope.value, { encryption, hmac })
 * console.log(opened.ok && opened.value.fields.message) // 0.0.0.0,tcp/22
 * const refused = openPacket(envelope.value, { encryption, hmac: { ...hmac, type: 'sha1' } })
 * console.log(refused.ok || refused.failure.code) // SPA_HMAC_MISMATCH
 * ```
 */
export function openPacket(
  envelope: Envelope,
  keys: PacketKeys,
  options: OpenOptions = {},
): Result<OpenedPacket, OpenFailure> {
  const authentic = authenticatePacket(envelope, keys, options)
  if (!authentic.ok) return authentic
  const decrypted = decrypt(authentic.value, keys.encryption)
  return decrypted.ok ? readPlaintext(decrypted.value) : decrypted
}

/**
 * The first step: whether a packet for a symmetric cipher was made with this HMAC key. Without one, anybody may have
 * made it.
 * @param envelope the packet, unopened.
 * @param keys of which the one for the HMAC counts.
 * @param options what else the stanza says.
 * @returns the envelope, for `decrypt`; `SPA_LENGTH` for a packet that fwknopd would take for GnuPG's;
 * `SPA_HMAC_MISMATCH` where it was not made with this key.
 * @example
 * ```ts
 * import { authenticatePacket, HmacKey, parseEnvelope, parseKeyText } from 'ghostport/packet'
 *
 * const wire =
 *   '8AAAAAAAAAAEyb6oBOur4aCyx3oONiC6Z9eiu78gOwa2+jv2tyAhbRvU1r21d2YXZNUcTf2tC097QrySM' +
 *   'VYQNFiqQ8nxt7xSXziVVs860vOgS0wCmskOJR/n09ngYeCN5EjBA8eqDt0Ax0tPTL0h/vvj1j3pFzaGQA'
 * const envelope = parseEnvelope(new TextEncoder().encode(wire), { http: 'off' })
 * const key = parseKeyText(HmacKey, 'two')
 * if (!envelope.ok || !key.ok) throw new Error('not usable')
 * console.log(authenticatePacket(envelope.value, { hmac: { key: key.value, type: 'md5' } }).ok) // true
 * const refused = authenticatePacket(envelope.value, { hmac: { key: key.value, type: 'sha512' } })
 * console.log(refused.ok || refused.failure.code) // SPA_HMAC_MISMATCH
 * ```
 */
export function authenticatePacket(
  envelope: Envelope,
  { hmac }: Pick<PacketKeys, 'hmac'>,
  { commands = false }: OpenOptions = {},
): Result<AuthenticEnvelope, PacketFailure<'SPA_LENGTH' | 'SPA_HMAC_MISMATCH'>> {
  if (!commands && envelope.wireLength >= MIN_GPG_LENGTH) return TOO_LONG
  const authentic = hmac === undefined ? ok(acceptUnauthenticated(envelope)) : authenticate(envelope, hmac)
  if (!authentic.ok) return authentic
  return encodedLength(envelope, authentic.value.tagLength) >= MIN_GPG_LENGTH ? TOO_LONG : authentic
}

/**
 * The first step for a packet made by GnuPG: whether it was made with this HMAC key.
 * @returns the envelope in GnuPG's form, for GnuPG to decrypt; `SPA_LENGTH` for a packet that is too short;
 * `SPA_MALFORMED` for one that begins as no GnuPG packet does; `SPA_HMAC_MISMATCH`.
 * @internal
 */
export function authenticateGnupgPacket(
  envelope: Envelope,
  { hmac }: Pick<PacketKeys, 'hmac'>,
): Result<AuthenticEnvelope, PacketFailure<'SPA_LENGTH' | 'SPA_MALFORMED' | 'SPA_HMAC_MISMATCH'>> {
  if (envelope.wireLength < MIN_GPG_LENGTH) return TOO_SHORT
  const gnupg = envelope.inGnupgForm()
  if (gnupg === undefined) return NO_GNUPG
  return hmac === undefined ? ok(acceptUnauthenticated(gnupg)) : authenticate(gnupg, hmac)
}

const TOO_SHORT = refuse(
  'SPA_LENGTH',
  `too short for this stanza, which is for GnuPG: fwknopd takes packets below ${MIN_GPG_LENGTH} characters for symmetric ones`,
)
const NO_GNUPG = refuse('SPA_MALFORMED', 'it does not begin like a GnuPG packet')

/**
 * The last step: what a plaintext says. It does not matter how it was decrypted.
 * @param decrypted as `decrypt` makes it.
 * @returns what the packet says; `SPA_DIGEST_MISMATCH` or `SPA_FIELD_INVALID` if it is not a valid message, in the
 * order in which these are found out.
 * @example
 * ```ts
 * import {
 *   type Authentication,
 *   authenticatePacket,
 *   decrypt,
 *   type Encryption,
 *   EncryptionKey,
 *   HmacKey,
 *   parseEnvelope,
 *   parseKeyText,
 *   readPlaintext,
 * } from 'ghostport/packet'
 *
 * const wire =
 *   '8AAAAAAAAAAEyb6oBOur4aCyx3oONiC6Z9eiu78gOwa2+jv2tyAhbRvU1r21d2YXZNUcTf2tC097QrySM' +
 *   'VYQNFiqQ8nxt7xSXziVVs860vOgS0wCmskOJR/n09ngYeCN5EjBA8eqDt0Ax0tPTL0h/vvj1j3pFzaGQA'
 * const envelope = parseEnvelope(new TextEncoder().encode(wire), { http: 'off' })
 * const key = parseKeyText(EncryptionKey, 'one')
 * const hmacKey = parseKeyText(HmacKey, 'two')
 * if (!envelope.ok || !key.ok || !hmacKey.ok) throw new Error('not usable')
 * const encryption: Encryption = { key: key.value, mode: 'CBC' }
 * const hmac: Authentication = { key: hmacKey.value, type: 'md5' }
 * const authentic = authenticatePacket(envelope.value, { hmac })
 * const decrypted = authentic.ok ? decrypt(authentic.value, encryption) : authentic
 * const opened = decrypted.ok ? readPlaintext(decrypted.value) : decrypted
 * console.log(opened.ok && opened.value.message.username) // ada
 * ```
 */
export function readPlaintext({
  plaintext,
  identity,
  envelope,
}: Decrypted): Result<OpenedPacket, PacketFailure<'SPA_DIGEST_MISMATCH' | 'SPA_FIELD_INVALID'>> {
  const fields = parseFields(plaintext)
  if (!fields.ok) return fields
  const message = parseMessage(fields.value)
  if (!message.ok) return message
  return ok({
    message: message.value,
    fields: fields.value,
    digest: replayDigest(identity),
    fwknopDigest: fwknopDigest(envelope),
  })
}

const TOO_LONG = refuse(
  'SPA_LENGTH',
  `too long for this stanza: fwknopd takes packets of ${MIN_GPG_LENGTH} characters or more for GnuPG`,
)

/** fwknopd checks the length again without the HMAC. By then it has put the prefix back, so the prefix counts. */
function encodedLength(envelope: Envelope, tagLength: number): number {
  return tagLength === 0 ? envelope.wireLength : envelope.cut(tagLength).encoded.length
}
