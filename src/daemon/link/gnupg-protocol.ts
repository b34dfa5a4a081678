/**
 * The messages of the GnuPG process. It gets one configuration of the warden, and trusts it. It gets packets of the
 * receiver, and answers each. Both read what it sends as untrusted input: gpg parses strangers' bytes.
 */

import type { GnupgReport } from '../../access/gnupg-report.ts'
import type { DecrypterName } from '../../access/keyring.ts'
import { printable } from '../../bytes/text.ts'
import { type FailureCode, failureKinds } from '../../failure-codes.ts'
import { either, integer, list, literal, mapped, type Reader, record, text } from '../../json-reader.ts'
import type { Failure } from '../../result.ts'
import type { Attestation } from './attestation.ts'
import { LONGEST_DETAIL } from './protocol.ts'
import { gnupgReport } from './signature-report.ts'

/** The GnuPG process finds the warden here, and the receiver behind it. */
export const GNUPG_CHANNEL = 4
export const GNUPG_REQUESTS = 5

/** A file of a keyring. */
export interface KeyringFile {
  /** Below the folder of the keyring. */
  readonly name: string
  /** Base64. */
  readonly contents: string
}

export interface ToGnupg {
  readonly type: 'configure'
  /** For attestations, in base64. */
  readonly secret: string
  readonly keyrings: readonly { readonly home: string; readonly files: readonly KeyringFile[] }[]
  readonly decrypters: readonly {
    readonly name: DecrypterName
    readonly home: string
    readonly program: string
    /** The values of GPG_DECRYPT_ID of its stanzas. */
    readonly decryptIds: readonly string[]
    /** Whether a stanza of them has none: then each key of the keyring will do. */
    readonly anyKey: boolean
    /** Base64. */
    readonly passphrase?: string
  }[]
}

export type FromGnupg =
  /** It has no privilege left, and no other process can look into it. So it may get the keyring. */
  | { readonly type: 'started' }
  /** `unconfined`: why it could not be confined, if so. `problems`: keyrings that cannot be used. */
  | { readonly type: 'ready'; readonly unconfined?: string; readonly problems: readonly string[] }
  /** Why it ends. */
  | { readonly type: 'failed'; readonly code: FailureCode; readonly detail: string }

/** A packet to decrypt. */
export interface GnupgRequest {
  readonly id: number
  readonly decrypter: DecrypterName
  /** Base64 of a binary OpenPGP message. */
  readonly message: string
}

export const ANSWER_FAILURES = [
  'SPA_DECRYPT_FAILED',
  'SPA_DIGEST_MISMATCH',
  'SPA_FIELD_INVALID',
  'GNUPG_FAILED',
] as const
export type AnswerFailure = Failure<(typeof ANSWER_FAILURES)[number]>

export type GnupgAnswer = { readonly id: number } & (
  | {
      readonly opened: GnupgReport & {
        /** Base64. */
        readonly plaintext: string
        readonly attestation: Attestation
      }
    }
  | { readonly failure: AnswerFailure }
)

const MOST_PROBLEMS = 100
const LONGEST_BASE64 = 16 * 1024
/** A packet has 1125 bytes. */
const LONGEST_MESSAGE = 2048

const id = integer({ min: 0, max: Number.MAX_SAFE_INTEGER })
const detail = mapped(text({ max: LONGEST_DETAIL }), printable)
const sha256 = text({ max: 43 })
const failureCode = mapped(text({ max: 40 }), (name) =>
  Object.hasOwn(failureKinds, name) ? (name as FailureCode) : undefined,
)

const fromGnupg: Reader<FromGnupg> = either(
  record({ type: literal('started') }, {}),
  record({ type: literal('ready'), problems: list(detail, { min: 0, max: MOST_PROBLEMS }) }, { unconfined: detail }),
  record({ type: literal('failed'), code: failureCode, detail }, {}),
)
const request: Reader<GnupgRequest> = record(
  { id, decrypter: mapped(sha256, (name) => name as DecrypterName), message: text({ max: LONGEST_MESSAGE }) },
  {},
)
const answer: Reader<GnupgAnswer> = either(
  record(
    {
      id,
      opened: record(
        {
          plaintext: text({ max: LONGEST_BASE64 }),
          ...gnupgReport,
          attestation: mapped(sha256, (tag) => tag as Attestation),
        },
        {},
      ),
    },
    {},
  ),
  record({ id, failure: record({ code: either(...ANSWER_FAILURES.map((code) => literal(code))), detail }, {}) }, {}),
)

/** @returns undefined for what an honest GnuPG process never sends. */
export function parseFromGnupg(value: unknown): FromGnupg | undefined {
  return fromGnupg(value)
}

/** @returns undefined for what an honest receiver never sends. */
export function parseGnupgRequest(value: unknown): GnupgRequest | undefined {
  return request(value)
}

/** @returns undefined for what an honest GnuPG process never sends. */
export function parseGnupgAnswer(value: unknown): GnupgAnswer | undefined {
  return answer(value)
}
