/** Reads what gpg said of a signature, from a process that may be in hostile hands. */
import {
  parseFingerprint,
  type SignatureReport,
  UNVERIFIED_REASONS,
  type VerifiedSignature,
} from '../../access/signature.ts'
import { either, literal, mapped, type Reader, record, text } from '../../json-reader.ts'

const STATES = [
  'good',
  'signature expired',
  'key expired',
  'key revoked',
] as const satisfies readonly VerifiedSignature['state'][]

const fingerprint = mapped(text({ max: 64 }), parseFingerprint)
const boolean: Reader<boolean> = (value) => (typeof value === 'boolean' ? value : undefined)

export const signatureReport: Reader<SignatureReport> = either(
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
