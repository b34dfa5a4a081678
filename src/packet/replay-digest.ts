/**
 * Names for used packets (docs/WIRE.md § 10). fwknopd hashes the text as it came, so that one packet has as many names as
 * base64 has spellings; ours hashes the decoded ciphertext, which has one.
 */
import { primitives } from '#primitives'
import { encodeBase64 } from '../bytes/base64.ts'
import type { Brand } from '../units.ts'
import { type Envelope, WIRE_PREFIX } from './envelope.ts'

/** Base64 (unpadded) of the SHA-256 over the decoded ciphertext, `Salted__`, salt and all, without the HMAC. */
export type ReplayDigest = Brand<string, 'ReplayDigest'>

/** Base64 (unpadded) of the SHA-256 over the wire text in its canonical spelling: what fwknopd's `digest.cache` holds. */
export type FwknopDigest = Brand<string, 'FwknopDigest'>

/** @param ciphertext as decoded, from `Salted__` on. */
export function replayDigest(ciphertext: Uint8Array): ReplayDigest {
  return encodeBase64(primitives.digest('sha256', ciphertext)) as ReplayDigest
}

/** HMAC and all, prefix left off, no `=`, in the plain alphabet also where it came in an HTTP request. */
export function fwknopDigest(envelope: Envelope): FwknopDigest {
  return encodeBase64(primitives.digest('sha256', envelope.ascii.subarray(WIRE_PREFIX.length))) as FwknopDigest
}
