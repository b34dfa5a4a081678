/**
 * The names of the records that the nodes of a cluster share, and the form of what is kept under them (docs/WIRE.md §
 * 20). Who talks to etcd knows this much, and cannot open one.
 */
import type { ClusterName } from '../config/server/cluster-settings.ts'
import { mapped, type Reader, text } from '../json-reader.ts'
import { decodeBase64Padded } from '../system/base64.ts'
import type { Brand } from '../units.ts'

/**
 * What a record is about.
 *
 * - `revocation`: a grant ends before its time.
 * - `users`: a change of users, keys or policy.
 * - `node`: a node is there.
 * - `opened`: what a node made of a grant.
 * - `grant`: what a knock at one node opens at others.
 */
export const RECORD_KINDS = ['revocation', 'users', 'node', 'opened', 'grant'] as const
export type RecordKind = (typeof RECORD_KINDS)[number]

/** One or two words with a `/` between: each 1 to 63 letters, digits, or `.`, `_`, `@`, `-`. */
export type RecordId = Brand<string, 'RecordId'>

export interface RecordName {
  readonly kind: RecordKind
  readonly id: RecordId
}

/** Base64, padded: a version, a nonce, the ciphertext and its tag. Its form was looked at, and nothing else. */
export type SealedRecord = Brand<string, 'SealedRecord'>

/** Bytes of the longest plaintext. */
export const LONGEST_RECORD = 8192
/** Version, nonce and tag. */
export const SEAL_BYTES = 1 + 12 + 16
/** Characters of the longest sealed record. */
export const LONGEST_SEALED = Math.ceil((LONGEST_RECORD + SEAL_BYTES) / 3) * 4

const ID = /^[A-Za-z0-9._@-]{1,63}(?:\/[A-Za-z0-9._@-]{1,63})?$/

/** @returns undefined for what is no id. */
export function recordId(text: string): RecordId | undefined {
  return ID.test(text) ? (text as RecordId) : undefined
}

/** What all keys of records begin with. */
export function recordsPrefix(cluster: string): string {
  return `ghostport/${cluster}/records/`
}

/** The key in etcd. It is part of what is authenticated: a record counts nowhere else. */
export function recordKey(cluster: ClusterName, { kind, id }: RecordName): string {
  return `${recordsPrefix(cluster)}${kind}/${id}`
}

/** @param rest the key after {@link recordsPrefix}. @returns undefined for the key of something else. */
export function parseRecordName(rest: string): RecordName | undefined {
  const slash = rest.indexOf('/')
  const kind = readKind(rest.slice(0, slash))
  const id = recordId(rest.slice(slash + 1))
  return kind === undefined || id === undefined ? undefined : { kind, id }
}

export const readKind: Reader<RecordKind> = (value) => RECORD_KINDS.find((kind) => kind === value)
export const readId: Reader<RecordId> = mapped(text({ max: 127 }), recordId)
export const readSealed: Reader<SealedRecord> = mapped(text({ max: LONGEST_SEALED }), (sealed) => {
  const bytes = decodeBase64Padded(sealed)
  return bytes !== undefined && sealed.length % 4 === 0 && bytes.length >= SEAL_BYTES
    ? (sealed as SealedRecord)
    : undefined
})
