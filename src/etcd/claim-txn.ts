/**
 * Claims of replay digests as one transaction of etcd. For each digest: if its key does not exist, it is made, under a
 * lease; else it is read. etcd does this in one step for all nodes, so of all nodes that claim a digest, one is first.
 *
 * A claim may be sent twice. Its value has a nonce of its own: who finds this nonce was first, with the try before.
 */
import { decodeText, encodeText } from '../bytes/text.ts'
import { type NodeName, nodeName } from '../config/server/cluster-settings.ts'
import { either, list, mapped, type Reader, record, text } from '../json-reader.ts'
import type { ReplayDigest } from '../packet/replay-digest.ts'
import { decodeBase64Padded, encodeBase64Padded } from '../system/base64.ts'
import type { Brand } from '../units.ts'
import type { Fields } from './message-type.ts'

/** The id of a lease of etcd, in decimal. */
export type LeaseId = Brand<string, 'LeaseId'>

export interface EtcdClaim {
  readonly digest: ReplayDigest
  /** 16 characters, for this claim alone. */
  readonly nonce: string
}

/** Whose claim counts. `undefined`: etcd's answer has no sense. */
export type ClaimOutcome = 'first' | { readonly usedAt: NodeName | 'unknown' } | undefined

/** Claims of one transaction. etcd allows 128 operations, by its default. */
export const MOST_CLAIMS = 100

export interface ClaimSpace {
  /** CLUSTER: its last part. Servers with another name share nothing with these. */
  readonly cluster: string
  readonly node: NodeName
}

/** The key of a digest. The digest is base64 of a hash: it tells nothing of the packet. */
export function claimKey(cluster: string, digest: ReplayDigest): string {
  return `ghostport/${cluster}/used/${digest}`
}

/** Until when no packet counts as new, in seconds since 1970: after a backup was restored (docs/CLUSTER.md). */
export function closedKey(cluster: string): string {
  return `ghostport/${cluster}/closed-until`
}

/** A condition of a transaction: nobody has written this key. @param key as {@link encoded} gives it. */
export function isAbsent(key: string): Fields {
  return { key, target: 'CREATE', result: 'EQUAL', create_revision: '0' }
}

/** @param claims at most {@link MOST_CLAIMS}, each digest once. @returns the body for `KV/Txn`. */
export function claimTxn({ cluster, node }: ClaimSpace, claims: readonly EtcdClaim[], lease: LeaseId): Fields {
  const closed = { request_range: { key: encoded(closedKey(cluster)) } }
  const each = claims.map(({ digest, nonce }) => {
    const key = encoded(claimKey(cluster, digest))
    return {
      request_txn: {
        compare: [isAbsent(key)],
        success: [{ request_put: { key, value: encoded(`${node} ${nonce}`), lease } }],
        failure: [{ request_range: { key } }],
      },
    }
  })
  return { success: [closed, ...each] }
}

const anything: Reader<unknown> = (value) => value ?? null
const base64 = mapped(text({ max: 400 }), (read) => {
  const bytes = decodeBase64Padded(read)
  return bytes === undefined ? undefined : decodeText(bytes)
})
const found: Reader<{ readonly value: string }> = (value) => {
  const { value: text } = (value ?? {}) as { readonly value?: unknown }
  const read = base64(text)
  return read === undefined ? undefined : { value: read }
}
const ranged = record({ header: anything }, { kvs: list(found, { min: 1, max: 1 }), count: text({ max: 20 }) })
const put = record({ header: anything }, {})
const inner = either(
  record(
    {
      header: anything,
      succeeded: literalTrue(),
      responses: list(record({ response_put: put }, {}), { min: 1, max: 1 }),
    },
    {},
  ),
  record({ header: anything, responses: list(record({ response_range: ranged }, {}), { min: 1, max: 1 }) }, {}),
)
const readOuter = record(
  {
    header: anything,
    succeeded: literalTrue(),
    responses: list(either(record({ response_txn: inner }, {}), record({ response_range: ranged }, {})), {
      min: 1,
      max: MOST_CLAIMS + 1,
    }),
  },
  {},
)

export interface ClaimAnswer {
  /** One for each claim, in order. */
  readonly outcomes: readonly ClaimOutcome[]
  /** Seconds since 1970. Absent: the cluster is open. */
  readonly closedUntil?: number
}

/** Reads what etcd answered to {@link claimTxn}. @returns undefined if it is not the answer to these claims. */
export function readClaimAnswer(value: unknown, claims: readonly EtcdClaim[]): ClaimAnswer | undefined {
  const read = readOuter(value)
  const [closed, ...each] = read?.responses ?? []
  if (closed === undefined || !('response_range' in closed) || each.length !== claims.length) return undefined
  const closedUntil = closedUntilIn(closed.response_range)
  const outcomes = each.map((answer, i) => outcomeOf(answer, claims[i]?.nonce ?? ''))
  return { outcomes, ...(closedUntil !== undefined && { closedUntil }) }
}

/** Reads what etcd answered to a question for {@link closedKey}. @returns undefined if it is no such answer. */
export function readClosed(value: unknown): Pick<ClaimAnswer, 'closedUntil'> | undefined {
  const read = ranged(value)
  if (read === undefined) return undefined
  const closedUntil = closedUntilIn(read)
  return closedUntil === undefined ? {} : { closedUntil }
}

function closedUntilIn({ kvs }: NonNullable<ReturnType<typeof ranged>>): number | undefined {
  const until = kvs?.[0]?.value
  return until === undefined ? undefined : parseClosedUntil(until)
}

/** The value of {@link closedKey}. One that is no time closes for ever: somebody meant something by it. */
export function parseClosedUntil(value: string): number {
  return /^[0-9]{1,12}$/.test(value) ? Number(value) : FOR_EVER
}

const FOR_EVER = 999_999_999_999

type Answered = NonNullable<ReturnType<typeof readOuter>>['responses'][number]

function outcomeOf(answer: Answered, nonce: string): ClaimOutcome {
  if (!('response_txn' in answer)) return undefined
  const { responses } = answer.response_txn
  const [done] = responses
  if (done === undefined) return undefined
  if ('response_put' in done) return 'first'
  const holder = done.response_range.kvs?.[0]?.value
  if (holder === undefined) return undefined
  const [node = '', theirs] = holder.split(' ')
  const name = nodeName(node)
  return theirs === nonce ? 'first' : { usedAt: name.ok ? name.value : 'unknown' }
}

function literalTrue(): Reader<true> {
  return (value) => (value === true ? true : undefined)
}

export function encoded(text: string): string {
  return encodeBase64Padded(encodeText(text))
}
