/**
 * Who signed a GnuPG packet, and whether a stanza accepts that. The report comes from gpg's status lines
 * (gpg/decryption-status.ts); the rules are those of GPG_REMOTE_ID and the settings beside it (docs/CONFIG.md).
 */
import { type Refused, refuse } from '../result.ts'
import type { Brand } from '../units.ts'

/** 40 hexadecimal digits in capitals (64 for version 5 and later): the SHA of a public key. */
export type Fingerprint = Brand<string, 'Fingerprint'>

/** The last 8 or 16 digits of a fingerprint. */
export type GnupgKeyId = Brand<string, 'GnupgKeyId'>

/** A signature that is cryptographically right. */
export interface VerifiedSignature {
  readonly kind: 'verified'
  /** Of the key that made it: usually a subkey. */
  readonly fingerprint: Fingerprint
  /** Of the key that the subkey belongs to. */
  readonly primary: Fingerprint
  readonly state: 'good' | 'signature expired' | 'key expired' | 'key revoked'
  /** Whether the server's keyring trusts the key at least marginally. */
  readonly isTrusted: boolean
}

/** What gpg says of the signature of one packet. */
export type SignatureReport =
  | VerifiedSignature
  | { readonly kind: 'none' }
  /** There is one, and nothing proves who made it. */
  | { readonly kind: 'unverified'; readonly why: UnverifiedReason }

export const UNVERIFIED_REASONS = [
  'the public key is not in the keyring',
  'the signature is wrong',
  'there are several signatures',
  'gpg could not check it',
] as const
export type UnverifiedReason = (typeof UNVERIFIED_REASONS)[number]

/** What a stanza requires. */
export type SignaturePolicy =
  /** GPG_DISABLE_SIG: signatures are not looked at. */
  | { readonly kind: 'disabled' }
  | {
      readonly kind: 'required'
      /** GPG_FINGERPRINT_ID: the signer, by subkey or primary key. Absent: not checked. */
      readonly fingerprints?: readonly Fingerprint[]
      /** GPG_REMOTE_ID: the same by the end of the fingerprint. If both are set, both must match. */
      readonly ids?: readonly GnupgKeyId[]
      /** GPG_IGNORE_SIG_VERIFY_ERROR: an expired, revoked or untrusted key is accepted. */
      readonly ignoresErrors: boolean
    }

export function parseFingerprint(text: string): Fingerprint | undefined {
  return /^(?:[0-9A-F]{40}|[0-9A-F]{64})$/.test(text) ? (text as Fingerprint) : undefined
}

export function parseGnupgKeyId(text: string): GnupgKeyId | undefined {
  return /^(?:[0-9A-F]{8}|[0-9A-F]{16})$/.test(text) ? (text as GnupgKeyId) : undefined
}

/** @param report absent for a packet that GnuPG did not open. @returns why the stanza does not accept the signature. */
export function checkSignature(
  policy: SignaturePolicy,
  report: SignatureReport,
): Refused<ReturnType<typeof denied>['failure']> | undefined {
  if (policy.kind === 'disabled') return undefined
  if (report.kind === 'none') return denied('the packet is not signed; the client must name its key (GPG_SIGNER)')
  if (report.kind === 'unverified') return denied(report.why)
  const { fingerprint, primary, state, isTrusted } = report
  if (!policy.ignoresErrors) {
    if (state !== 'good') return denied(`the signature of ${fingerprint} does not count: ${state}`)
    if (!isTrusted)
      return denied(
        `the server’s keyring does not trust the key ${primary}: certify it there (gpg --lsign-key), or give it ownertrust`,
      )
  }
  const keys = [fingerprint, primary]
  if (policy.fingerprints !== undefined && !policy.fingerprints.some((listed) => keys.includes(listed)))
    return denied(`${fingerprint} is not in the GPG_FINGERPRINT_ID list`)
  if (policy.ids !== undefined && !policy.ids.some((id) => keys.some((key) => key.endsWith(id))))
    return denied(`${fingerprint} is not in the GPG_REMOTE_ID list`)
  return undefined
}

function denied(detail: string) {
  return refuse('ACCESS_SIGNATURE_DENIED', detail)
}
