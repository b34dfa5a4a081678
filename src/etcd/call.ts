/**
 * One request to one member of an etcd cluster, by the JSON gateway that each member has (`/v3/…`). Nothing is sent a
 * second time here.
 */
import { createSecureContext } from 'node:tls'
import { jsonLine, printable } from '../bytes/text.ts'
import { integer, type Reader, record, text } from '../json-reader.ts'
import type { Milliseconds } from '../units.ts'
import { Connections, type EtcdMember } from './connections.ts'
import { openStream, type StreamOptions } from './stream.ts'

/** How the members are reached. */
export interface EtcdAccess {
  readonly members: readonly EtcdMember[]
  /** Absent: plain HTTP. */
  readonly tls?: EtcdTls
  /** Absent: etcd asks nobody who he is. */
  readonly login?: { readonly user: string; readonly password: string }
}

/** Each as PEM. */
export interface EtcdTls {
  /** Whose certificates count. Absent: the list of Node.js. */
  readonly authorities?: string
  /** What this client shows. */
  readonly own?: { readonly certificate: string; readonly key: string }
}

/**
 * - `answer`: etcd did what was asked.
 * - `refused`: etcd did nothing, and says why. `code` is that of gRPC.
 * - `silence`: it may have been done, or not.
 */
export type EtcdAnswer =
  | { readonly kind: 'answer'; readonly value: unknown }
  | { readonly kind: 'refused'; readonly code: number; readonly why: string }
  | { readonly kind: 'silence'; readonly why: string }

/** Bytes of the longest answer: a full batch of claims has some 40 000. */
const LONGEST_ANSWER = 4 * 1024 * 1024

/** What a member answers instead: the status of gRPC, as JSON. */
const readError: Reader<{ readonly code: number; readonly message: string }> = (value) => {
  const { code, message } = (value ?? {}) as { readonly code?: unknown; readonly message?: unknown }
  return errorFields({ code, message })
}
const errorFields = record({ code: integer({ min: 1, max: 99 }), message: text({ max: 10_000 }) }, {})

export interface EtcdCalls {
  /** Never rejects. @param path such as `/v3/kv/txn`. */
  call(member: EtcdMember, path: string, body: unknown, options: CallOptions): Promise<EtcdAnswer>
  /**
   * An answer without an end: one value after the other. Never rejects.
   * @param path such as `/v3/watch`.
   * @returns why it has ended.
   */
  stream(member: EtcdMember, path: string, body: unknown, options: StreamOptions): Promise<string>
  close(): void
}

export interface CallOptions {
  readonly limit: Milliseconds
  readonly token?: string | undefined
  /** Ends the request: its answer is not needed any more. */
  readonly signal?: AbortSignal | undefined
}

export function etcdCalls({ tls }: Pick<EtcdAccess, 'tls'>): EtcdCalls {
  const secureContext = tls && createSecureContext(tlsOptions(tls))
  const connections = new Connections(secureContext)
  return {
    stream: (member, path, body, options) =>
      openStream(member, { path, body: jsonLine(body), secureContext, longestValue: LONGEST_ANSWER }, options),
    async call(member, path, body, { limit, token, signal }) {
      const asked = { path, body: jsonLine(body), token }
      const answer = await connections.exchange(member, asked, { limit, longestBody: LONGEST_ANSWER, signal })
      return 'why' in answer
        ? { kind: 'silence', why: printable(answer.why).slice(0, 300) }
        : readAnswer(answer.status, answer.body)
    },
    close: () => connections.close(),
  }
}

/** As Node.js takes it. */
export function tlsOptions({ authorities, own }: EtcdTls) {
  return {
    minVersion: 'TLSv1.2' as const,
    ...(authorities !== undefined && { ca: authorities }),
    ...(own !== undefined && { cert: own.certificate, key: own.key }),
  }
}

/** gRPC: DEADLINE_EXCEEDED, UNKNOWN, ABORTED, INTERNAL, UNAVAILABLE. What was asked may have been done all the same. */
const UNCERTAIN: ReadonlySet<number> = new Set([1, 2, 4, 10, 13, 14, 15])

/**
 * etcd with `--client-cert-auth` and logins says so, in other words and as plain text: by its JSON gateway, the name in
 * a certificate is nobody’s login.
 */
const HAS_COMMON_NAME =
  'etcd takes no certificate with a CommonName (CN) while it asks for logins: make one without, for CLUSTER_CERTIFICATE_FILE'

function noAnswer(status: number, body: string): string {
  return `an answer that is none of etcd, with status ${status}: ${printable(body.slice(0, 100))}`
}

function readAnswer(status: number, body: string): EtcdAnswer {
  let value: unknown
  try {
    value = JSON.parse(body)
  } catch {
    return { kind: 'silence', why: /^CommonName/.test(body) ? HAS_COMMON_NAME : noAnswer(status, body) }
  }
  if (status === 200) return { kind: 'answer', value }
  const error = readError(value)
  if (error === undefined) return { kind: 'silence', why: noAnswer(status, body) }
  const why = printable(error.message).slice(0, 300)
  return UNCERTAIN.has(error.code) ? { kind: 'silence', why } : { kind: 'refused', code: error.code, why }
}
