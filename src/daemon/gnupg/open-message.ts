/**
 * Opens one GnuPG packet, in the process that may see the keyring: gpg decrypts it, and what it says is read as a
 * message. The attestation covers the message itself, so that nobody on the way can put another in its place.
 */
import type { DecrypterName } from '../../access/keyring.ts'
import type { Fingerprint, SignatureReport } from '../../access/signature.ts'
import type { Decrypt, GnupgDecryptFailure } from '../../gpg/gnupg.ts'
import { parseFields } from '../../packet/fields.ts'
import { parseMessage } from '../../packet/message-fields.ts'
import { replayDigest } from '../../packet/replay-digest.ts'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import { type Attestation, attest } from '../link/attestation.ts'

/** A way to decrypt. */
export interface Decrypter {
  readonly name: DecrypterName
  readonly decrypt: Decrypt
  /** GPG_DECRYPT_ID: the keys that may have decrypted it. Absent: each of the keyring. */
  readonly keys?: ReadonlySet<Fingerprint>
}

export interface OpenedMessage {
  readonly plaintext: Uint8Array
  readonly signature: SignatureReport
  readonly attestation: Attestation
}

export type OpenMessageFailure = GnupgDecryptFailure | Failure<'SPA_DIGEST_MISMATCH' | 'SPA_FIELD_INVALID'>

export async function openMessage(
  message: Uint8Array,
  { name, decrypt, keys }: Decrypter,
  secret: Uint8Array,
): Promise<Result<OpenedMessage, OpenMessageFailure>> {
  const decrypted = await decrypt(message)
  if (!decrypted.ok) return decrypted
  const { plaintext, signature, decryptedBy } = decrypted.value
  if (keys !== undefined && !decryptedBy.some((key) => keys.has(key)))
    return refuse('SPA_DECRYPT_FAILED', 'it was encrypted for another key of the keyring than GPG_DECRYPT_ID')
  const fields = parseFields(plaintext)
  if (!fields.ok) return fields
  const said = parseMessage(fields.value)
  if (!said.ok) return said
  const digest = replayDigest(plaintext)
  const attestation = attest(secret, { decrypter: name, digest, signature, message: said.value })
  return ok({ plaintext, signature, attestation })
}
