/** The port to GnuPG. `encrypt.ts` and `decrypt.ts` run the real program; `memory.ts` is for tests. */
import type { Fingerprint, SignatureReport } from '../access/signature.ts'
import type { Failure, Result } from '../result.ts'

/** Whom a packet is for, and who signs it: as gpg understands them (an id, a fingerprint, a mail address). */
export interface Parties {
  readonly recipient: string
  /** Absent: the packet is not signed. */
  readonly signer?: string
}

/** A message that was decrypted. */
export interface GnupgPlaintext {
  readonly plaintext: Uint8Array
  readonly signature: SignatureReport
  /** The key that decrypted it, and the primary key that it belongs to. */
  readonly decryptedBy: readonly Fingerprint[]
}

/** @returns an OpenPGP message in binary form; GNUPG_FAILED with the reason. */
export type Encrypt = (plaintext: Uint8Array, parties: Parties) => Promise<Result<Uint8Array, Failure<'GNUPG_FAILED'>>>

export type GnupgDecryptFailure = Failure<'SPA_DECRYPT_FAILED' | 'GNUPG_FAILED'>

/**
 * @returns the plaintext, and who signed it; `SPA_DECRYPT_FAILED` for a message that no key here decrypts, or that was
 * changed; `GNUPG_FAILED` where gpg itself does not work.
 */
export type Decrypt = (message: Uint8Array) => Promise<Result<GnupgPlaintext, GnupgDecryptFailure>>

export interface Gnupg {
  readonly encrypt: Encrypt
  readonly decrypt: Decrypt
}
