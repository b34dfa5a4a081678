/**
 * What the GnuPG process reports of a packet that it decrypted, and which stanzas may take it: those whose
 * GPG_DECRYPT_ID names the key, and whose rule accepts the signature.
 */
import { type Failure, refuse } from '../result.ts'
import { checkSignature, type SignatureReport } from './signature.ts'
import { type GnupgDecrypter, gnupgOf, type Stanza } from './stanza.ts'

export interface GnupgReport {
  readonly signature: SignatureReport
  /** Values of GPG_DECRYPT_ID that name the key that decrypted it. */
  readonly decryptIds: readonly string[]
}

/** Why packets like this one are not for a stanza. */
export type GnupgDenial = Failure<'SPA_DECRYPT_FAILED' | 'ACCESS_SIGNATURE_DENIED'>

export const FOR_ANOTHER_KEY = refuse(
  'SPA_DECRYPT_FAILED',
  'it was encrypted for another key of the keyring than GPG_DECRYPT_ID',
)

export function checkDecryptId(
  { decryptIds: wanted }: Pick<GnupgDecrypter, 'decryptIds'>,
  { decryptIds }: Pick<GnupgReport, 'decryptIds'>,
): typeof FOR_ANOTHER_KEY | undefined {
  return wanted === undefined || wanted.some((id) => decryptIds.includes(id)) ? undefined : FOR_ANOTHER_KEY
}

/** Whether a stanza takes packets with this report, as far as the report goes. */
export function takesReport(stanza: Pick<Stanza, 'encryption' | 'alsoGnupg'>, report: GnupgReport): boolean {
  const gnupg = gnupgOf(stanza)
  if (gnupg === undefined || checkDecryptId(gnupg, report) !== undefined) return false
  return checkSignature(gnupg.signature, report.signature) === undefined
}
