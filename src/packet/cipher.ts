/**
 * The symmetric cipher of the wire (docs/WIRE.md § 7): OpenSSL's `enc` format. `Salted__`, eight bytes of salt, then
 * AES-256. Three rounds of MD5 make the key and the initialisation vector from passphrase and salt. Every mode is
 * padded, even the stream modes.
 */
import { primitives } from '#primitives'
import { concatBytes, equalBytes, wipe } from '../bytes/bytes.ts'
import { chainingOf, type EncryptionMode, passphraseOf } from './encryption-mode.ts'
import type { EncryptionKey } from './key.ts'

const BLOCK = 16
const SALTED = Uint8Array.of(0x53, 0x61, 0x6c, 0x74, 0x65, 0x64, 0x5f, 0x5f)
export const SALT_LENGTH = 8
const HEAD = SALTED.length + SALT_LENGTH

/** How packets are encrypted: the key, and the mode of the cipher. */
export interface Encryption {
  readonly key: EncryptionKey
  readonly mode: EncryptionMode
}

/** @param salt 8 bytes, never used before. @returns `Salted__`, salt and ciphertext. */
export function encrypt(plaintext: Uint8Array, { key, mode }: Encryption, salt: Uint8Array): Uint8Array {
  const secret = deriveKey(key, mode, salt)
  const padding = BLOCK - (plaintext.length % BLOCK)
  const padded = concatBytes(plaintext, new Uint8Array(padding).fill(padding))
  const encrypted = primitives.encrypt(chainingOf(mode), secret.key, secret.iv, padded)
  wipe(secret.key, secret.iv, padded)
  return concatBytes(SALTED, salt, encrypted)
}

/** Whether this has the form of a ciphertext: `Salted__`, a salt, and one or more whole blocks. */
export function isSalted(ciphertext: Uint8Array): boolean {
  return ciphertext.length > HEAD && equalBytes(ciphertext.subarray(0, SALTED.length), SALTED)
}

/** @returns the plaintext with its padding, which is not checked; undefined if the ciphertext is not whole blocks. */
export function decryptPadded(ciphertext: Uint8Array, { key, mode }: Encryption): Uint8Array | undefined {
  if (ciphertext.length % BLOCK !== 0) return undefined
  const secret = deriveKey(key, mode, ciphertext.subarray(SALTED.length, HEAD))
  const padded = primitives.decrypt(chainingOf(mode), secret.key, secret.iv, ciphertext.subarray(HEAD))
  wipe(secret.key, secret.iv)
  return padded
}

/** Removes PKCS #7 padding. @returns undefined if there is none; fwknopd then keeps the text as it is. */
export function unpad(padded: Uint8Array): Uint8Array | undefined {
  const length = padded[padded.length - 1] ?? 0
  if (length < 1 || length > BLOCK) return undefined
  const end = padded.length - length
  return padded.subarray(end).every((byte) => byte === length) ? padded.subarray(0, end) : undefined
}

/**
 * What the clients of fwknop 2.0.x send for a message that fills its blocks: no padding at all.
 * @returns the text, or undefined where the end looks like padding or is no text.
 */
export function withoutPadding(padded: Uint8Array, { mode }: Encryption): Uint8Array | undefined {
  const last = padded[padded.length - 1] ?? 0
  return chainingOf(mode) === 'cbc' && last > BLOCK ? padded : undefined
}

/**
 * The ciphertext of the blocks that have a byte of the message. Anybody can cut off a block that is padding alone, so
 * it is no part of what makes a packet itself.
 */
export function messageBlocks(ciphertext: Uint8Array, plaintext: Uint8Array): Uint8Array {
  return ciphertext.subarray(0, HEAD + Math.ceil(plaintext.length / BLOCK) * BLOCK)
}

/** OpenSSL's EVP_BytesToKey with MD5 and one round: D₁ = MD5(P‖S), D₂ = MD5(D₁‖P‖S), D₃ = MD5(D₂‖P‖S). */
function deriveKey(key: EncryptionKey, mode: EncryptionMode, salt: Uint8Array) {
  const salted = concatBytes(passphraseOf(key, mode), salt)
  const first = primitives.digest('md5', salted)
  const second = primitives.digest('md5', concatBytes(first, salted))
  const iv = primitives.digest('md5', concatBytes(second, salted))
  const derived = { key: concatBytes(first, second), iv }
  wipe(salted, first, second)
  return derived
}
