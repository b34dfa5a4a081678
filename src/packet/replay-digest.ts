/**
 * Identities of used packets (docs/WIRE.md § 10). fwknopd hashes the text as received, so one packet has as many
 * identities as base64 spellings. Ours hashes the decoded ciphertext, which has one.
 */
import { primitives } from '#primitives'
import { encodeBase64 } from '../bytes/base64.ts'
import type { Brand } from '../units.ts'
import type { Envelope } from './envelope.ts'
import { WIRE_PREFIX } from './wire-limits.ts'

/**
 * Base64 (unpadded) of the SHA-256 of the decoded ciphertext, including `Salted__` and salt, without the HMAC and
 * without a last block that is padding alone.
 */
export type ReplayDigest = Brand<string, 'ReplayDigest'>

/** Base64 (unpadded) of the SHA-256 of the wire text in its canonical spelling, as in fwknopd's `digest.cache`. */
export type FwknopDigest = Brand<string, 'FwknopDigest'>

/** @param ciphertext as decoded, from `Salted__` on. */
export function replayDigest(ciphertext: Uint8Array): ReplayDigest {
  return encodeBase64(primitives.digest('sha256', ciphertext)) as ReplayDigest
}

/**
 * Covers the text with its HMAC, without the prefix and without `=`. The alphabet is the plain one, even if the packet
 * came in an HTTP request.
 */
export function fwknopDigest(envelope: Envelope): FwknopDigest {
  return encodeBase64(primitives.digest('sha256', envelope.ascii.subarray(WIRE_PREFIX.length))) as FwknopDigest
}
