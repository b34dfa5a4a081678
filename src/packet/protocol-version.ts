/**
 * Which generation of fwknop a packet is of (docs/WIRE.md § 13). A packet says its version only inside, encrypted, so a
 * sender must know what its server reads; a reader can tell what the sender meant.
 */
import { type Failure, ok, type Result, refuse } from '../result.ts'
import type { Brand } from '../units.ts'

/** `3.0.0`, `1.9.12`: two or three numbers. */
export type ProtocolVersion = Brand<string, 'ProtocolVersion'>

/** What fwknop 2.6 says it speaks. */
export const PROTOCOL_VERSION = '3.0.0' as ProtocolVersion

const MAX_LENGTH = 8

/**
 * Reads a version that is to be sent. Of packets that came, fwknopd looks at no more than the length, and so do we.
 * @param text two or three numbers, at most 8 characters.
 * @returns the version, or `VALUE_INVALID`.
 * @example
 * ```ts
 * import { parseProtocolVersion } from 'ghostport/packet'
 *
 * const result = parseProtocolVersion('1.9.12')
 * console.log(result.ok && result.value) // 1.9.12
 * const refused = parseProtocolVersion('latest')
 * console.log(refused.ok || refused.failure.code) // VALUE_INVALID
 * ```
 */
export function parseProtocolVersion(text: string): Result<ProtocolVersion, Failure<'VALUE_INVALID'>> {
  return text.length <= MAX_LENGTH && /^[0-9]+\.[0-9]+(\.[0-9]+)?$/.test(text)
    ? ok(text as ProtocolVersion)
    : refuse('VALUE_INVALID', `“${text}” is not a protocol version, such as ${PROTOCOL_VERSION}`)
}

/** Up to 1.9.12, all of it Perl: padded base64 fields, no HMAC, and local NAT with its ports the other way round. */
export function isPerlEra(version: string): boolean {
  return /^[01]\./.test(version)
}
