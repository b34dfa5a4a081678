/**
 * Opens one GnuPG packet, in the process that may see the keyring: gpg decrypts it, and what it says is read as a
 * message. The attestation covers the message itself, so that nobody on the way can put another in its place.
 */

import { FOR_ANOTHER_KEY, type GnupgReport } from '../../access/gnupg-report.ts'
import type { DecrypterName } from '../../access/keyring.ts'
import type { Fingerprint } from '../../access/signature.ts'
import type { Decrypt, GnupgDecryptFailure } from '../../gpg/gnupg.ts'
import { parseFields } from '../../packet/fields.ts'
import { parseMessage } from '../../packet/message-fields.ts'
import { replayDigest } from '../../packet/replay-digest.ts'
import { type Failure, ok, type Result } from '../../result.ts'
import { type Attestation, attest } from '../link/attestation.ts'

/** A way to decrypt. */
export interface Decrypter {
  readonly name: DecrypterName
  readonly decrypt: Decrypt
  /** The keys that each GPG_DECRYPT_ID of its stanzas names. */
  readonly keysOf: ReadonlyMap<string, ReadonlySet<Fingerprint>>
  /** Whether each other key of the keyring will do, too. */
  readonly anyKey: boolean
}

export interface OpenedMessage extends GnupgReport {
  readonly plaintext: Uint8Array
  readonly attestation: Attestation
}

export type OpenMessageFailure = GnupgDecryptFailure | Failure<'SPA_DIGEST_MISMATCH' | 'SPA_FIELD_INVALID'>

export async function openMessage(
  message: Uint8Array,
  { name, decrypt, keysOf, anyKey }: Decrypter,
  secret: Uint8Array,
): Promise<Result<OpenedMessage, OpenMessageFailure>> {
  const decrypted = await decrypt(message)
  if (!decrypted.ok) return decrypted
  const { plaintext, signature, decryptedBy } = decrypted.value
  const decryptIds = [...keysOf].filter(([, keys]) => decryptedBy.some((key) => keys.has(key))).map(([id]) => id)
  if (!anyKey && decryptIds.length === 0) return FOR_ANOTHER_KEY
  const fields = parseFields(plaintext)
  if (!fields.ok) return fields
  const said = parseMessage(fields.value)
  if (!said.ok) return said
  const digest = replayDigest(plaintext)
  const report = { signature, decryptIds }
  const attestation = attest(secret, { decrypter: name, digest, ...report, message: said.value })
  return ok({ plaintext, ...report, attestation })
}
