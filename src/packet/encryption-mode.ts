/** How the ciphertext chains its blocks. Both ends must know the mode: it is never on the wire (docs/WIRE.md § 7). */
import type { ChainingMode } from '../primitives/primitives.ts'
import { type Failure, ok, type Result, refuse } from '../result.ts'
import { type EncryptionKey, exposeKey } from './key.ts'

/** The names are those of fwknop's options. `legacy` is CBC with the key rule of fwknop before 2.5. */
export const ENCRYPTION_MODES = ['CBC', 'ECB', 'CFB', 'OFB', 'CTR', 'legacy'] as const
/** One of {@link ENCRYPTION_MODES}. */
export type EncryptionMode = (typeof ENCRYPTION_MODES)[number]
/** The default. */
export const DEFAULT_ENCRYPTION_MODE = 'CBC' satisfies EncryptionMode

/**
 * Reads the name of a mode.
 * @param text its name, in any case, as in fwknop.
 * @returns the mode, or `VALUE_INVALID`.
 * @example
 * ```ts
 * import { parseEncryptionMode } from 'ghostport/packet'
 *
 * const result = parseEncryptionMode('ctr')
 * console.log(result.ok && result.value) // CTR
 * const refused = parseEncryptionMode('PCBC')
 * console.log(refused.ok || refused.failure.code) // VALUE_INVALID
 * ```
 */
export function parseEncryptionMode(text: string): Result<EncryptionMode, Failure<'VALUE_INVALID'>> {
  const found = ENCRYPTION_MODES.find((mode) => mode.toLowerCase() === text.toLowerCase())
  return found === undefined
    ? refuse('VALUE_INVALID', `“${text}” is not an encryption mode: one of ${ENCRYPTION_MODES.join(', ')}`)
    : ok(found)
}

const CHAINING = {
  CBC: 'cbc',
  ECB: 'ecb',
  CFB: 'cfb',
  OFB: 'ofb',
  CTR: 'ctr',
  legacy: 'cbc',
} as const satisfies Record<EncryptionMode, ChainingMode>

/** How a mode chains blocks. Mode `legacy` is CBC; only its {@link passphraseOf} differs. */
export function chainingOf(mode: EncryptionMode): ChainingMode {
  return CHAINING[mode]
}

/** Bytes of a passphrase in mode `legacy`, as in fwknop before 2.5. */
export const LEGACY_KEY_LENGTH = 16

/**
 * The bytes of a key that a mode uses as passphrase. Mode `legacy` fills a short key with the character `0` and cuts a
 * long one.
 */
export function passphraseOf(key: EncryptionKey, mode: EncryptionMode): Uint8Array {
  const bytes = exposeKey(key)
  if (mode !== 'legacy') return bytes
  const fixed = new Uint8Array(LEGACY_KEY_LENGTH).fill('0'.charCodeAt(0))
  fixed.set(bytes.subarray(0, LEGACY_KEY_LENGTH))
  return fixed
}

/** The mode that encrypts as fwknop 1.9.12 does: it fills a short key up, and never cuts a long one. */
export function modeOf1912(key: EncryptionKey): EncryptionMode {
  return exposeKey(key).length > LEGACY_KEY_LENGTH ? 'CBC' : 'legacy'
}
