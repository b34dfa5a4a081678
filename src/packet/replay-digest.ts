/**
 * Identities of used packets (docs/WIRE.md § 10). fwknopd hashes the text as received, so one packet has as many
 * identities as base64 spellings. Ours hashes the decoded ciphertext, which has one. A GnuPG message can be spelled
 * in many ways too, so there ours hashes the plaintext.
 */
import { primitives } from '#primitives'
import { encodeBase64 } from '../bytes/base64.ts'
import type { Brand } from '../units.ts'
import type { Envelope } from './envelope.ts'

/**
 * Base64 (unpadded) of a SHA-256. Of a symmetric packet: of the decoded ciphertext, including `Salted__` and salt,
 * without the HMAC and without a last block that is padding alone. Of a GnuPG packet: of the plaintext.
 */
export type ReplayDigest = Brand<string, 'ReplayDigest'>

/** Base64 (unpadded) of the SHA-256 of the wire text in its canonical spelling, as in fwknopd's `digest.cache`. */
export type FwknopDigest = Brand<string, 'FwknopDigest'>

/** @param identity the decoded ciphertext, from `Salted__` on; or the plaintext of a GnuPG packet. */
export function replayDigest(identity: Uint8Array): ReplayDigest {
  return encodeBase64(primitives.digest('sha256', identity)) as ReplayDigest
}

/**
 * Covers the text with its HMAC, without the prefix and without `=`. The alphabet is the plain one, even if the packet
 * came in an HTTP request.
 */
export function fwknopDigest(envelope: Envelope): FwknopDigest {
  return encodeBase64(primitives.digest('sha256', envelope.ascii.subarray(envelope.prefixLength))) as FwknopDigest
}
