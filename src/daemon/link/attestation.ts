/**
 * What the GnuPG process vouches for: that it decrypted this message, by which key, and who signed it. It goes through
 * the receiver, which cannot make or change one: the secret is between the warden and the GnuPG process.
 */
import { primitives } from '#primitives'
import type { GnupgReport } from '../../access/gnupg-report.ts'
import type { DecrypterName } from '../../access/keyring.ts'
import { decodeBase64, encodeBase64 } from '../../bytes/base64.ts'
import { equalBytes } from '../../bytes/bytes.ts'
import { encodeText } from '../../bytes/text.ts'
import type { Message } from '../../packet/message.ts'
import type { ReplayDigest } from '../../packet/replay-digest.ts'
import type { Brand } from '../../units.ts'

/** Base64 of an HMAC-SHA-256. */
export type Attestation = Brand<string, 'Attestation'>

/** What one attestation covers. */
export interface Attested extends GnupgReport {
  /** How it was decrypted: with which keyring. */
  readonly decrypter: DecrypterName
  readonly digest: ReplayDigest
  readonly message: Message
}

/** The bytes of a secret that only two processes know. */
export const ATTESTATION_SECRET_LENGTH = 32

export function attest(secret: Uint8Array, attested: Attested): Attestation {
  return encodeBase64(macOf(secret, attested)) as Attestation
}

export function isAttested(secret: Uint8Array, attested: Attested, attestation: Attestation): boolean {
  const claimed = decodeBase64(attestation)
  return claimed !== undefined && equalBytes(claimed, macOf(secret, attested))
}

function macOf(secret: Uint8Array, { decrypter, digest, signature, decryptIds, message }: Attested): Uint8Array {
  const text = encodeText(JSON.stringify(sorted({ decrypter, digest, signature, decryptIds, message })))
  return primitives.prepareHmac('sha256', secret)(text)
}

/** The same text for the same value: the order of its fields does not count. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  const fields = Object.entries(value).filter(([, field]) => field !== undefined)
  return fields.sort(([one], [other]) => (one < other ? -1 : 1)).map(([name, field]) => [name, sorted(field)])
}
