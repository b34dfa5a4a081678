/**
 * Keys as files and people write them: raw text, or base64 (docs/WIRE.md § 12). Works for both kinds:
 * `parseKeyText(EncryptionKey, 'a passphrase')`, `parseKeyBase64(HmacKey, 'c2VjcmV0')`.
 */
import { decodeBase64Lenient } from '../bytes/base64.ts'
import { wipe } from '../bytes/bytes.ts'
import { bytesFromText } from '../bytes/text.ts'
import { type Failure, type Result, refuse } from '../result.ts'

/** {@link EncryptionKey} or {@link HmacKey}: the class itself, by what it can make. */
export interface KeyKind<Key> {
  fromBytes(bytes: Uint8Array): Result<Key, Failure<'KEY_INVALID'>>
}

/** What fwknop's sample files hold in place of a key. */
const PLACEHOLDER = '__CHANGEME__'

/**
 * Reads a key as text. Its bytes are the key: UTF-8, and the other bytes that {@link textFromBytes} kept.
 * @param kind `EncryptionKey`, of 1 to 32 bytes, or `HmacKey`, of 1 to 136.
 * @param text the key.
 * @returns the key, which shows as `[secret]`; `KEY_INVALID` where it is too short or too long for this kind.
 * @example
 * ```ts
 * import { EncryptionKey, parseKeyText } from 'ghostport/packet'
 *
 * const key = parseKeyText(EncryptionKey, 'a key that both ends know')
 * console.log(key.ok && `${key.value}`) // [secret]
 * const refused = parseKeyText(EncryptionKey, '')
 * console.log(refused.ok || refused.failure.code) // KEY_INVALID
 * ```
 */
export function parseKeyText<Key>(kind: KeyKind<Key>, text: string): Result<Key, Failure<'KEY_INVALID'>> {
  if (text === PLACEHOLDER) return refusePlaceholder()
  const bytes = bytesFromText(text)
  if (bytes === undefined) return refuse('KEY_INVALID', 'the key holds half of a surrogate pair, which has no bytes')
  const key = kind.fromBytes(bytes)
  wipe(bytes)
  return key
}

/**
 * Reads a key in base64 as fwknop does, so that its key files work here: `=` ends the key, unused bits are ignored.
 * @param kind `EncryptionKey`, of 1 to 32 bytes, or `HmacKey`, of 1 to 136.
 * @param text base64 of the key.
 * @returns the key, which shows as `[secret]`; `KEY_INVALID` if it is not base64, or too short or too long for this
 * kind.
 * @example
 * ```ts
 * import { HmacKey, parseKeyBase64 } from 'ghostport/packet'
 *
 * const key = parseKeyBase64(HmacKey, 'c2VjcmV0')
 * console.log(key.ok && `${key.value}`) // [secret]
 * ```
 */
export function parseKeyBase64<Key>(kind: KeyKind<Key>, text: string): Result<Key, Failure<'KEY_INVALID'>> {
  if (text === PLACEHOLDER) return refusePlaceholder()
  const bytes = decodeBase64Lenient(text)
  // Does not say which character is wrong: the text is a secret.
  if (bytes === undefined) return refuse('KEY_INVALID', 'the key is not base64')
  const key = kind.fromBytes(bytes)
  wipe(bytes)
  return key
}

function refusePlaceholder() {
  return refuse('KEY_INVALID', `${PLACEHOLDER} is a placeholder, not a key: make one with “ghostport keygen”`)
}
