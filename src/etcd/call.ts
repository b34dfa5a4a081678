/** One request to one member of an etcd cluster, by etcd’s own API over gRPC. Nothing is sent a second time here. */
import { createSecureContext } from 'node:tls'
import type { Milliseconds } from '../units.ts'
import { beginRequest, exchange, type GrpcRequest, NOT_OF_ETCD } from './grpc.ts'
import { GRPC_STATUS } from './grpc-status.ts'
import { decodeMessage, encodeMessage, type Fields } from './message-type.ts'
import { type EtcdMethod, METHODS } from './messages.ts'
import { type EtcdMember, type Session, Sessions } from './sessions.ts'

/** How the members are reached. */
export interface EtcdAccess {
  readonly members: readonly EtcdMember[]
  /** Absent: plain HTTP. */
  readonly tls?: EtcdTls
  /** Absent: etcd asks nobody who he is. */
  readonly login?: EtcdLogin
}

export interface EtcdLogin {
  readonly user: string
  readonly password: string
  /** Counts where etcd refuses the other one: it is being changed. */
  readonly next?: string
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

/** Bytes of the longest answer, and of one message of a watch: a full batch of claims has some 40 000. */
const LONGEST_ANSWER = 4 * 1024 * 1024

export interface EtcdCalls {
  /** Never rejects. */
  call(member: EtcdMember, method: EtcdMethod, body: Fields, options: CallOptions): Promise<EtcdAnswer>
  /**
   * An answer without an end: one value after the other. Never rejects.
   * @returns why it has ended.
   */
  stream(member: EtcdMember, method: EtcdMethod, body: Fields, options: StreamOptions): Promise<string>
  close(): void
}

export interface CallOptions {
  readonly limit: Milliseconds
  readonly token?: string | undefined
  /** Ends the request: its answer is not needed any more. */
  readonly signal?: AbortSignal | undefined
}

export interface StreamOptions {
  readonly token?: string | undefined
  /** Ends it. */
  readonly signal: AbortSignal
  /** @param value of the type of the method’s answer. What it says is not looked at. */
  readonly onValue: (value: Fields) => void
}

export function etcdCalls({ tls }: Pick<EtcdAccess, 'tls'>): EtcdCalls {
  const secureContext = tls && createSecureContext(tlsOptions(tls))
  const sessions = new Sessions(secureContext)
  return {
    stream: (member, method, body, options) => openStream(sessions.alone(member), method, body, options),
    async call(member, method, body, { limit, token, signal }) {
      const asked = requestOf(method, body, token)
      const answer = await exchange(sessions.to(member), asked, { limit, longest: LONGEST_ANSWER, signal })
      if ('message' in answer) {
        const value = decodeMessage(METHODS[method].response, answer.message)
        return value === undefined ? { kind: 'silence', why: NOT_OF_ETCD } : { kind: 'answer', value }
      }
      const { why } = answer
      return 'status' in answer && !UNCERTAIN.has(answer.status)
        ? { kind: 'refused', code: answer.status, why }
        : { kind: 'silence', why }
    },
    close: () => sessions.close(),
  }
}

function requestOf(method: EtcdMethod, body: Fields, token: string | undefined): GrpcRequest {
  return { path: `/etcdserverpb.${method}`, message: encodeMessage(METHODS[method].request, body), token }
}

/** On a connection of its own, which ends with it. */
function openStream(session: Session, method: EtcdMethod, body: Fields, options: StreamOptions): Promise<string> {
  const { token, signal, onValue } = options
  return new Promise((resolve) => {
    const cancel = beginRequest(
      session,
      requestOf(method, body, token),
      {
        longest: LONGEST_ANSWER,
        onMessage: (message) => {
          if (signal.aborted) return
          const value = decodeMessage(METHODS[method].response, message)
          if (value === undefined) cancel('a stream that is not etcd’s')
          else onValue(value)
        },
        onEnd: ({ why }) => {
          signal.removeEventListener('abort', onAbort)
          session.end(why)
          resolve(why)
        },
      },
      true,
    )
    const onAbort = (): void => cancel('not needed any more')
    if (signal.aborted) onAbort()
    signal.addEventListener('abort', onAbort)
  })
}

/** As Node.js takes it. */
export function tlsOptions({ authorities, own }: EtcdTls) {
  return {
    minVersion: 'TLSv1.2' as const,
    ...(authorities !== undefined && { ca: authorities }),
    ...(own !== undefined && { cert: own.certificate, key: own.key }),
  }
}

/** What was asked may have been done all the same. */
const UNCERTAIN: ReadonlySet<number> = new Set([
  ...[GRPC_STATUS.cancelled, GRPC_STATUS.unknown, GRPC_STATUS.deadlineExceeded, GRPC_STATUS.aborted],
  ...[GRPC_STATUS.internal, GRPC_STATUS.unavailable, GRPC_STATUS.dataLoss],
])
