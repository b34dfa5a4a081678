/** From an authentic envelope to the plaintext of its message (docs/WIRE.md § 7). */
import { ok, type Result, refuse } from '../result.ts'
import type { Brand } from '../units.ts'
import type { AuthenticEnvelope } from './authenticate.ts'
import { decryptPadded, type Encryption, isSalted, messageBlocks, unpad, withoutPadding } from './cipher.ts'
import type { Envelope } from './envelope.ts'
import { type PacketFailure, refuseByRule } from './strictness.ts'
import { RANDOM_DIGITS } from './wire-limits.ts'

/**
 * A plaintext with the identity of its packet (docs/WIRE.md § 10): the ciphertext without a block that is padding
 * alone, or for GnuPG the plaintext. Only {@link decrypt} and {@link decryptedByGnupg} make one; only `readPlaintext`
 * takes one.
 */
export type Decrypted = Brand<
  { readonly plaintext: Uint8Array; readonly identity: Uint8Array; readonly envelope: Envelope },
  'Decrypted'
>

/** Why an authentic packet does not decrypt. */
export type DecryptFailure = PacketFailure<'SPA_MALFORMED' | 'SPA_DECRYPT_FAILED'>

const COLON = 0x3a

/**
 * Decrypts what was authenticated.
 * @param authentic as `authenticatePacket` or `authenticate` makes it.
 * @param encryption the key, and the mode of the cipher.
 * @returns the plaintext, for `readPlaintext`; `SPA_MALFORMED` if the text is not canonical base64 of a ciphertext;
 * `SPA_DECRYPT_FAILED` if this key and mode do not decrypt it.
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
 * if (!authentic.ok) throw new Error(authentic.failure.detail)
 * console.log(decrypt(authentic.value, encryption).ok) // true
 * const refused = decrypt(authentic.value, { ...encryption, mode: 'CTR' })
 * console.log(refused.ok || refused.failure.code) // SPA_DECRYPT_FAILED
 * ```
 */
export function decrypt(
  { envelope, tagLength }: AuthenticEnvelope,
  encryption: Encryption,
): Result<Decrypted, DecryptFailure> {
  const ciphertext = envelope.ciphertext(tagLength)
  if (ciphertext === undefined)
    return refuseByRule('SPA_MALFORMED', 'outer-base64', 'the ciphertext is not in canonical base64')
  if (!isSalted(ciphertext)) return refuseByRule('SPA_MALFORMED', 'salted-head', 'the ciphertext has no salt')
  const padded = decryptPadded(ciphertext, encryption)
  if (padded === undefined || !beginsWithRandom(padded))
    return refuse('SPA_DECRYPT_FAILED', 'it is encrypted with another key or mode')
  // A client of 2.0.x does not pad a message that fills its blocks. Its packets have no HMAC.
  const plaintext = unpad(padded) ?? (tagLength === 0 ? withoutPadding(padded, encryption) : undefined)
  if (plaintext === undefined) return refuseByRule('SPA_DECRYPT_FAILED', 'block-padding', 'the padding is not PKCS #7')
  return ok({ plaintext, identity: messageBlocks(ciphertext, plaintext), envelope } as Decrypted)
}

/**
 * What GnuPG decrypted. Its identity is the plaintext: OpenPGP has many spellings for one message, among them other
 * lengths of its parts, and the same session key for another recipient.
 * @internal
 */
export function decryptedByGnupg({ envelope }: AuthenticEnvelope, plaintext: Uint8Array): Decrypted {
  return { plaintext, identity: plaintext, envelope } as Decrypted
}

/** The random value and a colon: the only sign that the key was right. */
function beginsWithRandom(plaintext: Uint8Array): boolean {
  if (plaintext[RANDOM_DIGITS] !== COLON) return false
  return plaintext.subarray(0, RANDOM_DIGITS).every((byte) => byte >= 0x30 && byte <= 0x39)
}
