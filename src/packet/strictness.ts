/**
 * Where ghostport refuses packets that fwknopd accepts. Each rule is about a form, never about one packet. fwknopd
 * reads several spellings of one thing, and takes the text as the identity of a packet. So a used packet can be sent
 * again as a new one (docs/WIRE.md § 10). No real client sends any of these forms. Reasons: docs/FROM-FWKNOP.md.
 */
import type { FailureCode } from '../failure-codes.ts'
import { type Failure, type Refused, refuse } from '../result.ts'

interface Strictness {
  /** What must hold. */
  readonly sentence: string
  /** The file whose check refuses the packet. */
  readonly checkedIn: string
}

/** What must hold of a packet here, and need not for fwknopd. */
export const strictnessRules = {
  'prefix-left-off': {
    sentence: 'the constant head of the ciphertext is never sent, not even in an HTTP request',
    checkedIn: 'packet/envelope.ts',
  },
  'outer-padding': {
    sentence:
      'the packet ends without “=”. If no HMAC follows the ciphertext, it may end with the “=” that base64 prescribes',
    checkedIn: 'packet/envelope.ts',
  },
  'outer-base64': {
    sentence: 'the ciphertext is in canonical base64: no lone last character, no unused bits set',
    checkedIn: 'packet/decrypt.ts',
  },
  'salted-head': {
    sentence: 'the ciphertext begins with “Salted__”',
    checkedIn: 'packet/envelope.ts',
  },
  'block-padding': {
    sentence:
      'the plaintext is padded to whole blocks by PKCS #7; a message of fwknop 2.0.x that fills its blocks may have no padding',
    checkedIn: 'packet/decrypt.ts',
  },
  'inner-base64': {
    sentence: 'a field is in canonical base64, either without “=” or with all that base64 prescribes',
    checkedIn: 'packet/fields.ts',
  },
  'plain-number': {
    sentence: 'a number has only decimal digits, and no leading zeros',
    checkedIn: 'packet/fields.ts',
  },
  'text-is-utf8': {
    sentence: 'a text field is UTF-8 without NUL',
    checkedIn: 'packet/fields.ts',
  },
  'address-spelling': {
    sentence: 'an address has no leading zeros: some readers take them for octal',
    checkedIn: 'packet/message-fields.ts',
  },
  'host-name': {
    sentence: 'a host name does not end in a number: resolvers take such names for addresses',
    checkedIn: 'packet/nat-target.ts',
  },
} as const satisfies Record<string, Strictness>

/** The name of one of the {@link strictnessRules}. */
export type StrictnessRule = keyof typeof strictnessRules

/**
 * The failure of a packet. `rule` is present if fwknopd might have accepted the packet, and names the rule that refuses
 * it here.
 */
export interface PacketFailure<Code extends FailureCode = FailureCode> extends Failure<Code> {
  readonly rule?: StrictnessRule
}

/** Refuses by a rule that fwknopd does not have. */
export function refuseByRule<Code extends FailureCode>(
  code: Code,
  rule: StrictnessRule,
  detail: string,
): Refused<PacketFailure<Code>> {
  return { ok: false, failure: { ...refuse(code, detail).failure, rule } }
}
