/**
 * Which generation of fwknop made a packet (docs/WIRE.md § 13). The version is inside the encrypted part. So a sender
 * must know which versions its server reads; a reader sees the version after decryption.
 */
import { type Failure, ok, type Result, refuse } from '../result.ts'
import type { Brand } from '../units.ts'

/** `3.0.0`, `1.9.12`: two or three numbers. */
export type ProtocolVersion = Brand<string, 'ProtocolVersion'>

/** The version that fwknop 2.6 sends. */
export const PROTOCOL_VERSION = '3.0.0' as ProtocolVersion

const MAX_LENGTH = 8

/**
 * Reads a version to send. Of a received version, only the length is checked, as in fwknopd.
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

/** Up to 1.9.12, the Perl versions: padded base64 fields, no HMAC, and local NAT with its ports in the other order. */
export function isPerlEra(version: string): boolean {
  return /^[01]\./.test(version)
}
