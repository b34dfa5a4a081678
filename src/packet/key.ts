/**
 * Keys. They have no string form: `toString`, `toJSON`, `inspect` and templates give `[secret]`, so that no log, error
 * or dump can hold one. Only {@link exposeKey} gives out their bytes. `packet/` and the key generator call it.
 */
import { equalBytes } from '../bytes/bytes.ts'
import { type Failure, ok, type Result, refuse } from '../result.ts'

/** Set by {@link SecretKey}. Nothing else can read its private field. */
let bytesOf: (key: SecretKey) => Uint8Array

/** The base of both kinds of key. Compare keys with {@link sameKey}, never with `===`. */
abstract class SecretKey {
  readonly #bytes: Uint8Array
  static {
    bytesOf = (key) => key.#bytes
  }
  protected constructor(bytes: Uint8Array) {
    this.#bytes = bytes.slice()
    Object.freeze(this)
  }
  toString(): string {
    return '[secret]'
  }
  toJSON(): string {
    return '[secret]'
  }
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return '[secret]'
  }
  get [Symbol.toStringTag](): string {
    return 'secret'
  }
}

/** The passphrase or key of the symmetric cipher: 1–32 bytes (docs/WIRE.md § 7). */
export class EncryptionKey extends SecretKey {
  declare private readonly kind: 'encryption'
  static readonly maxLength = 32

  /** @param bytes are copied. */
  static fromBytes(bytes: Uint8Array): Result<EncryptionKey, Failure<'KEY_INVALID'>> {
    const wrong = wrongLength(bytes, 'an encryption key', EncryptionKey.maxLength)
    return wrong ?? ok(new EncryptionKey(bytes))
  }
  private constructor(bytes: Uint8Array) {
    super(bytes)
  }
}

/** The key of the HMAC: 1–136 bytes, libfko's limit (docs/WIRE.md § 8). */
export class HmacKey extends SecretKey {
  declare private readonly kind: 'hmac'
  static readonly maxLength = 136

  /** @param bytes are copied. */
  static fromBytes(bytes: Uint8Array): Result<HmacKey, Failure<'KEY_INVALID'>> {
    const wrong = wrongLength(bytes, 'an HMAC key', HmacKey.maxLength)
    return wrong ?? ok(new HmacKey(bytes))
  }
  private constructor(bytes: Uint8Array) {
    super(bytes)
  }
}

/** The passphrase of a GnuPG key that signs packets: 1–128 bytes, as in fwknop. */
export class SigningPassphrase extends SecretKey {
  declare private readonly kind: 'signing'
  static readonly maxLength = 128

  /** @param bytes are copied. */
  static fromBytes(bytes: Uint8Array): Result<SigningPassphrase, Failure<'KEY_INVALID'>> {
    const wrong = wrongLength(bytes, 'a passphrase', SigningPassphrase.maxLength)
    return wrong ?? ok(new SigningPassphrase(bytes))
  }
  private constructor(bytes: Uint8Array) {
    super(bytes)
  }
}

/** The password of an HTTP proxy: 1–255 bytes. */
export class ProxyPassword extends SecretKey {
  declare private readonly kind: 'proxy'
  static readonly maxLength = 255

  /** @param bytes are copied. */
  static fromBytes(bytes: Uint8Array): Result<ProxyPassword, Failure<'KEY_INVALID'>> {
    const wrong = wrongLength(bytes, 'the password of a proxy', ProxyPassword.maxLength)
    return wrong ?? ok(new ProxyPassword(bytes))
  }
  private constructor(bytes: Uint8Array) {
    super(bytes)
  }
}

/** The passphrase of a GnuPG key that decrypts packets: 1–128 bytes. */
export class DecryptionPassphrase extends SecretKey {
  declare private readonly kind: 'decryption'
  static readonly maxLength = 128

  /** @param bytes are copied. */
  static fromBytes(bytes: Uint8Array): Result<DecryptionPassphrase, Failure<'KEY_INVALID'>> {
    const wrong = wrongLength(bytes, 'a passphrase', DecryptionPassphrase.maxLength)
    return wrong ?? ok(new DecryptionPassphrase(bytes))
  }
  private constructor(bytes: Uint8Array) {
    super(bytes)
  }
}

/** The secret of a user for all nodes: 32 random bytes (docs/WIRE.md § 17). Never a key of a packet itself. */
export class NodeSecret extends SecretKey {
  declare private readonly kind: 'node'
  static readonly byteCount = 32

  /** @param bytes are copied. */
  static fromBytes(bytes: Uint8Array): Result<NodeSecret, Failure<'KEY_INVALID'>> {
    return bytes.length === NodeSecret.byteCount
      ? ok(new NodeSecret(bytes))
      : refuse('KEY_INVALID', `the secret of a fleet has ${NodeSecret.byteCount} bytes, this one has ${bytes.length}`)
  }
  private constructor(bytes: Uint8Array) {
    super(bytes)
  }
}

/** The bytes of a key. Do not keep, log or send the result. */
export function exposeKey(
  key: EncryptionKey | HmacKey | SigningPassphrase | ProxyPassword | DecryptionPassphrase | NodeSecret,
): Uint8Array {
  return bytesOf(key)
}

/**
 * Compares two keys. Takes the same time for equal and different keys of one length.
 * @param one of either kind.
 * @param other of either kind.
 * @returns whether they hold the same bytes.
 * @example
 * ```ts
 * import { EncryptionKey, HmacKey, parseKeyText, sameKey } from 'ghostport/packet'
 *
 * const one = parseKeyText(EncryptionKey, 'secret')
 * const other = parseKeyText(HmacKey, 'secret')
 * console.log(one.ok && other.ok && sameKey(one.value, other.value)) // true
 * ```
 */
export function sameKey(one: EncryptionKey | HmacKey, other: EncryptionKey | HmacKey): boolean {
  return equalBytes(exposeKey(one), exposeKey(other))
}

function wrongLength(bytes: Uint8Array, what: string, max: number) {
  if (bytes.length === 0) return refuse('KEY_INVALID', `${what} may not be empty`)
  if (bytes.length > max) return refuse('KEY_INVALID', `${what} has at most ${max} bytes, this one has ${bytes.length}`)
  return undefined
}
