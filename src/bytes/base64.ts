/**
 * Base64 in the standard alphabet as fwknop writes it, without `=` (docs/WIRE.md § 1). Strict decoding accepts only
 * what {@link encodeBase64} writes, so each byte string has one spelling. With a second spelling, a used packet could
 * be made to look new.
 */
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
const NOT_IN_ALPHABET = 64

/** Character code → value 0–63, or 64 for a character that is not in the alphabet. */
const VALUES = new Uint8Array(256).fill(NOT_IN_ALPHABET)
/** Value → character code. */
const CODES = Uint8Array.from(ALPHABET, (letter) => letter.charCodeAt(0))
for (let value = 0; value < ALPHABET.length; value++) VALUES[ALPHABET.charCodeAt(value)] = value

/** Unpadded. */
export function encodeBase64(bytes: Uint8Array): string {
  let text = ''
  for (let i = 0; i < bytes.length; i += 3) {
    const left = bytes.length - i
    const group = ((bytes[i] ?? 0) << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0)
    text += letter(group >> 18) + letter(group >> 12)
    if (left > 1) text += letter(group >> 6)
    if (left > 2) text += letter(group)
  }
  return text
}

/** Padded with `=` to a multiple of four: for keys in files, and for the fields of 1.9.12. */
export function encodeBase64Padded(bytes: Uint8Array): string {
  return encodeBase64(bytes) + '='.repeat((3 - (bytes.length % 3)) % 3)
}

/** How many characters {@link encodeBase64} makes of `byteCount` bytes. */
export function base64Length(byteCount: number): number {
  return Math.ceil((byteCount * 4) / 3)
}

/**
 * Strict: no padding, no foreign character, no lone last character, no unused bits set.
 * @param text as text or as its ASCII codes.
 */
export function decodeBase64(text: string | Uint8Array): Uint8Array | undefined {
  const codes = typeof text === 'string' ? codesOf(text) : text
  return isCanonical(codes) ? decode(codes, codes.length) : undefined
}

/** Strict, padded or not. If there is any `=`, there must be exactly as many as fill the last group. */
export function decodeBase64Padded(text: string): Uint8Array | undefined {
  const end = text.indexOf('=')
  if (end < 0) return decodeBase64(text)
  const padding = text.slice(end)
  return padding === '='.repeat((4 - (end % 4)) % 4) ? decodeBase64(text.slice(0, end)) : undefined
}

/**
 * Decodes as fwknop does: ignores all that follows the first `=`, a lone last character, and unused bits. Use it for
 * keys, which belong to the user and which fwknop accepted. Never use it for input from the network.
 */
export function decodeBase64Lenient(text: string): Uint8Array | undefined {
  const end = text.indexOf('=')
  const codes = codesOf(end < 0 ? text : text.slice(0, end))
  return isBase64Alphabet(codes) ? decode(codes, codes.length) : undefined
}

/**
 * Whether the text from `start` to its end is the base64 of `bytes`, unpadded, as {@link encodeBase64} writes it. Takes
 * the same time wherever the two differ.
 * @param codes ASCII codes. @param bytes may be secret.
 */
export function endsInBase64(codes: Uint8Array, start: number, bytes: Uint8Array): boolean {
  if (codes.length - start !== base64Length(bytes.length)) return false
  let different = 0
  let at = start
  for (let i = 0; i < bytes.length; i += 3) {
    const group = ((bytes[i] as number) << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0)
    different |= (codes[at++] as number) ^ (CODES[group >> 18] as number)
    different |= (codes[at++] as number) ^ (CODES[(group >> 12) & 63] as number)
    if (i + 1 < bytes.length) different |= (codes[at++] as number) ^ (CODES[(group >> 6) & 63] as number)
    if (i + 2 < bytes.length) different |= (codes[at++] as number) ^ (CODES[group & 63] as number)
  }
  return different === 0
}

/** Whether each ASCII code is in the alphabet; `=` is not. */
export function isBase64Alphabet(codes: Uint8Array): boolean {
  for (let i = 0; i < codes.length; i++) if (VALUES[codes[i] ?? 0] === NOT_IN_ALPHABET) return false
  return true
}

function isCanonical(codes: Uint8Array): boolean {
  const tail = codes.length % 4
  if (tail === 1 || !isBase64Alphabet(codes)) return false
  const last = VALUES[codes[codes.length - 1] ?? 0] ?? 0
  return tail === 0 || (tail === 2 ? (last & 0x0f) === 0 : (last & 0x03) === 0)
}

/** The caller has checked the alphabet. A lone last character carries no byte. */
function decode(codes: Uint8Array, length: number): Uint8Array {
  const bytes = new Uint8Array((length * 6) >> 3)
  let held = 0
  let bits = 0
  let written = 0
  for (let i = 0; i < length; i++) {
    held = ((held << 6) | (VALUES[codes[i] ?? 0] ?? 0)) & 0xffff
    bits += 6
    if (bits >= 8 && written < bytes.length) {
      bits -= 8
      bytes[written++] = held >> bits
    }
  }
  return bytes
}

/** Characters above Latin-1 become NUL, which is not in the alphabet either. */
function codesOf(text: string): Uint8Array {
  const codes = new Uint8Array(text.length)
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    codes[i] = code < 256 ? code : 0
  }
  return codes
}

function letter(value: number): string {
  return ALPHABET.charAt(value & 63)
}
