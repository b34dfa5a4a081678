/** The hash functions of the wire: for the digest inside the message, and for the HMAC (docs/WIRE.md § 6, § 8). */
import { base64Length } from '../bytes/base64.ts'
import type { HashName } from '../primitives/primitives.ts'
import { type Failure, ok, type Result, refuse } from '../result.ts'

/** The names are those of fwknop's options. */
export const DIGEST_TYPES = ['md5', 'sha1', 'sha256', 'sha384', 'sha512', 'sha3_256', 'sha3_512'] as const
/** One of {@link DIGEST_TYPES}. */
export type DigestType = (typeof DIGEST_TYPES)[number]
/** The default for the message and the HMAC. */
export const DEFAULT_DIGEST_TYPE = 'sha256' satisfies DigestType

/** In bytes. */
const DIGEST_LENGTHS = {
  md5: 16,
  sha1: 20,
  sha256: 32,
  sha384: 48,
  sha512: 64,
  sha3_256: 32,
  sha3_512: 64,
} as const satisfies Record<DigestType, number> & Record<HashName, number>

/**
 * Reads the name of a digest.
 * @param text its name, in any case, as in fwknop.
 * @returns the digest type, or `VALUE_INVALID`.
 * @example
 * ```ts
 * import { parseDigestType } from 'ghostport/packet'
 *
 * const result = parseDigestType('SHA256')
 * console.log(result.ok && result.value) // sha256
 * const refused = parseDigestType('sha224')
 * console.log(refused.ok || refused.failure.code) // VALUE_INVALID
 * ```
 */
export function parseDigestType(text: string): Result<DigestType, Failure<'VALUE_INVALID'>> {
  const found = DIGEST_TYPES.find((type) => type === text.toLowerCase())
  return found === undefined
    ? refuse('VALUE_INVALID', `“${text}” is not a digest type: one of ${DIGEST_TYPES.join(', ')}`)
    : ok(found)
}

/** How many characters a digest or HMAC of this type takes on the wire: 22 to 86. */
export function encodedDigestLength(type: DigestType): number {
  return base64Length(DIGEST_LENGTHS[type])
}
