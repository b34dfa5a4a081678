/** How the ciphertext chains its blocks. Agreed out of band, never on the wire (docs/WIRE.md § 7). */
import { type Failure, ok, type Result, refuse } from '../result.ts'

/** In the spelling that fwknop's options use. `legacy` is CBC with the key rule of fwknop before 2.5. */
export const ENCRYPTION_MODES = ['CBC', 'ECB', 'CFB', 'OFB', 'CTR', 'legacy'] as const
export type EncryptionMode = (typeof ENCRYPTION_MODES)[number]

/** Case is ignored, as in fwknop. */
export function parseEncryptionMode(text: string): Result<EncryptionMode, Failure<'VALUE_INVALID'>> {
  const found = ENCRYPTION_MODES.find((mode) => mode.toLowerCase() === text.toLowerCase())
  return found === undefined
    ? refuse('VALUE_INVALID', `“${text}” is not an encryption mode: one of ${ENCRYPTION_MODES.join(', ')}`)
    : ok(found)
}
