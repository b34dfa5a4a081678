/**
 * Names for used packets (docs/WIRE.md § 10). fwknopd hashes the text as it came, so that one packet has as many names as
 * base64 has spellings; ours hashes the decoded ciphertext, which has one.
 */
import type { Brand } from '../units.ts'

/** Base64 (unpadded) of the SHA-256 over the decoded ciphertext, `Salted__`, salt and all, without the HMAC. */
export type ReplayDigest = Brand<string, 'ReplayDigest'>

/** Base64 (unpadded) of the SHA-256 over the wire text in its canonical spelling: what fwknopd's `digest.cache` holds. */
export type FwknopDigest = Brand<string, 'FwknopDigest'>
