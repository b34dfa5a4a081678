/** Reads what gpg said of a packet, from a process that may be in hostile hands. */
import {
  parseFingerprint,
  type SignatureReport,
  UNVERIFIED_REASONS,
  type VerifiedSignature,
} from '../../access/signature.ts'
import { either, list, literal, mapped, type Reader, record, text } from '../../json-reader.ts'

/** Names of one key in GPG_DECRYPT_ID: more than anybody writes. */
const MOST_DECRYPT_IDS = 100
/** Of a value of GPG_DECRYPT_ID. */
const LONGEST_DECRYPT_ID = 256

const STATES = [
  'good',
  'signature expired',
  'key expired',
  'key revoked',
] as const satisfies readonly VerifiedSignature['state'][]

const fingerprint = mapped(text({ max: 64 }), parseFingerprint)
const boolean: Reader<boolean> = (value) => (typeof value === 'boolean' ? value : undefined)

const signatureReport: Reader<SignatureReport> = either(
  record({ kind: literal('none') }, {}),
  record({ kind: literal('unverified'), why: either(...UNVERIFIED_REASONS.map((why) => literal(why))) }, {}),
  record(
    {
      ...{ kind: literal('verified'), fingerprint, primary: fingerprint, isTrusted: boolean },
      state: either(...STATES.map((state) => literal(state))),
    },
    {},
  ),
)

/** The fields of a `GnupgReport` (access/gnupg-report.ts). */
export const gnupgReport = {
  signature: signatureReport,
  decryptIds: list(text({ max: LONGEST_DECRYPT_ID }), { min: 0, max: MOST_DECRYPT_IDS }),
} as const
