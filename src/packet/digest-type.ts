/** The hash functions of the wire: for the digest inside the message, and for the HMAC (docs/WIRE.md § 6, § 8). */
import { type Failure, ok, type Result, refuse } from '../result.ts'

/** In the names that fwknop's options use. */
export const DIGEST_TYPES = ['md5', 'sha1', 'sha256', 'sha384', 'sha512', 'sha3_256', 'sha3_512'] as const
export type DigestType = (typeof DIGEST_TYPES)[number]

/** Case is ignored, as in fwknop. */
export function parseDigestType(text: string): Result<DigestType, Failure<'VALUE_INVALID'>> {
  const found = DIGEST_TYPES.find((type) => type === text.toLowerCase())
  return found === undefined
    ? refuse('VALUE_INVALID', `“${text}” is not a digest type: one of ${DIGEST_TYPES.join(', ')}`)
    : ok(found)
}
