/**
 * Sealing for storage, by the browser's own cryptography: AES-256-GCM, and PBKDF2 for passphrases.
 *
 * PBKDF2-SHA256 with 600 000 rounds is what OWASP asks for. Argon2id would resist graphics cards better. But no browser
 * has it: in JavaScript it is slow enough on phones that its parameters would have to be weak, as WebAssembly it would
 * need a weaker policy of the page, and its memory failed on iOS. The rounds are stored, so that they can grow.
 */
import { encodeBase64 } from '../../../src/bytes/base64.ts'
import { encodeText } from '../../../src/bytes/text.ts'

export const ROUNDS = 600_000
const MOST_ROUNDS = 10_000_000
const FEWEST_ROUNDS = 100_000
const SALT_BYTES = 16
const NONCE_BYTES = 12
export const KEY_BYTES = 32

type Bytes = Uint8Array<ArrayBuffer>

export interface SealedBytes {
  readonly nonce: Bytes
  readonly data: Bytes
}

/** How a passphrase becomes a key. */
export interface Derivation {
  readonly salt: Bytes
  readonly rounds: number
}

export function randomBytes(length: number): Bytes {
  return crypto.getRandomValues(new Uint8Array(length))
}

export function newDerivation(): Derivation {
  return { salt: randomBytes(SALT_BYTES), rounds: ROUNDS }
}

/** @throws RangeError for parameters of a file that are not ours: too few protect nothing, too many hang the page. */
export async function keyFromPassphrase(passphrase: string, { salt, rounds }: Derivation): Promise<CryptoKey> {
  if (!Number.isInteger(rounds) || rounds < FEWEST_ROUNDS || rounds > MOST_ROUNDS || salt.length < SALT_BYTES)
    throw new RangeError('not the parameters of ghostport')
  // Two keyboards may write one letter as one character or as two.
  const text = Uint8Array.from(encodeText(passphrase.normalize('NFC')))
  const base = await crypto.subtle.importKey('raw', text, 'PBKDF2', false, ['deriveKey'])
  text.fill(0)
  return await crypto.subtle.deriveKey(
    { name: 'PBKDF2', hash: 'SHA-256', salt, iterations: rounds },
    base,
    { name: 'AES-GCM', length: 256 },
    false,
    ['encrypt', 'decrypt'],
  )
}

/** The key of a passkey: what its authenticator makes of a salt (WebAuthn's PRF extension), spread by HKDF. */
export async function keyFromPrf(output: ArrayBuffer): Promise<CryptoKey> {
  const base = await crypto.subtle.importKey('raw', output, 'HKDF', false, ['deriveKey'])
  const info = Uint8Array.from(encodeText('ghostport passkey 1'))
  return await crypto.subtle.deriveKey(
    { name: 'HKDF', hash: 'SHA-256', salt: new Uint8Array(), info },
    base,
    { name: 'AES-GCM', length: 256 },
    false,
    ['encrypt', 'decrypt'],
  )
}

/** A key that script can use, and not read. @param raw is wiped. */
export async function importKey(raw: Bytes): Promise<CryptoKey> {
  const key = await crypto.subtle.importKey('raw', raw, 'AES-GCM', false, ['encrypt', 'decrypt'])
  raw.fill(0)
  return key
}

/** @param about what it is: it opens only as that. */
export async function seal(key: CryptoKey, data: Bytes, about: string): Promise<SealedBytes> {
  const nonce = randomBytes(NONCE_BYTES)
  const additionalData = Uint8Array.from(encodeText(about))
  const sealed = await crypto.subtle.encrypt({ name: 'AES-GCM', iv: nonce, additionalData }, key, data)
  return { nonce, data: new Uint8Array(sealed) }
}

/** @returns undefined where the key is another, or anything was changed. */
export async function unseal(key: CryptoKey, { nonce, data }: SealedBytes, about: string): Promise<Bytes | undefined> {
  const additionalData = Uint8Array.from(encodeText(about))
  try {
    return new Uint8Array(await crypto.subtle.decrypt({ name: 'AES-GCM', iv: nonce, additionalData }, key, data))
  } catch {
    return undefined
  }
}

export function toText(bytes: Uint8Array): string {
  return encodeBase64(bytes)
}
